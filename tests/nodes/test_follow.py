"""STUNetFollow: in any sampler, and only while its node is there."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from stunet_core.guidance.layout_following import coarse
from tests.nodes import nets

EMPTY = torch.zeros(8, 8, 8, 8)
SOURCE = torch.randn(8, 8, 8, 8, generator=torch.Generator().manual_seed(1))
ALWAYS = {"cells": 2, "strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "motion_end_percent": 0.0, "recolour": False}


def following(graph: Any, model: Any, source: torch.Tensor = SOURCE, **settings: float) -> Any:
    return graph.run("STUNetFollow", model=model, latent={"samples": source}, **ALWAYS | settings)[0]


def away(samples: torch.Tensor, cells: int = 2) -> float:
    """How far what is coarse in a clip is off the followed one's."""
    return float(coarse(samples - SOURCE, cells).abs().mean())


@pytest.fixture
def mini(graph: Any) -> tuple:
    return graph.mini()


def test_the_clip_is_followed_and_strength_0_changes_nothing(graph: Any, mini: tuple) -> None:
    model, clip = graph.apply(mini[0]), mini[1]
    plain, none, some, all_ = (graph.sample(m, clip, EMPTY, steps=4) for m in (
        model, *(following(graph, model, strength=strength) for strength in (0.0, 0.5, 1.0))))
    assert torch.equal(plain, none)
    assert away(all_) < 0.35 * away(plain) and away(all_) < away(some) < away(plain)
    assert torch.equal(graph.sample(model, clip, EMPTY, steps=4), plain), "no trace is left in the model"


def test_one_cell_is_the_clip_itself(graph: Any, mini: tuple) -> None:
    assert torch.allclose(graph.sample(following(graph, graph.apply(mini[0]), cells=1), mini[1], EMPTY), SOURCE, atol=1e-4)


@pytest.mark.parametrize("node", ["KSampler", "STUNetSampler"])
def test_before_or_after_apply_and_in_every_sampler_it_is_the_same(graph: Any, mini: tuple, node: str) -> None:
    model, clip, _ = mini
    after = graph.sample(following(graph, graph.apply(model)), clip, EMPTY)
    assert torch.equal(graph.sample(graph.apply(following(graph, model)), clip, EMPTY, node=node), after)


def test_start_and_end_of_sampling(graph: Any, mini: tuple) -> None:
    model, clip = graph.apply(mini[0]), mini[1]
    whole, first, never = (graph.sample(following(graph, model, **part), clip, EMPTY, steps=4) for part in (
        {}, {"end_percent": 0.5}, {"start_percent": 1.0}))
    assert away(whole) < away(first) < away(never)
    assert torch.equal(never, graph.sample(model, clip, EMPTY, steps=4))


def test_after_the_end_only_what_changes_over_time_is_followed(graph: Any, mini: tuple) -> None:
    """The clip's motion comes through to the last step, its look (the mean over time) does not."""
    model, clip = graph.apply(mini[0]), mini[1]
    plain, motion = (graph.sample(m, clip, EMPTY, steps=4) for m in (
        model, following(graph, model, end_percent=0.0, motion_end_percent=1.0, cells=1)))

    def moving(samples: torch.Tensor) -> torch.Tensor:
        return samples - samples.mean(dim=0)

    assert torch.allclose(moving(motion), moving(SOURCE), atol=1e-4)
    assert (motion - SOURCE).mean(dim=0).abs().mean() > 0.5 * (plain - SOURCE).mean(dim=0).abs().mean()
    none, half = (graph.sample(following(graph, model, end_percent=0.5, motion_end_percent=end), clip, EMPTY, steps=4)
                  for end in (0.5, 1.0))
    assert torch.equal(none, graph.sample(following(graph, model, end_percent=0.5), clip, EMPTY, steps=4))
    assert away(moving(half) + SOURCE.mean(dim=0)) < away(moving(none) + SOURCE.mean(dim=0))


def test_motion_in_the_predictions_colours_is_another_clip(graph: Any, mini: tuple) -> None:
    """Only where motion alone is followed: until end_percent the clip's own colours are."""
    model, clip = graph.apply(mini[0]), mini[1]
    for part, same in (({"end_percent": 0.5, "motion_end_percent": 1.0}, False), ({"end_percent": 0.5}, True)):
        own, recoloured = (graph.sample(following(graph, model, recolour=recolour, **part), clip, EMPTY, steps=4)
                           for recolour in (False, True))
        assert torch.equal(own, recoloured) == same


def test_a_workflow_made_before_motion_end_percent_still_runs(graph: Any, mini: tuple) -> None:
    model = graph.apply(mini[0])
    old = {name: value for name, value in ALWAYS.items() if name not in ("motion_end_percent", "recolour")} | {"end_percent": 0.5}
    given = graph.run("STUNetFollow", model=model, latent={"samples": SOURCE}, **old)[0]
    named = following(graph, model, end_percent=0.5, motion_end_percent=1.0, recolour=True)
    assert torch.equal(graph.sample(given, mini[1], EMPTY), graph.sample(named, mini[1], EMPTY))


def test_a_clip_of_another_length_or_size_is_refused_before_sampling(graph: Any, mini: tuple) -> None:
    model = graph.apply(mini[0])
    message = r"latent of Follow Clip: \d frames of 8 x \d cells, the clip that is sampled has 8 frames of 8 x 8"
    for other in (SOURCE[:6], SOURCE[:, :, :4]):
        with pytest.raises(ValueError, match=message):
            graph.sample(following(graph, model, other), mini[1], EMPTY)


@pytest.mark.parametrize(("settings", "message"), [
    ({"cells": 0}, "cells: 0; give at least 1"), ({"strength": 1.5}, "strength: 1.5; give 0"),
    ({"start_percent": 0.8, "end_percent": 0.2}, "start_percent, end_percent: 0.8 to 0.2 is no part"),
    ({"motion_end_percent": 1.5}, "motion_end_percent: 1.5; give 0"),
    ({"source": torch.zeros(8, 16, 8, 8)}, r"latent: it is \(8, 16, 8, 8\); give frames x 8 x height"),
])
def test_wrong_settings_are_refused(graph: Any, mini: tuple, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        following(graph, mini[0], **settings)


def test_models_with_a_time_of_their_own_are_refused(graph: Any) -> None:
    with pytest.raises(ValueError, match=r"model: WAN21 has latents of 3 dimensions"):
        following(graph, nets.transformer("WAN21_T2V"))
