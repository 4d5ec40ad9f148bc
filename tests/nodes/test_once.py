"""What all frames are told alike is worked out once, and nobody notices."""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.nodes.test_apply import FRAMES, SHAPES, forward


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
    x, context, y = (torch.randn(FRAMES, *shape, generator=generator) for shape in SHAPES)
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
    alike = pack.module("nodes.host.walk.text_cache").alike
    rows = torch.tensor([1.0, 1.0, 2.0, 2.0])
    assert alike(rows, 2).tolist() == [1.0, 2.0]
    assert alike(rows, 4) is None
    assert alike(None, 2) is None
    assert alike(torch.ones(4, 3, 5), 2).is_contiguous()  # or layers without a bias take their weights along once per row


def test_what_comes_before_the_text_is_worked_out_once_for_conditionings_that_begin_alike(graph: Any) -> None:
    """Two conditionings that differ in their text alone; a third clip is another in one value, and worked out by itself."""
    model, generator = graph.apply(graph.mini()[0]), torch.Generator().manual_seed(4)
    x, context, y = (torch.randn(2 * FRAMES, *shape, generator=generator) for shape in SHAPES)
    context, y = context[:2].repeat_interleave(FRAMES, dim=0), y[:1].expand(2 * FRAMES, -1)
    x[FRAMES:] = x[:FRAMES]
    other = x.clone()
    other[-1, 0, 0, 0] += 1e-3
    merged = importlib.import_module("comfy.patcher_extension").merge_nested_dicts

    def run(x: torch.Tensor, rows: slice, conds: list[int]) -> tuple[torch.Tensor, int]:
        options = merged({"wrappers": model.wrappers}, model.model_options["transformer_options"]) | {"cond_or_uncond": conds}
        with FlopCounterMode(display=False) as counter:
            out = model.model.diffusion_model(x[rows], torch.full((len(x[rows]),), 500.0), context=context[rows], y=y[rows],
                                              transformer_options=options)
        return out, counter.get_total_flops()

    (both, once), (apart, twice) = run(x, slice(None), [0, 1]), run(other, slice(None), [0, 1])
    one, two = run(x, slice(0, FRAMES), [0]), run(x, slice(FRAMES, None), [1])
    assert torch.allclose(both, torch.cat([one[0], two[0]]), atol=1e-5)
    assert (one[0] - two[0]).abs().max() > 1e-3
    assert once < twice == one[1] + two[1]
    assert torch.allclose(apart, torch.cat([one[0], run(other, slice(FRAMES, None), [1])[0]]), atol=1e-5)
