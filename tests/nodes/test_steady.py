"""STUNetSteady: in any sampler, and only while its node is there."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.nodes import nets

CLIP = torch.zeros(8, 8, 8, 8)
ALWAYS = {"difference": 0.7, "start_percent": 0.0, "end_percent": 1.0}


def steadied(graph: Any, model: Any, frames: float = 2.0, **part: float) -> Any:
    return graph.run("STUNetSteady", model=model, frames=frames, **ALWAYS | part)[0]


def change(samples: torch.Tensor) -> float:
    return float(samples.diff(dim=0).abs().mean())


@pytest.fixture
def mini(graph: Any) -> tuple:
    return graph.mini()


def test_frames_are_more_alike_and_0_changes_nothing(graph: Any, mini: tuple) -> None:
    model, clip = graph.apply(mini[0]), mini[1]
    plain, none, some, more = (graph.sample(m, clip, CLIP, steps=4) for m in (
        model, steadied(graph, model, 0.0), steadied(graph, model, 1.0), steadied(graph, model, 3.0)))
    assert torch.equal(plain, none)
    assert change(plain) > change(some) > change(more)
    assert torch.equal(graph.sample(model, clip, CLIP, steps=4), plain), "no trace is left in the model"


@pytest.mark.parametrize("node", ["KSampler", "STUNetSampler"])
def test_before_or_after_apply_and_in_every_sampler_it_is_the_same(graph: Any, mini: tuple, node: str) -> None:
    model, clip, _ = mini
    after = graph.sample(steadied(graph, graph.apply(model)), clip, CLIP)
    assert torch.equal(graph.sample(graph.apply(steadied(graph, model)), clip, CLIP, node=node), after)


def test_a_loop_is_averaged_over_its_end(graph: Any, mini: tuple) -> None:
    """At the last step the clip is the average itself, whatever differs: turned by some frames it is as steady at its ends as elsewhere."""
    model, clip, _ = mini
    looped, line = (graph.sample(steadied(graph, graph.apply(model, loop=loop), difference=100.0), clip, CLIP) for loop in (True, False))

    def over_the_end(samples: torch.Tensor) -> float:
        return float((samples[0] - samples[-1]).abs().mean()) / change(samples)

    assert over_the_end(looped) < 2 < over_the_end(line)


def test_start_and_end_of_sampling(graph: Any, mini: tuple) -> None:
    model, clip = graph.apply(mini[0]), mini[1]
    whole, first, last = (graph.sample(steadied(graph, model, **part), clip, CLIP, steps=4) for part in (
        {}, {"end_percent": 0.5}, {"start_percent": 0.5}))
    plain = graph.sample(model, clip, CLIP, steps=4)
    assert change(whole) < change(last) < change(plain)
    assert change(whole) < change(first) < change(plain)


def test_one_frame_is_the_image_model(graph: Any, mini: tuple) -> None:
    model, clip, _ = mini
    assert torch.equal(graph.sample(steadied(graph, graph.apply(model)), clip, CLIP[:1]), graph.sample(model, clip, CLIP[:1]))


def test_what_is_given_stays(graph: Any, mini: tuple) -> None:
    model, clip, _ = mini
    given, mask = torch.randn(8, 8, 8, 8, generator=torch.Generator().manual_seed(1)), torch.ones(8, 1, 8, 8)
    mask[:2] = 0
    latent = {"samples": given, "noise_mask": mask}
    out = graph.sample(steadied(graph, graph.apply(model)), clip, given, latent_image=latent)
    assert torch.allclose(out[:2], given[:2], atol=1e-5)


def test_what_stood_still_goes_on_standing_still(graph: Any, mini: tuple) -> None:
    """As Extend Clip gives it: five frames alike, then none; the rest is drawn to them, as far as it is asked for and no node is gone."""
    model, clip, _ = mini
    model = graph.apply(model)
    given = torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(1)).repeat(8, 1, 1, 1)
    mask = torch.ones(8, 1, 8, 8)
    mask[:5] = 0

    def made(model: Any, shown: torch.Tensor, mask: torch.Tensor = mask) -> torch.Tensor:
        told = {"concat_latent_image": shown, "concat_mask": mask}
        conditioning = [[[text, {**values, **told}] for text, values in graph.prompt(clip, "a rocket")] for _ in range(2)]
        return graph.sample(model, clip, shown, positive=conditioning[0], negative=conditioning[1],
                            latent_image={"samples": shown, "noise_mask": mask})

    off, little, much = (made(steadied(graph, model, 0.0, still_background=still), given) for still in (0.0, 1.0, 50.0))
    assert torch.equal(off, made(model, given))
    far = [float((out - given)[5:].abs().mean()) for out in (off, little, much)]
    assert far[0] > far[1] > far[2] and far[2] < 0.05 * far[0]
    moving = given + torch.arange(8.0)[:, None, None, None]
    few = torch.ones(8, 1, 8, 8)
    few[:3] = 0
    for shown, where in ((moving, mask), (given, few)):
        assert torch.equal(made(steadied(graph, model, 0.0, still_background=50.0), shown, where), made(model, shown, where))


@pytest.mark.parametrize(("settings", "message"), [
    ({"still_background": -1.0}, "still_background: -1.0 lets no two frames be alike"),
    ({"frames": -1.0}, "frames: -1.0 is no standard deviation"), ({"difference": 0.0}, "difference: 0.0 lets no two frames be alike"),
    ({"start_percent": 0.8, "end_percent": 0.2}, "start_percent, end_percent: 0.8 to 0.2 is no part"),
])
def test_wrong_settings_are_refused(graph: Any, mini: tuple, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        steadied(graph, mini[0], **settings)


def test_models_with_a_time_of_their_own_are_refused(graph: Any) -> None:
    with pytest.raises(ValueError, match=r"model: WAN21 has latents of 3 dimensions"):
        steadied(graph, nets.transformer("WAN21_T2V"))
