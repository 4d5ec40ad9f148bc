"""The temporal skeleton: every layer that works along time, as one module described by one dataclass."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .bounds import bounds, check_fields, from_json, shown
from .layout import Layout, Position
from .motion_module import MotionBlock, MotionConfig
from .temporal_blocks import AttentionBlock, ConvBlock, TemporalBlock, TimeDown, TimeUp

KINDS = ("conv", "attention", "motion")
RETIRED = ("clock", "hold")  # fields of the first generation: what the mini model's own inputs say now
NEEDED = ("pooled_channels", "cond_channels", "head_channels", "joint")  # a default in the place of one would be silently wrong
POSITION = re.compile(r"(input|output)_\d{1,3}|middle")
WIDEST = 65_536  # channels
MOST_BLOCKS = 256


@dataclass(frozen=True)
class BlockSpec:
    """One temporal block: where it stands and what it is."""

    position: str   # a `layout.Position` name
    channels: int = field(metadata=bounds(1, WIDEST))
    kind: str       # one of KINDS

    def __post_init__(self) -> None:
        check_fields(self)
        if not POSITION.fullmatch(self.position):
            raise ValueError(f"position: {self.position[:40]!r} is no place in a U-Net, such as input_1, middle or output_0")
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} of the block at {self.position}: use one of {', '.join(KINDS)}")


@dataclass(frozen=True)
class SkeletonConfig:
    """All a skeleton is built from; saved as JSON beside its weights.

    `ratios[i]` frames of level i share one frame of level i + 1. `pooled_channels` is the width of the pooled text that
    the blocks hear beside the U-Net's embedding (0: only the embedding). `motion` describes the blocks of that kind.
    `model` names the U-Net it was trained on.
    """

    blocks: tuple[BlockSpec, ...]
    ratios: tuple[int, ...] = field(metadata=bounds(1, 64, entries=16))
    down_channels: tuple[int, ...] = field(metadata=bounds(1, WIDEST, entries=16))
    up_channels: tuple[int, ...] = field(metadata=bounds(1, WIDEST, entries=16))
    emb_channels: int = field(metadata=bounds(1, WIDEST))
    pooled_channels: int = field(default=0, metadata=bounds(0, WIDEST))
    cond_channels: int = field(default=256, metadata=bounds(1, WIDEST))
    head_channels: int = field(default=32, metadata=bounds(1, WIDEST))
    joint: bool = True
    model: str = ""
    motion: MotionConfig | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if not isinstance(self.blocks, list | tuple) or len(self.blocks) > MOST_BLOCKS:
            raise ValueError(f"blocks: {shown(self.blocks)}; it must be a list of at most {MOST_BLOCKS}")
        blocks = tuple(b if isinstance(b, BlockSpec) else from_json(BlockSpec, b) for b in self.blocks)
        if len({b.position for b in blocks}) < len(blocks):
            raise ValueError("blocks: two of them are at the same position")
        object.__setattr__(self, "blocks", blocks)
        if self.motion is not None and not isinstance(self.motion, MotionConfig):
            object.__setattr__(self, "motion", from_json(MotionConfig, self.motion))
        if self.motion is None and any(b.kind == "motion" for b in blocks):
            raise ValueError("motion: blocks of this kind need a MotionConfig")
        for b in blocks:
            shared = {"attention": self.head_channels, "motion": self.motion.heads if self.motion else 1}.get(b.kind, 1)
            if b.channels % shared or (b.kind == "attention" and shared % 2):
                raise ValueError(f"channels: {b.channels} of the block at {b.position} cannot be shared among its heads")
        if not len(self.ratios) == len(self.down_channels) == len(self.up_channels):
            raise ValueError(f"ratios {self.ratios}, down_channels {self.down_channels} and up_channels "
                             f"{self.up_channels}: give one of each per step between levels")

    @property
    def total_stride(self) -> int:
        """Frames of the clip that share one frame at the coarsest level."""
        return prod(self.ratios)

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SkeletonConfig":
        """Raises ValueError for a config of the first generation's mini model, of another version of the pack, or of nonsense."""
        retired = [name for name in RETIRED if values.get(name)]
        if retired:
            raise ValueError(f"these STUNet weights are of the first generation ({', '.join(retired)}), which this version does not run. "
                             "Choose the mini_stunet.safetensors that comes with the pack (a file of that name in models/stunet hides it: "
                             "move it away), or train them anew with `run.py train`")
        try:
            return from_json(cls, {name: value for name, value in values.items() if name not in RETIRED}, NEEDED)
        except ValueError as error:
            raise ValueError(f"its description says {error}: the file was altered, or is of another version of the pack") from error

    def check_fits(self, layout: Layout, model: str) -> None:
        """Raise ValueError, naming both, unless these temporal layers fit the U-Net of `layout`."""
        places = {p.name: p.channels for p in layout.positions}
        wrong = [f"{b.position} has {b.channels} channels, the model {places.get(b.position, 'no such block')}"
                 for b in self.blocks if places.get(b.position) != b.channels]
        if not wrong and (self.down_channels != layout.down_channels or self.up_channels != layout.up_channels):
            wrong = [f"channels between levels are {self.down_channels}, the model's {layout.down_channels}"]
        if not wrong and self.emb_channels != layout.emb_channels:
            wrong = [f"the embedding has {self.emb_channels} channels, the model's {layout.emb_channels}"]
        if wrong:
            raise ValueError(f"weights: these STUNet weights were trained for {self.model or 'another U-Net'}, the model "
                             f"is {model} ({wrong[0]}): pick weights made for that model")


