"""Loops from end to end: what the nodes give, and what is said when one of them does not know of the loop."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch

SIDE = 32
SECONDS = {"seconds": 0.5, "fps": 16.0, "size": "keep"}  # 8 frames
PICTURES = torch.rand(2, SIDE, SIDE, 3, generator=torch.Generator().manual_seed(0))
REGION = torch.zeros(1, SIDE, SIDE).index_fill(1, torch.arange(8), 1)
LOOPS: dict[str, tuple[str, dict[str, Any]]] = {
    "image": ("STUNetImageToVideo", {"image": PICTURES[:1], "end_image": PICTURES[:1]}),
    "key frames": ("STUNetKeyframes", {"images": PICTURES[[0, 1, 0]], "times": "0, 4, 7"}),
    "region": ("STUNetAnimateRegion", {"image": PICTURES[:1], "region": REGION}),
}


def conditioned(graph: Any, clip: Any, vae: Any, name: str, **inputs: Any) -> tuple:
    node, own = LOOPS[name]
    text = graph.prompt(clip, "a rocket")
    return graph.run(node, positive=text, negative=text, vae=vae, **own | SECONDS | inputs)


@pytest.mark.parametrize("name", LOOPS)
def test_the_last_frame_is_not_the_first_again(graph: Any, name: str) -> None:
    _, clip, vae = graph.mini()
    *_, mask = conditioned(graph, clip, vae, name, loop=True)[:5]
    assert not mask[0].any()
    assert mask[-1].any(), "the model makes it"


@pytest.mark.parametrize("name", ["image", "key frames"])
def test_the_same_picture_at_both_ends_is_doubted(graph: Any, name: str, caplog: pytest.LogCaptureFixture) -> None:
    _, clip, vae = graph.mini()
    with caplog.at_level(logging.WARNING):
        conditioned(graph, clip, vae, name, loop=True)
        assert "twice in a row" not in caplog.text
        conditioned(graph, clip, vae, name)
    assert "it would be seen twice in a row: for a loop, switch on loop" in caplog.text


def test_a_loop_on_a_model_without_one_is_said(graph: Any, caplog: pytest.LogCaptureFixture) -> None:
    model, clip, vae = graph.mini()
    positive, negative, latent, *_ = conditioned(graph, clip, vae, "region", loop=True)
    with caplog.at_level(logging.WARNING):
        for loop in (True, False):
            assert "off in Apply STUNet" not in caplog.text
            graph.sample(graph.apply(model, loop=loop), clip, latent["samples"], positive=positive, negative=negative, steps=1)
    assert "off in Apply STUNet: the clip will jump when it repeats" in caplog.text
