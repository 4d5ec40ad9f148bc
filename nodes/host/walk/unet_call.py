"""A call of ComfyUI's U-Net: what it is given, and its embedding."""

from dataclasses import dataclass
from typing import Any

from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from torch import Tensor, nn

from .text_cache import alike


@dataclass(frozen=True)
class UNetCall:
    """The arguments of core's `UNetModel.forward`: `x` (b f) c h w is the sampler's batch, all other tensors have a row for each of its
    rows. `extra`: by name, for layers of some models."""

    x: Tensor
    timesteps: Tensor
    context: Tensor | None
    y: Tensor | None
    control: dict | None
    options: dict[str, Any]
    extra: dict[str, Any]


def embed(net: nn.Module, call: UNetCall, frames: int) -> Tensor:
    """The U-Net's embedding of time step and `y`, (b f) e: once for all frames of a row that are told the same."""
    time, told = alike(call.timesteps, frames), alike(call.y, frames)
    if time is None or (call.y is not None and told is None) or call.options.get("patches", {}).get("emb_patch"):
        return embed_each(net, call.x, call.timesteps, call.y, call.options)
    return embed_each(net, call.x, time, told, call.options).repeat_interleave(frames, dim=0)


def embed_each(net: nn.Module, x: Tensor, timesteps: Tensor, y: Tensor | None, options: dict[str, Any]) -> Tensor:
    """The same for each of some rows, as core computes it: b, b p -> b e"""
    emb = net.time_embed(timestep_embedding(timesteps, net.model_channels).to(x.dtype))  # type: ignore[operator]
    for patch in options.get("patches", {}).get("emb_patch", []):
        emb = patch(emb, net.model_channels, options)
    if net.num_classes is not None:
        if y is None:
            raise ValueError("model: its U-Net needs pooled conditioning (y), which was not passed")
        emb = emb + net.label_emb(y)  # type: ignore[operator]
    return emb


def conditionings(options: dict[str, Any], rows: int) -> int:
    """How many conditionings share a batch of `rows`; the frames of each follow one another."""
    count = len(options.get("cond_or_uncond") or [0])
    if rows % count:
        raise ValueError(f"model: {rows} rows do not divide into {count} conditionings of one clip each; a node before "
                         "this one cut the batch. Put that node after Apply STUNet, or remove it.")
    return count

