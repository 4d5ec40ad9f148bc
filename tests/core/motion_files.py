"""Motion modules of random weights in the layouts in which they are published, made from the skeleton's own keys."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor

from stunet_core.model.motion_module import MotionConfig
from stunet_core.model.skeleton import BlockSpec, Skeleton, SkeletonConfig
from tests.tiny import seeded

PLACE = re.compile(r"blocks\.(input|output|middle)_?(\d*)\.(.+)")
DIFFUSERS = ((".attention_blocks.0.", ".attn1."), (".attention_blocks.1.", ".attn2."), (".norms.0.", ".norm1."),
             (".norms.1.", ".norm2."), (".ff_norm.", ".norm3."))


def skeleton(channels: tuple[int, ...], per_block: int = 2, middle: bool = False, **motion: Any) -> Skeleton:
    """Motion blocks at every position of a U-Net with these channels per level."""
    step, levels = per_block + 1, len(channels)
    blocks = [BlockSpec(f"input_{1 + i * step + j}", c, "motion") for i, c in enumerate(channels) for j in range(per_block)]
    blocks += [BlockSpec("middle", channels[-1], "motion")] * middle
    blocks += [BlockSpec(f"output_{i * step + j}", c, "motion") for i, c in enumerate(channels[::-1]) for j in range(step)]
    config = SkeletonConfig(tuple(blocks), (1,) * (levels - 1), channels[:-1], channels[1:], 4 * channels[0],
                            motion=MotionConfig(**motion))
    return seeded(lambda: Skeleton(config), 7)


def published(net: Skeleton, per_block: int = 2, layout: str = "AnimateDiff", prefix: str = "") -> dict[str, Tensor]:
    """Its tensors under the names of `layout`: AnimateDiff, HotshotXL, AnimateLCM or diffusers."""
    out = {}
    for key, tensor in net.state_dict().items():
        side, number, name = PLACE.fullmatch(key).groups()  # type: ignore[union-attr]
        if name.endswith(".pe") and layout in ("AnimateLCM", "diffusers"):
            continue
        block, index = divmod(int(number or 0) - (side == "input"), per_block + 1)
        place = {"input": f"down_blocks.{block}", "output": f"up_blocks.{block}", "middle": "mid_block"}[side]
        kind = "temporal_attentions" if layout == "HotshotXL" else "motion_modules"
        index = 0 if side == "middle" else index
        if layout in ("AnimateDiff", "AnimateLCM"):
            name = f"temporal_transformer.{name}"
        if layout == "HotshotXL":
            name = name.replace("pos_encoder.pe", "pos_encoder.positional_encoding")
        if layout == "diffusers":
            for ours, theirs in DIFFUSERS:
                name = name.replace(ours, theirs)
        out[f"{prefix}{place}.{kind}.{index}.{name}"] = tensor
    return out