def lumiere(layout: Layout, ratios: tuple[int, ...], *, pooled_channels: int = 0, head_channels: int = 32,
            joint: bool = True, model: str = "") -> SkeletonConfig:
    """Lumiere's arrangement: convolution at every level but the coarsest, attention there (2401.12945, sec. 3.1)."""

    def spec(p: Position) -> BlockSpec:
        return BlockSpec(p.name, p.channels, "attention" if p.level == layout.levels - 1 else "conv")

    return SkeletonConfig(
        blocks=tuple(spec(p) for p in layout.positions), ratios=ratios, down_channels=layout.down_channels,
        up_channels=layout.up_channels, emb_channels=layout.emb_channels, pooled_channels=pooled_channels,
        head_channels=head_channels, joint=joint, model=model)


def _block(spec: BlockSpec, config: SkeletonConfig) -> TemporalBlock:
    if spec.kind == "conv":
        return ConvBlock(spec.channels, config.cond_channels)
    if spec.kind == "attention":
        return AttentionBlock(spec.channels, config.cond_channels, config.head_channels, config.joint)
    assert config.motion is not None
    return MotionBlock(spec.channels, config.motion)


class Skeleton(nn.Module):
    """The temporal layers. Keys: `blocks.<position>.*`, `down.<level>.*`, `up.<level>.*`, `cond.*`.

    Motion modules hear nothing of the embedding, so a skeleton of nothing else has no `cond`.
    """

    def __init__(self, config: SkeletonConfig):
        super().__init__()
        self.config = config
        heard = any(b.kind != "motion" for b in config.blocks)
        self.cond = nn.Linear(config.emb_channels + config.pooled_channels, config.cond_channels) if heard else None
        self.blocks = nn.ModuleDict({b.position: _block(b, config) for b in config.blocks})
        self.down = nn.ModuleDict({
            str(i + 1): TimeDown(c, r)
            for i, (c, r) in enumerate(zip(config.down_channels, config.ratios, strict=True)) if r > 1})
        self.up = nn.ModuleDict({
            str(i + 1): TimeUp(c, r)
            for i, (c, r) in enumerate(zip(config.up_channels, config.ratios, strict=True)) if r > 1})

    def condition(self, emb: Tensor, y: Tensor | None) -> Tensor:
        """What modulates the blocks, per row: (b f) e, (b f) p -> (b f) cond"""
        if self.cond is None:
            return emb
        emb = emb.to(self.cond.weight.dtype)
        if self.config.pooled_channels:
            if y is None or y.shape[-1] != self.config.pooled_channels:
                raise ValueError(f"weights: they were trained with pooled text of {self.config.pooled_channels} "
                                 f"channels, the model passes {'none' if y is None else y.shape[-1]}")
            emb = torch.cat([emb, y.to(emb.dtype)], dim=-1)
        return F.silu(self.cond(F.silu(emb)))
