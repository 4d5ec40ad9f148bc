"""The mean over neighbouring frames that are alike."""

from __future__ import annotations

import pytest
import torch

from stunet_core.guidance.deflicker import apart, bell, steady

CLIP = torch.randn(24, 4, 3, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("frames", [1.0, 2.7, 8.0])
def test_neighbours_count_less_the_further_they_are(frames: float) -> None:
    weights = bell(frames)
    assert (weights.diff() < 0).all() and weights[0] < 1
    assert float(bell(frames)[round(frames) - 1]) == pytest.approx(2.718 ** (-((round(frames) / frames) ** 2) / 2), rel=1e-3)


def test_nothing_is_averaged_with_0_frames_and_in_a_clip_of_one() -> None:
    assert torch.equal(steady(CLIP, 0.0), CLIP)
    assert torch.equal(steady(CLIP[:1], 2.0), CLIP[:1])


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("difference", [0.1, float("inf")])
def test_a_clip_that_stands_still_stays(loop: bool, difference: float) -> None:
    still = CLIP[:1].expand(24, -1, -1, -1)
    assert torch.allclose(steady(still, 2.0, difference, loop=loop), still, atol=1e-6)


def test_even_motion_stays_but_at_the_ends() -> None:
    line = torch.arange(24.0)[:, None, None, None].expand(-1, 4, 3, 5)
    for difference in (0.7, float("inf")):
        assert torch.allclose(steady(line, 1.5, difference)[5:-5], line[5:-5], atol=1e-4)


def test_noise_of_each_frame_falls_as_the_weights_say() -> None:
    noise = torch.randn(400, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    weights = torch.cat([torch.ones(1), bell(1.5), bell(1.5)])
    assert float(steady(noise, 1.5).std()) == pytest.approx(float((weights / weights.sum()).square().sum().sqrt()), rel=0.02)
    assert steady(0.2 * noise, 1.5, 0.7).std() < 0.6 * (0.2 * noise).std() < steady(0.2 * noise, 1.5, 0.05).std()


def test_a_thing_that_comes_and_goes_is_not_smeared_over_time() -> None:
    """One frame in which something else stands: its neighbours keep it out, and it keeps them out."""
    clip = torch.zeros(9, 4, 6, 6)
    clip[4] = 3.0
    kept, smeared = steady(clip, 2.0, 0.7), steady(clip, 2.0)
    assert torch.allclose(kept, clip, atol=0.01)
    assert smeared[4].max() < 1 and smeared[3].min() > 0.5


def test_a_loop_has_no_first_frame() -> None:
    for difference in (1.0, float("inf")):
        turned = steady(CLIP.roll(7, 0), 1.5, difference, loop=True)
        assert torch.allclose(turned, steady(CLIP, 1.5, difference, loop=True).roll(7, 0), atol=1e-6)
    assert not torch.allclose(steady(CLIP, 1.5, loop=True)[0], steady(CLIP, 1.5)[0], atol=1e-3)


def test_ends_do_not_hear_of_each_other() -> None:
    changed = CLIP.clone()
    changed[-1] += 5
    assert torch.equal(steady(changed, 3.0, 2.0)[:12], steady(CLIP, 3.0, 2.0)[:12])
    assert steady(CLIP[:2], 8.0).isfinite().all() and steady(CLIP[:2], 8.0, loop=True).isfinite().all()


def test_channels_do_not_mix() -> None:
    changed = CLIP.clone()
    changed[10, 2, 1, 1] += 1
    difference = (steady(changed, 1.5) - steady(CLIP, 1.5)).abs()
    assert difference[:, [0, 1, 3]].max() == 0
    assert difference[10, 2, 1, 1] == difference.max()


def test_frames_are_compared_around_a_place() -> None:
    other = CLIP.clone()
    other[:, :, 0, 0] += 2
    off = apart(CLIP, other)
    assert torch.allclose(off[:, 0, 0, 0], torch.tensor(4 / 4.0)) and torch.allclose(off[:, 0, 1, 1], torch.tensor(4 / 9.0))
    assert off[:, 0, :, 2:].max() == 0


@pytest.mark.parametrize("frames", [-1.0, float("nan"), float("inf")])
def test_what_is_no_width_is_refused(frames: float) -> None:
    with pytest.raises(ValueError, match=r"frames: .* is no standard deviation"):
        steady(CLIP, frames)


@pytest.mark.parametrize("difference", [0.0, -1.0, float("nan")])
def test_what_is_no_difference_is_refused(difference: float) -> None:
    with pytest.raises(ValueError, match="lets no two frames be alike"):
        steady(CLIP, 1.0, difference)
