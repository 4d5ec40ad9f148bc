"""Clips of which frames are given: their thing is drafted in the others, in ComfyUI, by any sampler."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch

from stunet_core.mini.poses.drafter import Drafter
from stunet_core.mini.poses.given_thing import drafts_of, given_thing
from tests import tiny
from tests.nodes.stub import reading_clip
from tests.nodes.test_mini import seen

LATENT, MASK, GIVEN, DRAFTS = slice(0, 8), 8, slice(9, 17), slice(19, 37)  # of the U-Net's input
STANDS_OUT = "no thing stands out in what is given"


def picture(left: int) -> torch.Tensor:
    """A patterned thing of 96 x 80 pixels on grey, 1 256 256 3"""
    image = torch.full((1, 256, 256, 3), 0.5)
    pattern = torch.rand(6, 5, 3, generator=torch.Generator().manual_seed(2)).round()
    image[:, 80:176, left:left + 80] = pattern.repeat_interleave(16, dim=0).repeat_interleave(16, dim=1)
    return image


def drafted(graph: Any, text: str, node: str = "STUNetImageToVideo", loop: bool = False, **inputs: Any) -> torch.Tensor:
    """The input of the U-Net at the first step, f 37 16 16"""
    model, _, vae = graph.mini()
    clip = reading_clip(graph)
    told = {"positive": graph.prompt(clip, text), "negative": graph.prompt(clip, ""), "vae": vae, "seconds": 0.5, "fps": 16.0, "loop": loop}
    positive, _, latent, *_ = graph.run(node, **told | inputs)
    return seen(graph, graph.apply(model, loop=loop), clip, positive=positive, samples=latent["samples"])


@pytest.mark.parametrize("loop", [False, True])
def test_the_thing_of_a_first_frame_is_drafted_in_all_others(graph: Any, loop: bool) -> None:
    x = drafted(graph, "a rocket", image=picture(80), loop=loop)
    assert x.shape == (8, 37, 16, 16) and x[:, MASK, 0, 0].tolist() == [0, *[1] * 7]
    first = x[0, DRAFTS]
    assert 0.02 < (first[8] > 0.5).float().mean() < 0.6 and not x[:, DRAFTS][:, 9:].any()
    drafter, given = Drafter(tiny.pose_head(), tiny.autoencoder()), torch.arange(8) == 0
    thing = given_thing(given, x[:, GIVEN], drafter.decode)
    assert thing is not None
    expected = drafts_of(thing.poses[:1], torch.tensor([0]), thing, drafter.encode)[0]
    assert torch.allclose(expected, first, atol=0.05), "as it is, where it is"
    assert bool((x[:, DRAFTS][:, 8].flatten(1).sum(dim=1) > 1).all())


def test_between_key_frames_it_goes_from_one_to_the_next(graph: Any) -> None:
    x = drafted(graph, "a rocket", "STUNetKeyframes", images=torch.cat([picture(16), picture(160)]), times="0, 7")
    shown = x[:, DRAFTS][:, 8]
    across = (shown.sum(dim=1) * torch.arange(16.0)).sum(dim=1) / shown.flatten(1).sum(dim=1)
    assert bool((across.diff() > 0.3).all()) and across[-1] - across[0] == pytest.approx(8, abs=2)


@pytest.mark.parametrize(("text", "image", "said"), [
    ("a rocket", torch.full((1, 256, 256, 3), 0.5), True), ("up", picture(80), False), ("a rocket up", picture(80), False)])
def test_else_nothing_is_drafted(graph: Any, text: str, image: torch.Tensor, said: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A picture of no thing, which is said; a prompt of none, or of two."""
    with caplog.at_level(logging.WARNING):
        assert not drafted(graph, text, image=image)[:, DRAFTS].any()
    assert (STANDS_OUT in caplog.text) == said


def test_pictures_that_are_no_clip_have_nothing_to_do_with_each_other(graph: Any) -> None:
    model, _, vae = graph.mini()
    clip = reading_clip(graph)
    text = graph.prompt(clip, "a rocket")
    mask = torch.ones(2, 256, 256)
    mask[0] = 0
    positive, _, latent = graph.run("InpaintModelConditioning", positive=text, negative=text, mask=mask, vae=vae,
                                    pixels=picture(80).repeat(2, 1, 1, 1), noise_mask=False)
    assert not seen(graph, model, clip, positive=positive, samples=latent["samples"])[:, DRAFTS].any()
