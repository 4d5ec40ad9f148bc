"""What all frames are told alike is worked out once, and nobody notices."""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.nodes.test_apply import FRAMES, forward


def look(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict) -> tuple:
    """An attn2 patch that changes nothing: with it, cross-attention is core's, frame by frame."""
    return q, k, v


def looked_at(model: Any) -> Any:
    patched = model.clone()
    patched.set_model_attn2_patch(look)
    return patched


def test_one_text_for_all_frames_is_read_once(graph: Any) -> None:
    model, flops, outputs = graph.apply(graph.mini()[0]), [], []
    for one in (model, looked_at(model)):
        with FlopCounterMode(display=False) as counter:
            outputs.append(forward(one))
        flops.append(counter.get_total_flops())
    assert torch.allclose(*outputs, atol=1e-5)
    assert flops[0] < flops[1]


def test_each_frame_hears_its_own_text(graph: Any) -> None:
    """A prompt schedule: the last frame's text is another, so all texts are read frame by frame."""
    model, generator = graph.apply(graph.mini()[0]), torch.Generator().manual_seed(3)
    x, context, y = (torch.randn(FRAMES, *shape, generator=generator) for shape in ((9, 8, 8), (32, 32), (32,)))
    context, changed = context[:1].repeat(FRAMES, 1, 1), context[:1].repeat(FRAMES, 1, 1)
    changed[-1] *= 2
    merged = importlib.import_module("comfy.patcher_extension").merge_nested_dicts

    def run(model: Any, text: torch.Tensor) -> torch.Tensor:
        options = merged({"wrappers": model.wrappers}, model.model_options["transformer_options"]) | {"cond_or_uncond": [0]}
        return model.model.diffusion_model(x, torch.full((FRAMES,), 500.0), context=text, y=y[:1].repeat(FRAMES, 1),
                                           transformer_options=options)

    assert (run(model, changed) - run(model, context)).abs().max() > 1e-3
    assert torch.allclose(run(model, changed), run(looked_at(model), changed), atol=1e-5)


def test_patches_after_cross_attention_see_the_shape_they_know(graph: Any) -> None:
    rows = []
    patched = graph.apply(graph.mini()[0]).clone()
    patched.set_model_attn2_output_patch(lambda out, options: (rows.append(out.shape[0] == options["original_shape"][0]), out)[1])
    forward(patched)
    assert rows and all(rows)


def test_alike(pack: Any) -> None:
    alike = pack.module("nodes.host.once").alike
    rows = torch.tensor([1.0, 1.0, 2.0, 2.0])
    assert alike(rows, 2).tolist() == [1.0, 2.0]
    assert alike(rows, 4) is None
    assert alike(None, 2) is None
