"""STUNetPlaces: what it shows the model, in any sampler, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from stunet_core.mini.poses.drafter import Drafter
from tests import tiny
from tests.nodes import nets
from tests.nodes.stub import reading_clip
from tests.nodes.test_mini import seen

EMPTY = torch.zeros(8, 8, 8, 8)
DRAFTS = slice(19, 37)  # of the U-Net's input


def moving() -> torch.Tensor:
    """A box of 48 pixels from left to right, 8 masks of 128 x 128"""
    mask = torch.zeros(8, 128, 128)
    for n in range(8):
        mask[n, 40:88, 10 * n:10 * n + 48] = 1
    return mask


def placed(graph: Any, model: Any, mask: torch.Tensor | None = None, strength: float = 1.0, **more: Any) -> Any:
    return graph.run("STUNetPlaces", model=model, mask=moving() if mask is None else mask, strength=strength, **more)[0]


@pytest.fixture
def mini(graph: Any) -> tuple:
    model, _, vae = graph.mini()
    return model, reading_clip(graph), vae


def shown(graph: Any, model: Any, clip: Any, text: str = "a rocket", **inputs: Any) -> torch.Tensor:
    settings = {"samples": EMPTY, "positive": graph.prompt(clip, text)} | inputs
    return seen(graph, model, clip, **settings)[:, DRAFTS]


def sampled(graph: Any, model: Any, clip: Any, **inputs: Any) -> torch.Tensor:
    return graph.sample(model, clip, EMPTY, **{"positive": graph.prompt(clip, "a rocket")} | inputs)


def test_things_are_drawn_where_the_masks_are(graph: Any, mini: tuple) -> None:
    model, clip = graph.apply(mini[0]), mini[1]
    n = torch.arange(8.0)
    there = torch.stack([(10 * n + 24) / 128, torch.full((8,), 0.5), torch.tensor(48 / 128).log2().expand(8), 0 * n, 0 * n + 1], dim=1)
    things = graph.prompt(clip, "rocket up")[0][1]["stunet_things"]
    poses = torch.stack([there, there.flip(0), 0 * there], dim=1)
    expected = Drafter(tiny.pose_head(), tiny.autoencoder()).drawn(poses, things.pictures[0], things.shown[0], 8, 8)
    two = shown(graph, placed(graph, model, second_mask=moving().flip(0)), clip, "rocket up")
    assert torch.allclose(two, expected, atol=1e-5) and expected[:, :9].any() and expected[:, 9:].any()
    one = shown(graph, placed(graph, model), clip)
    assert torch.allclose(one[:, :9], expected[:, :9], atol=1e-5) and not one[:, 9:].any()
    assert not torch.allclose(shown(graph, model, clip), one, atol=1e-3), "no trace is left"


def test_a_second_thing_that_is_not_told_stays_where_it_was_guessed(graph: Any, mini: tuple) -> None:
    model, clip = graph.apply(mini[0]), mini[1]
    first = shown(graph, placed(graph, model), clip, "rocket up")
    assert torch.allclose(first[:, 9:], shown(graph, model, clip, "rocket up")[:, 9:], atol=1e-5)


def test_it_changes_the_clip_and_leaves_the_model_as_it_was(graph: Any, mini: tuple) -> None:
    model, clip = graph.apply(mini[0]), mini[1]
    plain, there, back = (sampled(graph, m, clip) for m in (model, placed(graph, model), placed(graph, model, moving().flip(0))))
    assert not torch.allclose(plain, there, atol=1e-3) and not torch.allclose(there, back, atol=1e-3)
    assert torch.equal(sampled(graph, model, clip), plain)


@pytest.mark.parametrize("node", ["KSampler", "STUNetSampler"])
def test_before_or_after_apply_and_in_every_sampler_it_is_the_same(graph: Any, mini: tuple, node: str) -> None:
    model, clip, _ = mini
    after = sampled(graph, placed(graph, graph.apply(model)), clip)
    assert torch.equal(sampled(graph, graph.apply(placed(graph, model)), clip, node=node), after)


def test_strength_says_how_surely(graph: Any, mini: tuple) -> None:
    sure, half, none, more = (shown(graph, placed(graph, mini[0], strength=strength), mini[1]) for strength in (1.0, 0.5, 0.0, 2.0))
    assert torch.allclose(half, sure / 2, atol=1e-6) and not none.any() and torch.equal(more, sure)
    for strength in (-0.1, 4.5, float("nan")):
        with pytest.raises(ValueError, match=r"strength: .*give 0"):
            placed(graph, mini[0], strength=strength)


def test_a_prompt_that_names_nothing_has_nothing_to_place(graph: Any, mini: tuple, caplog: pytest.LogCaptureFixture) -> None:
    assert not shown(graph, placed(graph, mini[0]), mini[1], "a style").any()
    assert "nothing to place" in caplog.text
    shown(graph, placed(graph, mini[0], second_mask=moving()), mini[1])
    assert "the prompt names one thing" in caplog.text


def test_the_last_of_two_counts_and_one_mask_is_for_all_frames(graph: Any, mini: tuple) -> None:
    model, clip = graph.apply(mini[0]), mini[1]
    one = moving()[:1]
    twice = placed(graph, placed(graph, model), one)
    alone, every = (shown(graph, placed(graph, model, mask), clip) for mask in (one, one.expand(8, -1, -1)))
    assert torch.equal(shown(graph, twice, clip), alone) and torch.equal(alone, every)


def test_it_acts_on_pictures_in_a_loop_and_on_a_clip_that_goes_on_from_another(graph: Any, mini: tuple) -> None:
    model, clip = mini[:2]
    source = torch.randn(EMPTY.shape, generator=torch.Generator().manual_seed(1))
    for made, start, denoise in ((model, EMPTY, 1.0), (graph.apply(model, loop=True), EMPTY, 1.0), (graph.apply(model), source, 0.6)):
        assert shown(graph, placed(graph, made), clip, samples=start, denoise=denoise).any()
    assert shown(graph, placed(graph, model, moving()[:1]), clip, samples=EMPTY[:1]).any()


def test_a_mask_holds_for_a_second_pass_at_another_size(graph: Any, mini: tuple) -> None:
    large = shown(graph, placed(graph, mini[0]), mini[1], samples=torch.zeros(8, 8, 16, 16))
    small = shown(graph, placed(graph, mini[0], F.avg_pool2d(moving()[:, None], 2)[:, 0]), mini[1], samples=torch.zeros(8, 8, 16, 16))
    assert torch.allclose(large, small, atol=1e-5) and large.any()


@pytest.mark.parametrize("cells", [(10, 14), (12, 12)])
def test_a_second_pass_runs_with_the_masks_of_the_first(graph: Any, mini: tuple, cells: tuple[int, int]) -> None:
    """A hires fix: what was made is enlarged and sampled on. A clip of 7x10 cells, 1.4 times as large, has not quite its shape."""
    model, clip = placed(graph, graph.apply(mini[0]), moving()[:, :90] if cells == (10, 14) else None), mini[1]
    small = (7, 10) if cells == (10, 14) else (8, 8)
    first = graph.sample(model, clip, torch.zeros(8, 8, *small))
    (large,) = graph.run("LatentUpscale", samples={"samples": first}, upscale_method="bilinear", width=cells[1] * 8, height=cells[0] * 8,
                         crop="disabled")
    again = {"samples": large["samples"], "denoise": 0.5}
    assert large["samples"].shape[2:] == cells and shown(graph, model, clip, **again)[:, :9].any()
    assert graph.sample(model, clip, **again).isfinite().all()


def test_an_area_of_the_picture_sees_what_is_in_it(graph: Any, mini: tuple) -> None:
    """ConditioningSetArea runs the model on a crop: with places of the whole picture it would see them in the wrong cells."""
    model, clip = placed(graph, mini[0]), mini[1]
    (area,) = graph.run("ConditioningSetArea", conditioning=graph.prompt(clip, "a rocket"), width=32, height=40, x=16, y=8, strength=1.0)
    assert torch.equal(shown(graph, model, clip, positive=area), shown(graph, model, clip)[:, :, 1:6, 2:6])
    bounds = graph.run("ConditioningSetMask", conditioning=graph.prompt(clip, "a rocket"), mask=moving()[:1], strength=1.0,
                       set_cond_area="mask bounds")[0]
    assert sampled(graph, graph.apply(model), clip, positive=bounds).isfinite().all()


@pytest.mark.parametrize(("mask", "said"), [
    (torch.zeros(8, 64, 64), "black everywhere"), (torch.ones(1, 64, 64), "white everywhere"), (torch.full((1, 64, 64), 2.0), "values run"),
    (torch.full((1, 64, 64), float("nan")), "values run"), (torch.zeros(0, 64, 64), "is empty"),
])
def test_masks_that_place_nothing_are_refused(graph: Any, mini: tuple, mask: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=f"^mask.*({said})"):
        placed(graph, mini[0], mask)
    with pytest.raises(ValueError, match=f"second_mask.*({said})"):
        placed(graph, mini[0], second_mask=mask)


@pytest.mark.parametrize(("mask", "said"), [
    (moving()[:5], "has 5 frames, the clip 8; give 1 mask for all of them, or 8"),
    (moving()[:, :, 32:96], "is 64x128 pixels, of another shape than the clip, which is 8x8 cells"),
])
def test_masks_that_do_not_fit_the_clip_are_refused_before_sampling(graph: Any, mini: tuple, mask: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        graph.sample(placed(graph, graph.apply(mini[0]), mask), mini[1], EMPTY)


def test_models_that_cannot_see_it_are_refused(graph: Any) -> None:
    with pytest.raises(ValueError, match="has no input for where things are; the mini model has"):
        placed(graph, nets.model("SD15"))
    with pytest.raises(ValueError, match="latents of 3 dimensions"):
        placed(graph, nets.transformer("WAN21_T2V"))


def test_what_is_given_and_what_is_placed_do_not_mix(graph: Any, mini: tuple) -> None:
    model, clip, vae = mini
    words = graph.prompt(clip, "a rocket"), graph.prompt(clip, "")
    given = graph.run("STUNetImageToVideo", positive=words[0], negative=words[1], vae=vae, image=torch.rand(1, 128, 128, 3), seconds=0.5,
                      fps=16.0)
    settings = {"model": placed(graph, graph.apply(model)), "seed": 1, "steps": 1, "cfg": 2.0, "sampler_name": "euler",
                "scheduler": "normal", "denoise": 1.0}
    with pytest.raises(ValueError, match="some of the clip is given"):
        graph.run("KSampler", **settings, positive=given[0], negative=given[1], latent_image=given[2])
    hole = {"samples": EMPTY, "noise_mask": moving()}
    with pytest.raises(ValueError, match="some of the clip is given"):
        graph.run("KSampler", **settings, positive=words[0], negative=words[1], latent_image=hole)
