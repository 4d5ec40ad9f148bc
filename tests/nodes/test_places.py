"""STUNetPlaces: what it shows the model, in any sampler, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from stunet_core.checkpoints.weights import save_skeleton
from stunet_core.mini.clock import evenly
from stunet_core.model.walk import Clip
from tests.core.test_clock import ticking
from tests.nodes import nets

WEIGHTS = "ticking.safetensors"
EMPTY = torch.zeros(8, 4, 8, 8)


def moving() -> torch.Tensor:
    """A box of 24 pixels from left to right, 8 masks of 64 x 64"""
    mask = torch.zeros(8, 64, 64)
    for n in range(8):
        mask[n, 20:44, 5 * n:5 * n + 24] = 1
    return mask


def placed(graph: Any, model: Any, mask: torch.Tensor | None = None, strength: float = 1.0) -> Any:
    return graph.run("STUNetPlaces", model=model, mask=moving() if mask is None else mask, strength=strength)[0]


@pytest.fixture
def mini(graph: Any) -> tuple:
    save_skeleton(graph.weights / WEIGHTS, ticking(0.3), {})  # a clock of random weights
    return graph.mini()


def test_the_mask_is_seen_and_no_trace_is_left(graph: Any, mini: tuple) -> None:
    model, clip = graph.apply(mini[0], WEIGHTS), mini[1]
    plain = graph.sample(model, clip, EMPTY, steps=2)
    there = graph.sample(placed(graph, model), clip, EMPTY, steps=2)
    back = graph.sample(placed(graph, model, moving().flip(0)), clip, EMPTY, steps=2)
    assert not torch.allclose(plain, there, atol=1e-3) and not torch.allclose(there, back, atol=1e-3)
    assert torch.equal(graph.sample(model, clip, EMPTY, steps=2), plain)


@pytest.mark.parametrize("node", ["KSampler", "STUNetSampler"])
def test_before_or_after_apply_and_in_every_sampler_it_is_the_same(graph: Any, mini: tuple, node: str) -> None:
    model, clip, _ = mini
    after = graph.sample(placed(graph, graph.apply(model, WEIGHTS)), clip, EMPTY)
    assert torch.equal(graph.sample(graph.apply(placed(graph, model), WEIGHTS), clip, EMPTY, node=node), after)


def test_strength_says_how_loudly(graph: Any, mini: tuple) -> None:
    """0 shows the model what a mask shows it where no thing is; half of a white mask is a grey one."""
    model, clip = graph.apply(mini[0], WEIGHTS), mini[1]
    loud, half, grey, none, other = (graph.sample(placed(graph, model, mask, strength), clip, EMPTY) for mask, strength in (
        (moving(), 2.0), (moving(), 0.5), (0.5 * moving(), 1.0), (moving(), 0.0), (moving().flip(0), 0.0)))
    assert torch.equal(half, grey) and torch.equal(none, other)
    assert not torch.allclose(loud, half, atol=1e-3) and not torch.allclose(half, none, atol=1e-3)
    for strength in (-0.1, 4.5, float("nan")):
        with pytest.raises(ValueError, match=r"strength: .*give 0"):
            placed(graph, model, strength=strength)


def test_the_last_of_two_counts_and_one_mask_is_for_all_frames(graph: Any, mini: tuple) -> None:
    model, clip = graph.apply(mini[0], WEIGHTS), mini[1]
    one = moving()[:1]
    twice = placed(graph, placed(graph, model), one)
    alone, every = (graph.sample(placed(graph, model, mask), clip, EMPTY) for mask in (one, one.expand(8, -1, -1)))
    assert torch.equal(graph.sample(twice, clip, EMPTY), alone) and torch.equal(alone, every)


def test_it_acts_in_a_loop_and_on_a_clip_that_goes_on_from_another(graph: Any, mini: tuple) -> None:
    model, clip = mini[:2]
    source = torch.randn(EMPTY.shape, generator=torch.Generator().manual_seed(1))
    for loop, start, denoise in ((True, EMPTY, 1.0), (False, source, 0.6)):
        plain = graph.apply(model, WEIGHTS, loop=loop)
        without, shown = (graph.sample(m, clip, start, denoise=denoise) for m in (plain, placed(graph, plain)))
        assert not torch.allclose(without, shown, atol=1e-3)


def test_things_are_shown_to_frames_that_know_their_time(pack: Any) -> None:
    """As they were learned: a clip that goes on from another hears nothing of the clock, unless it is shown places."""
    told, places, late = pack.module("nodes.host.mini.sampled_time").told, torch.ones(8, 1, 8, 8), {"stunet_late": None}
    assert told(late, 2, 8, torch.device("cpu")) == {"clock": False}
    clip = Clip(2, 8, **told(late | {"stunet_places": places}, 2, 8, torch.device("cpu")))
    assert clip.clock and clip.times is not None and torch.equal(clip.times, evenly(2, 8)) and clip.places is places


@pytest.mark.parametrize(("mask", "said"), [
    (torch.zeros(8, 64, 64), "black everywhere"), (torch.ones(1, 64, 64), "white everywhere"), (torch.full((1, 64, 64), 2.0), "values run"),
    (torch.full((1, 64, 64), float("nan")), "values run"), (torch.zeros(0, 64, 64), "is empty"),
])
def test_masks_that_place_nothing_are_refused(graph: Any, mini: tuple, mask: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=f"mask.*({said})"):
        placed(graph, mini[0], mask)


@pytest.mark.parametrize(("mask", "said"), [
    (moving()[:5], "has 5 frames, the clip 8; give 1 mask for all of them, or 8"),
    (moving()[:, :, 16:48], "is 32x64 pixels, the clip 64x64"),
])
def test_masks_that_do_not_fit_the_clip_are_refused_before_sampling(graph: Any, mini: tuple, mask: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        graph.sample(placed(graph, graph.apply(mini[0], WEIGHTS), mask.clamp(0, 1)), mini[1], EMPTY)


def test_a_single_frame_is_refused(graph: Any, mini: tuple) -> None:
    with pytest.raises(ValueError, match="latent: has one frame"):
        graph.sample(placed(graph, graph.apply(mini[0], WEIGHTS), moving()[:1]), mini[1], EMPTY[:1])


def test_models_that_cannot_see_it_are_refused(graph: Any, mini: tuple) -> None:
    with pytest.raises(ValueError, match="makes pictures, not clips"):
        graph.sample(placed(graph, mini[0]), mini[1], EMPTY)
    with pytest.raises(ValueError, match="temporal layers have no clock"):
        graph.sample(placed(graph, graph.apply(mini[0])), mini[1], EMPTY)  # the tiny weights


def test_what_is_given_and_what_is_placed_do_not_mix(graph: Any, mini: tuple) -> None:
    model, clip, vae = mini
    words = graph.prompt(clip, "a rocket"), graph.prompt(clip, "")
    given = graph.run("STUNetImageToVideo", positive=words[0], negative=words[1], vae=vae, image=torch.rand(1, 64, 64, 3), seconds=0.5,
                      fps=16.0)
    settings = {"model": placed(graph, graph.apply(model, WEIGHTS)), "seed": 1, "steps": 1, "cfg": 2.0, "sampler_name": "euler",
                "scheduler": "normal", "denoise": 1.0}
    with pytest.raises(ValueError, match="some of the clip is given"):
        graph.run("KSampler", **settings, positive=given[0], negative=given[1], latent_image=given[2])
    hole = {"samples": EMPTY, "noise_mask": moving()}
    with pytest.raises(ValueError, match="some of the clip is given"):
        graph.run("KSampler", **settings, positive=words[0], negative=words[1], latent_image=hole)


def test_video_models_are_refused(graph: Any) -> None:
    with pytest.raises(ValueError, match="latents of 3 dimensions"):
        placed(graph, nets.transformer("WAN21_T2V"))
