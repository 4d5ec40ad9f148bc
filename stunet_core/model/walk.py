"""The space-time walk: an LDM U-Net visited block by block, with time woven in between (Lumiere, 2401.12945, fig. 4).

The host says how one block's spatial layers run; the walk owns time. Spatial layers and the frame-wise half of temporal
blocks run over chunks of frames, the half that mixes frames over chunks of positions, so that what is held for all
frames at once is little more than the skip connections.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .chunks import Chunks
from .layout import find
from .motion_module import POSITIONS
from .skeleton import Skeleton
from .temporal_blocks import TemporalBlock, Time

Block = tuple[str, int]  # ("input" | "middle" | "output", index)


@dataclass(frozen=True)
class Clip:
    """`rows` conditionings of one clip of `frames` frames, standing in the batch as (rows frames).

    `where` scales the strength per frame and place, 0 to 1: n h w of any size, for each frame of the clip, for each of each
    row, or one for all. `ratios` are the time strides from level to level; None: those that the skeleton was trained with. `spacing` is how
    far frames are apart, in frames of the rate that the skeleton is meant for: 4 where every fourth one of a clip is seen.
    """

    rows: int
    frames: int
    loop: bool = False       # time is a circle
    strength: float = 1.0    # scales what the temporal blocks add
    chunk: int | None = None     # frames of the finest level at once in frame-wise layers; None: all
    ratios: tuple[int, ...] | None = None
    positions: str = POSITIONS[0]    # what motion modules do at a level of more frames than they know
    where: Tensor | None = field(default=None, compare=False)
    spacing: float = 1.0

    def __post_init__(self) -> None:
        if self.rows < 1 or self.frames < 1:
            raise ValueError(f"clip of {self.rows} rows and {self.frames} frames: give at least 1 of each")
        if self.chunk is not None and self.chunk < 1:
            raise ValueError(f"chunk={self.chunk}: give at least 1 frame, or None for all")
        if self.positions not in POSITIONS:
            raise ValueError(f"positions: {self.positions!r} is none of {', '.join(POSITIONS)}")
        if not self.spacing > 0:
            raise ValueError(f"spacing={self.spacing}: give a number of frames above 0")
        if self.ratios is not None and any(r < 1 for r in self.ratios):
            raise ValueError(f"ratios {self.ratios}: each must be 1 or more")


class Host(Protocol):
    """How the surroundings run the spatial half. `rows` (n) says, for each row of `h`, its row in the sampler's batch."""

    def spatial(self, layers: Sequence[nn.Module], h: Tensor, rows: Tensor, block: Block,
                size: tuple[int, int] | None) -> Tensor:
        """Run `layers` in order; an Upsample among them must reach `size` (h, w)."""

    def after(self, h: Tensor, rows: Tensor, block: Block) -> Tensor:
        """What else is done to an input or middle block's output (control residuals, patches)."""

    def skip(self, h: Tensor, skip: Tensor, rows: Tensor, block: Block) -> tuple[Tensor, Tensor]:
        """The same for an output block, before its skip connection is joined on."""


