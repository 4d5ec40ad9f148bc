"""What is coarse in one clip, and what is fine in another."""

from __future__ import annotations

import pytest
import torch

from stunet_core.guidance.layout_following import coarse, follow, follow_motion, recoloured

CLEAN, SOURCE = torch.randn(2, 6, 4, 8, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cells", [2, 3, 5, 100])
def test_an_even_picture_is_all_coarse_at_any_size(cells: int) -> None:
    assert torch.allclose(coarse(torch.full((2, 4, 7, 9), 3.0), cells), torch.tensor(3.0))
    assert coarse(CLEAN, cells).shape == CLEAN.shape


def test_less_is_left_of_noise_the_coarser_it_is() -> None:
    left = [float(coarse(CLEAN, cells).std()) for cells in (1, 2, 4, 100)]
    assert left == sorted(left, reverse=True) and left[2] < 0.4


def test_one_cell_follows_everything_and_strength_0_nothing() -> None:
    assert torch.allclose(follow(CLEAN, SOURCE, 1), SOURCE, atol=1e-6)
    assert torch.equal(follow(CLEAN, SOURCE, 2, 0.0), CLEAN)
    assert torch.allclose(follow(CLEAN, SOURCE, 1, 0.25), CLEAN.lerp(SOURCE, 0.25), atol=1e-6)


def test_what_is_fine_stays() -> None:
    """A chequered pattern has no coarse part; a clip that differs from another by it alone is left as it is."""
    chequers = (torch.arange(8)[:, None] + torch.arange(12)).remainder(2) * 2.0 - 1
    assert torch.allclose(follow(SOURCE + chequers, SOURCE, 2), SOURCE + chequers, atol=1e-6)


def test_a_shift_of_everything_is_followed() -> None:
    assert torch.allclose(follow(CLEAN, CLEAN + 2, 4), CLEAN + 2, atol=1e-6)


def test_motion_is_what_is_left_without_the_mean_over_time() -> None:
    """A look that all frames share says nothing; of a clip that moves, all but its mean over time is taken."""
    look = torch.randn(1, *SOURCE.shape[1:], generator=torch.Generator().manual_seed(2))
    assert torch.allclose(follow_motion(CLEAN, CLEAN + look, 1), CLEAN, atol=1e-6)
    out = follow_motion(CLEAN, SOURCE, 1)
    assert torch.allclose(out - out.mean(dim=0), SOURCE - SOURCE.mean(dim=0), atol=1e-6)
    assert torch.allclose(out.mean(dim=0), CLEAN.mean(dim=0), atol=1e-6)
    assert torch.equal(follow_motion(CLEAN, SOURCE, 2, 0.0), CLEAN)
    assert torch.allclose(follow_motion(CLEAN, SOURCE, 1, 0.5), CLEAN.lerp(out, 0.5), atol=1e-6)


def test_a_clip_in_other_colours_is_recoloured_to_it() -> None:
    """Any affine map of the channels is found again, also where channels of the source say nothing or the same."""
    mix, shift = torch.randn(4, 4, generator=torch.Generator().manual_seed(3)), torch.tensor([1.0, -2, 0, 3])[:, None, None]
    poor = SOURCE * torch.tensor([1.0, 1, 0, 1])[:, None, None]
    poor[:, 3] = poor[:, 0]
    for source in (SOURCE, poor):
        other = torch.einsum("fchw,cd->fdhw", source, mix) + shift
        assert torch.allclose(recoloured(source, other, 2), other, atol=1e-3)


def test_what_has_nothing_in_common_becomes_even() -> None:
    still = SOURCE[:1].expand_as(CLEAN)
    assert recoloured(torch.zeros_like(CLEAN), CLEAN, 2).std() < 1 and torch.isfinite(recoloured(still, CLEAN, 2)).all()
    long = torch.randn(2, 64, 4, 16, 16, generator=torch.Generator().manual_seed(4))
    assert recoloured(long[0], long[1], 1).std() < 0.1


def test_recoloured_motion_moves_the_thing_in_its_own_colour() -> None:
    """A black bar moves in the source, a bright one stands in the prediction: it moves too, and stays bright."""
    source, clean = torch.zeros(4, 1, 8, 8), torch.zeros(4, 1, 8, 8)
    for frame in range(4):
        source[frame, :, :, frame:frame + 3] = -1
        clean[frame, :, :, 1:4] = 2
    as_it_is, ours = (follow_motion(clean, source, 1, recolour=recolour) for recolour in (False, True))
    for frame in (0, 3):
        inside = slice(frame, frame + 3)
        assert ours[frame, 0, 0, inside].mean() > as_it_is[frame, 0, 0, inside].mean() + 0.3
        assert ours[frame, 0, 0, inside].mean() > ours[frame, 0, 0].mean() + 0.3


def test_frames_do_not_mix() -> None:
    moved = SOURCE.clone()
    moved[3] += 1
    change = (follow(CLEAN, moved, 2) - follow(CLEAN, SOURCE, 2)).abs().amax(dim=(1, 2, 3))
    assert change[3] > 0.5 and change[[0, 1, 2, 4, 5]].max() == 0


def test_less_than_a_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="cells: 0; give at least 1"):
        coarse(CLEAN, 0)
