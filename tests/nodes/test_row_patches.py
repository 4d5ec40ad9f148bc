"""Patches of other packs that count rows: they see all frames in order, where time is strided, padded or cut in chunks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.nodes import nets
from tests.nodes.test_composes import extras  # noqa: F401
from tests.nodes.test_motion import sample

HEADS = 8
CHANNELS = {0: 32, 4: 64, 7: 128}  # of the small SD1.5, by input block


@pytest.fixture(autouse=True)
def in_chunks(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two frames at once, if nothing speaks against it."""
    monkeypatch.setattr(graph.pack.module("nodes.host.walk.apply"), "CHUNK", 2)
    monkeypatch.setattr(graph.pack.module("nodes.host.walk.apply"), "LITTLE", 0)


def clip_model(graph: Any, strides: str = "lumiere") -> Any:
    return graph.apply(nets.model("SD15"), "v2.safetensors", noise_schedule="of the model", positions="interpolate", time_strides=strides)


@pytest.mark.parametrize("frames", [16, 20])
@pytest.mark.parametrize(("block", "stride"), [(0, 1), (4, 2), (7, 4)])
def test_one_tensor_per_frame_reaches_its_frame(graph: Any, modules: Path, block: int, stride: int, frames: int) -> None:
    """20 frames are padded to 24. Where time is strided, what is added to the first of some frames counts for all of them."""
    model, seen = clip_model(graph).clone(), []
    per_frame = torch.randn(frames, CHANNELS[block], 1, 1, generator=torch.Generator().manual_seed(1))

    def add(h: torch.Tensor, options: dict) -> torch.Tensor:
        if options["block"] != ("input", block):
            return h
        seen.append((h, options["ad_params"]["sub_idxs"], options["original_shape"][0]))
        return h + per_frame.repeat(len(h) // frames, 1, 1, 1)

    model.set_model_input_block_patch(add)
    model.set_model_input_block_patch(add)
    assert sample(graph, model, frames).isfinite().all()
    (before, at_hand, rows), (after, *_) = seen[:2]
    assert len(before) == rows == 2 * frames and at_hand == list(range(frames))
    first = torch.arange(frames) // stride * stride
    assert torch.allclose(after - before, per_frame[first].repeat(2, 1, 1, 1).expand_as(before), atol=1e-5)
    assert torch.equal(before, before.unflatten(0, (2, -1))[:, first].flatten(0, 1))


def test_a_patch_of_output_blocks_sees_all_frames_at_once(graph: Any, modules: Path) -> None:
    model, seen = clip_model(graph).clone(), []

    def note(h: torch.Tensor, skip: torch.Tensor, options: dict) -> tuple:
        seen.append((len(h), len(skip)))
        return h, skip

    model.set_model_output_block_patch(note)
    sample(graph, model, 16)
    assert len(seen) == len(nets.made("SD15", 4).diffusion_model.output_blocks) and set(seen) == {(32, 32)}


@pytest.mark.parametrize("strides", ["none", "lumiere"])
def test_attention_is_kept_frame_by_frame(graph: Any, modules: Path, extras: None, monkeypatch: pytest.MonkeyPatch,  # noqa: F811
                                          strides: str) -> None:
    """Core's Self-Attention Guidance reads a map of each frame, over all heads, off the attention of the middle block."""
    guided, seen = graph.run("SelfAttentionGuidance", model=clip_model(graph, strides), scale=0.5, blur_sigma=2.0)[0], []
    scope = graph.pack.nodes["SelfAttentionGuidance"].execute.__func__.__globals__
    plain = scope["create_blur_map"]
    monkeypatch.setitem(scope, "create_blur_map", lambda x, attention, *a: (seen.append((x, attention)), plain(x, attention, *a))[1])
    sample(graph, guided, latent_image={"samples": torch.zeros(16, 4, 16, 16)})
    x, attention = seen[0]
    assert len(x) == 16 and len(attention) == 16 * HEADS
    maps = attention.unflatten(0, (16, HEADS)).mean(dim=1)
    same = torch.tensor([torch.equal(maps[k], maps[k - 1]) for k in range(1, 16)])
    assert same.sum() == (14 if strides == "lumiere" else 0), "a frame that stands for eight has its map on each of them"


def test_patches_that_treat_each_row_alone_are_not_in_the_way_of_chunks(graph: Any, modules: Path, extras: None) -> None:  # noqa: F811
    rows = graph.pack.module("nodes.host.walk.row_patches")
    for node, settings in (("FreeU_V2", {"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2}), ("PerturbedAttentionGuidance", {"scale": 2.0}),
                           ("TomePatchModel", {"ratio": 0.5})):
        options = graph.run(node, model=clip_model(graph), **settings)[0].model_options["transformer_options"]
        assert not rows.counting(options), node
    free = graph.run("FreeU_V2", model=clip_model(graph), b1=1.3, b2=1.4, s1=0.9, s2=0.2)[0].clone()
    free.set_model_output_block_patch(lambda h, skip, options: (h, skip))
    assert rows.counting(free.model_options["transformer_options"])