def check_loop(clip: Clip, ratios: Sequence[int]) -> None:
    """Raises ValueError when a loop's frames do not divide by the time strides: a circle cannot be padded."""
    total = prod(ratios)
    if clip.loop and clip.frames > 1 and clip.frames % total:
        above = -(-clip.frames // total) * total
        raise ValueError(f"loop: the clip has {clip.frames} frames; a loop needs a multiple of {total}, such as {above}")


class Walk:
    """One forward pass: the state of time between blocks."""

    def __init__(self, skeleton: Skeleton, clip: Clip, host: Host, cond: Tensor, chunks: Chunks | None = None):
        self.skeleton, self.clip, self.host, self.cond = skeleton, clip, host, cond
        self.chunks = chunks or Chunks(clip.chunk)
        self.ratios = skeleton.config.ratios if clip.ratios is None else clip.ratios
        if len(self.ratios) != len(skeleton.config.ratios):
            raise ValueError(f"ratios {self.ratios}: the model has {len(skeleton.config.ratios)} steps between levels")
        if clip.where is not None and clip.where.shape[0] not in (1, clip.frames, clip.rows * clip.frames):
            raise ValueError(f"strength_mask: it has {clip.where.shape[0]} frames, the clip {clip.frames}; give 1 for "
                             "all frames, or one for each")
        check_loop(clip, self.ratios)
        total = prod(self.ratios)
        self.padded = -(-clip.frames // total) * total
        self.level, self.stride = 0, 1
        self.grids: dict[int, Tensor] = {}
        self.scales: dict[tuple[int, ...], Tensor] = {}

    @property
    def frames(self) -> int:
        return self.padded // self.stride

    def rows(self, device: torch.device) -> Tensor:
        """(rows frames) at this level -> the row of the sampler's batch each one stands for"""
        if self.stride not in self.grids:
            frame = torch.arange(0, self.padded, self.stride, device=device).clamp(max=self.clip.frames - 1)
            start = torch.arange(self.clip.rows, device=device) * self.clip.frames
            self.grids[self.stride] = (start[:, None] + frame).flatten()
        return self.grids[self.stride]

    def pad(self, x: Tensor) -> Tensor:
        """Repeat the last frame until time divides: (b f) ... -> (b padded) ..."""
        return x if self.padded == self.clip.frames else x[self.rows(x.device)]

    def crop(self, h: Tensor) -> Tensor:
        return h.unflatten(0, (self.clip.rows, -1))[:, : self.clip.frames].flatten(0, 1)

    def chunked(self, fn: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        return self.chunks.run(fn, tensors, self.rows(tensors[0].device), self.clip.rows, self.level)

    def spatial(self, layers: Sequence[nn.Module], block: Block, h: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """A block's spatial layers over chunks of frames."""
        return self.chunked(lambda part, rows: self.host.spatial(layers, part, rows, block, size), h)

    def joined(self, layers: Sequence[nn.Module], block: Block, h: Tensor, skip: Tensor) -> Tensor:
        """The same for an output block, which its skip connection joins chunk by chunk."""

        def run(h: Tensor, skip: Tensor, rows: Tensor) -> Tensor:
            both = torch.cat(self.host.skip(h, skip, rows, block), dim=1)
            return self.host.spatial(layers, both, rows, block, None)

        return self.chunked(run, h, skip)

    def middle(self, layers: Sequence[nn.Module], h: Tensor) -> Tensor:
        """The middle block with its temporal block, which for some kinds stands before the last spatial layer."""
        block = self.block("middle")
        if block is None or not block.inside_middle or len(layers) < 2:
            return self.temporal(self.spatial(layers, ("middle", 0), h), "middle")
        *most, last = layers
        h = self.temporal(self.spatial(most, ("middle", 0), h), "middle")
        return self.spatial([last], ("middle", 0), h)

    def block(self, position: str) -> TemporalBlock | None:
        blocks = self.skeleton.blocks
        if position not in blocks:
            return None
        return blocks[position]  # type: ignore[return-value]

    def temporal(self, h: Tensor, position: str) -> Tensor:
        """That position's temporal block, if the skeleton has one."""
        block = self.block(position)
        if block is None:
            return h
        time = Time(self.frames, self.stride * self.clip.spacing, self.clip.loop, self.clip.positions)
        scale = self.scale(h)
        inner = self.chunked(lambda part, rows: block.frames(part, self.cond[rows]), block.whole(h, self.frames))
        height, top = h.shape[2], 0
        parts: list[Tensor] = []
        while top < height:  # chunks of positions: rows of the picture, of as many values as a chunk of frames
            at_once = self.chunks.at(self.level, self.frames)
            step = height if block.joint else max(1, height * at_once // self.frames)
            part = slice(top, top + step)
            fewer = 1 if block.joint or step == 1 else at_once
            mixed = self.chunks.attempt(lambda rows: block.mix(rows, time), (inner[:, :, part],), fewer, self.level)
            if mixed is None:
                continue
            if isinstance(scale, Tensor):
                mixed = mixed * scale[:, :, part]
            elif scale != 1:
                mixed = mixed * scale
            if torch.is_grad_enabled():
                parts.append(h[:, :, part] + mixed)
            else:  # nobody else holds what the spatial layers just gave
                h[:, :, part] += mixed
            top += step
        if len(parts) > 1:
            return torch.cat(parts, dim=2)
        return parts[0] if parts else h

    def scale(self, h: Tensor) -> Tensor | float:
        """What temporal blocks add is multiplied with this at the present level: a number, or (rows frames) 1 h w."""
        where, clip = self.clip.where, self.clip
        if where is None:
            return clip.strength
        key = (self.stride, *h.shape[-2:])
        if key not in self.scales:
            small = F.interpolate(where[:, None].to(h), size=h.shape[-2:], mode="area")         # f 1 h w
            each = small.expand(clip.rows * clip.frames, -1, -1, -1) if len(small) == 1 else small
            each = each if len(each) == clip.rows * clip.frames else each.repeat(clip.rows, 1, 1, 1)
            finest = torch.arange(self.padded, device=h.device).clamp(max=clip.frames - 1)
            each = each.unflatten(0, (clip.rows, -1))[:, finest]                                # b padded 1 h w
            self.scales[key] = each.unflatten(1, (-1, self.stride)).mean(dim=2).flatten(0, 1) * clip.strength
        return self.scales[key]

    def down(self, layers: Sequence[nn.Module], block: Block, h: Tensor) -> Tensor:
        """A block that enters the next coarser level.

        A ratio that was not trained starts as Lumiere's do: it takes every r-th frame, and the spatial layers see only these.
        """
        frames, ratio = self.frames, self.ratios[self.level]
        trained = ratio == self.skeleton.config.ratios[self.level]
        if trained:
            h = self.spatial(layers, block, h)
        self.level, self.stride = self.level + 1, self.stride * ratio
        if not trained:
            return self.spatial(layers, block, h[::ratio])  # (rows frames): time was padded to divide
        return h if ratio == 1 else self.skeleton.down[str(self.level)](h, frames, self.clip.loop)

    def up(self, h: Tensor) -> Tensor:
        """Back to the next finer level. Time was padded to divide, so the skip connection has as many frames.

        A ratio that was not trained repeats every frame, which is left to `joined`, chunk by chunk.
        """
        frames, key, ratio = self.frames, str(self.level), self.ratios[self.level - 1]
        self.level, self.stride = self.level - 1, self.stride // ratio
        if ratio == 1 or ratio != self.skeleton.config.ratios[self.level]:
            return h
        return self.skeleton.up[key](h, frames, self.clip.loop)


def walk(net: nn.Module, x: Tensor, emb: Tensor, y: Tensor | None, skeleton: Skeleton, clip: Clip, host: Host,
         chunks: Chunks | None = None) -> Tensor:
    """The Space-Time U-Net's forward pass.

    Args:
        net: a U-Net in the LDM layout whose `out` ends it.
        x: (rows frames) c h w, any frame count; one frame is exactly the image model.
        emb: (rows frames) e, the U-Net's embedding of time step and `y`.
        y: (rows frames) p, pooled text and what else each frame is told, or None.
        chunks: how many frames at once, instead of `clip.chunk`; says afterwards how many fitted into memory.

    Returns:
        (rows frames) out h w
    """
    if x.shape[0] != clip.rows * clip.frames:
        raise ValueError(f"x has {x.shape[0]} rows; {clip.rows} conditionings of {clip.frames} frames need "
                         f"{clip.rows * clip.frames}")
    if clip.frames == 1:
        return _image(net, x, clip, host)
    state = Walk(skeleton, clip, host, skeleton.condition(emb, y), chunks)
    h, skips = state.pad(x), []

    for i, layers in enumerate(net.input_blocks):  # type: ignore[arg-type]
        if find(layers, "Downsample") is not None:
            h = state.down(layers, ("input", i), h)
        else:
            h = state.temporal(state.spatial(layers, ("input", i), h), f"input_{i}")
        h = host.after(h, state.rows(h.device), ("input", i))
        skips.append(h)

    if net.middle_block is not None:
        h = state.middle(net.middle_block, h)  # type: ignore[arg-type]
    h = host.after(h, state.rows(h.device), ("middle", 0))

    for i, layers in enumerate(net.output_blocks):  # type: ignore[arg-type]
        upsample = find(layers, "Upsample")
        h = state.joined([layer for layer in layers if layer is not upsample], ("output", i), h, skips.pop())
        h = state.temporal(h, f"output_{i}")
        if upsample is not None:
            size = (skips[-1].shape[-2], skips[-1].shape[-1])
            h = state.up(state.spatial([upsample], ("output", i), h, size=size))

    return state.crop(state.chunked(lambda part, rows: net.out(part), h))  # type: ignore[operator]


def _image(net: nn.Module, x: Tensor, clip: Clip, host: Host) -> Tensor:
    """The same visit without time: the text-to-image model itself."""
    rows = torch.arange(x.shape[0], device=x.device)
    h, skips = x, []
    for i, layers in enumerate(net.input_blocks):  # type: ignore[arg-type]
        h = host.after(host.spatial(layers, h, rows, ("input", i), None), rows, ("input", i))
        skips.append(h)
    if net.middle_block is not None:
        h = host.spatial(net.middle_block, h, rows, ("middle", 0), None)  # type: ignore[arg-type]
    h = host.after(h, rows, ("middle", 0))
    for i, layers in enumerate(net.output_blocks):  # type: ignore[arg-type]
        h, skip = host.skip(h, skips.pop(), rows, ("output", i))
        size = (skips[-1].shape[-2], skips[-1].shape[-1]) if skips else None
        h = host.spatial(layers, torch.cat([h, skip], dim=1), rows, ("output", i), size)
    return net.out(h)  # type: ignore[operator]
