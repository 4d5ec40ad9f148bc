"""What other packs hang on a MODEL, patches and ControlNets, in a clip model: it sees what core shows it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.nodes.test_apply import FRAMES, forward


def test_patches_see_the_blocks_and_transformers_that_core_shows_them(graph: Any) -> None:
    """The same calls in the same order as in core's own forward, and as many rows as there are."""

    def seen(model: Any) -> list[tuple]:
        calls: list[tuple] = []

        def note(kind: str, h: torch.Tensor, options: dict) -> None:
            assert h.shape[0] == options["original_shape"][0]
            calls.append((kind, options["block"], options["transformer_index"]))

        def attention(kind: str) -> Any:
            def patch(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict) -> tuple:
                note(kind, q, options)
                return q, k, v
            return patch

        def block(kind: str) -> Any:
            def patch(h: torch.Tensor, *rest: Any) -> Any:
                note(kind, h, rest[-1])
                return (h, rest[0]) if len(rest) == 2 else h
            return patch

        patched = model.clone()
        patched.set_model_attn1_patch(attention("attn1"))
        patched.set_model_attn2_patch(attention("attn2"))
        patched.set_model_input_block_patch(block("input"))
        patched.set_model_input_block_patch_after_skip(block("after skip"))
        patched.set_model_output_block_patch(block("output"))
        patched.set_model_emb_patch(lambda emb, channels, options: emb)
        forward(patched)
        return calls

    model = graph.mini()[0]
    assert seen(graph.apply(model)) == seen(model)


def test_a_patch_after_the_middle_is_asked_for_all_frames(graph: Any) -> None:
    """Newer ComfyUIs have it (SUPIR's); older ones hand it on and do not ask it."""
    rows: list[set[int]] = []

    def patch(told: dict[str, Any]) -> dict[str, Any]:
        options = told["transformer_options"]
        assert options["block"] == ("middle", 0)
        rows.append({len(told[name]) for name in ("h", "x", "timesteps", "y", "emb", "context")} | {options["original_shape"][0]})
        return {"h": told["h"] * 2}

    model = graph.mini()[0]
    patched = model.clone()
    patched.set_model_patch(patch, "middle_block_after_patch")
    assert not torch.allclose(forward(graph.apply(patched)), forward(graph.apply(model)), atol=1e-4)
    assert rows == [{2 * FRAMES}], "all frames of two conditionings, though the coarsest level has every fourth"


def test_a_patch_after_the_skip_does_not_reach_the_skip(graph: Any) -> None:
    model = graph.mini()[0]

    def outcome(model: Any, set_patch: str) -> torch.Tensor:
        patched = model.clone()
        getattr(patched, set_patch)(lambda h, options: h * 1.5)
        return forward(patched, frames=1, conds=2)

    applied = graph.apply(model)
    for name in ("set_model_input_block_patch", "set_model_input_block_patch_after_skip"):
        assert torch.equal(outcome(applied, name), outcome(model, name))
    several = [forward_patched(applied, name) for name in
               ("set_model_input_block_patch", "set_model_input_block_patch_after_skip")]
    assert not torch.allclose(several[0], several[1])


def forward_patched(model: Any, name: str) -> torch.Tensor:
    patched = model.clone()
    getattr(patched, name)(lambda h, options: h * 1.5)
    return forward(patched)


def residuals(model: Any, rows: int, scale: torch.Tensor) -> dict[str, list]:
    """A ControlNet's output for the tiny U-Net: constants, `scale` (rows) per row, in core's order."""
    shapes: list[tuple] = []
    patched = model.clone()
    patched.set_model_input_block_patch(lambda h, options: (shapes.append(tuple(h.shape[1:])), h)[1])
    forward(patched, frames=1, conds=1)
    ones = [torch.ones(rows, *shape) * scale[:, None, None, None] for shape in shapes]
    return {"output": ones, "middle": [ones[-1]]}


def test_a_controlnet_acts_on_the_frame_it_was_made_for(graph: Any) -> None:
    """With hints on every other frame's row only, the ones on odd frames reach only the finest level."""
    model = graph.mini()[0]
    applied = graph.apply(model)
    rows = 2 * 8
    scale = torch.linspace(0.1, 1.0, rows)
    plain, controlled = (forward(applied, frames=8, control=c) for c in (None, residuals(model, rows, scale)))
    assert (plain - controlled).abs().amax(dim=(1, 2, 3)).min() > 1e-3
    one = {name: [t[:1] for t in tensors] for name, tensors in residuals(model, 1, torch.ones(1)).items()}
    same = residuals(model, rows, torch.ones(rows))
    assert torch.allclose(forward(applied, frames=8, control=one), forward(applied, frames=8, control=same), atol=1e-6)


def test_one_frame_is_controlled_as_in_core(graph: Any) -> None:
    model = graph.mini()[0]
    controls = [residuals(model, 2, torch.tensor([0.5, 1.0])) for _ in range(2)]  # core consumes its lists
    assert torch.equal(forward(graph.apply(model), frames=1, control=controls[0]),
                       forward(model, frames=1, control=controls[1]))


def test_a_controlnet_with_another_number_of_frames_is_refused(graph: Any) -> None:
    model = graph.mini()[0]
    with pytest.raises(ValueError, match=r"control: the residual for .* or as many"):
        forward(graph.apply(model), control=residuals(model, 5, torch.ones(5)))
