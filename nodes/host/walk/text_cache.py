"""Cache cross-attention keys and values per conditioning: all frames of a clip share them.

Every place in every frame asks the text by itself. So the queries of all frames of a row can stand in one sequence, before one
set of the text's keys and values: ComfyUI's `attn2_patch` is called before cross-attention and puts them so, `attn2_output_patch`
is called after it and takes them apart again. Where someone else looks at cross-attention too, all stays as in core.

Conditionings that begin with the same frames and differ in their text alone are one and the same until a layer reads it.
"""

from collections.abc import Callable
from typing import Any

import torch
from comfy.ldm.modules.attention import BasicTransformerBlock, CrossAttention
from torch import Tensor, nn

LOOKED_AT = ("attn2_patch", "forward_timestep_embed_patch")  # patches that see the text, or the queries that ask it


def alike(told: Tensor | None, frames: int) -> Tensor | None:
    """(b f) ... -> b ..., if each row's frames are told the same; None if they are not, or nothing."""
    if told is None or told.shape[0] % frames:
        return None
    rows = told.unflatten(0, (-1, frames))  # b f ...
    return rows[:, 0].contiguous() if bool((rows == rows[:, :1]).all()) else None  # or layers take their weights along per row


def one_for_all(run: Callable[[Tensor, Tensor], Tensor], h: Tensor, emb: Tensor, rows: int) -> Tensor:
    """`run` on (b f) c h w and its embedding (b f) e, by layers that read no text: once, if all `rows` are the same."""
    if rows > 1 and same(emb, rows) and same(h, rows):
        frames = len(h) // rows
        return run(h[:frames], emb[:frames]).repeat(rows, *[1] * (h.ndim - 1))
    return run(h, emb)


def same(told: Tensor, rows: int) -> bool:
    """Whether all of b in (b f) ... are the same."""
    first, others = told.unflatten(0, (rows, -1)).split([1, rows - 1])
    return torch.equal(others, first.expand_as(others))


def asked_once(net: nn.Module, options: dict[str, Any]) -> bool:
    """Whether cross-attention is core's own, and nobody else's patches see it."""
    patches = options.get("patches", {})
    if any(patches.get(name) for name in LOOKED_AT) or options.get("patches_replace", {}).get("attn2"):
        return False
    if options.get("optimized_attention_override") is not None:
        return False
    blocks = [block for module in net.modules() if type(module).__name__ == "SpatialTransformer"
              for block in module.transformer_blocks]  # type: ignore[union-attr]
    return all(type(block) is BasicTransformerBlock and type(block.attn2) is CrossAttention and not block.disable_self_attn
               and not block.switch_temporal_ca_to_sa for block in blocks)


def asking_once(options: dict[str, Any]) -> dict[str, Any]:
    """A copy of `options` with which a transformer takes one text for all frames of a row."""
    patches = options.get("patches", {})
    after = [apart, *patches.get("attn2_output_patch", [])]  # others see the shape they know
    return {**options, "patches": {**patches, "attn2_patch": [together], "attn2_output_patch": after}}


def together(queries: Tensor, keys: Tensor, values: Tensor, options: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
    """(b f) n c, b m c, b m c -> b (f n) c, and the other two as they are"""
    return queries.unflatten(0, (keys.shape[0], -1)).flatten(1, 2), keys, values


def apart(answers: Tensor, options: dict[str, Any]) -> Tensor:
    """b (f n) c -> (b f) n c"""
    return answers.reshape(options["original_shape"][0], -1, answers.shape[-1])
