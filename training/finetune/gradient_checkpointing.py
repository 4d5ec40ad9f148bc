"""Gradient checkpointing (Chen et al., 1604.06174): activations are computed again in the backward pass, not kept.

Around what the walk calls, so that neither the walk nor a layer knows of it.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from stunet_core.model.skeleton import Skeleton
from stunet_core.model.temporal_blocks import TemporalBlock, Time
from stunet_core.model.walk import Block, Host


class LeanHost:
    """The walk's Host: of a block's spatial layers only what goes in is kept."""

    def __init__(self, host: Host):
        self.host = host
        self.after, self.skip = host.after, host.skip

    def spatial(self, layers: Sequence[nn.Module], h: Tensor, rows: Tensor, block: Block, size: tuple[int, int] | None) -> Tensor:
        return checkpoint(self.host.spatial, layers, h, rows, block, size, use_reentrant=False)


class LeanBlock:
    """The same of a temporal block."""

    def __init__(self, block: TemporalBlock):
        self.block, self.joint, self.inside_middle, self.whole = block, block.joint, block.inside_middle, block.whole

    def frames(self, h: Tensor, cond: Tensor) -> Tensor:
        if torch.is_grad_enabled() and not h.requires_grad:
            h = h.detach().requires_grad_()  # as in ConvBlock, but here: what is computed again must be a leaf outside
        return checkpoint(self.block.frames, h, cond, use_reentrant=False)

    def mix(self, h: Tensor, time: Time) -> Tensor:
        return checkpoint(self.block.mix, h, time, use_reentrant=False)


class LeanSkeleton:
    """What the walk asks of a Skeleton, with lean blocks."""

    def __init__(self, skeleton: Skeleton):
        self.config, self.condition = skeleton.config, skeleton.condition
        self.down, self.up = skeleton.down, skeleton.up
        self.blocks: Mapping[str, LeanBlock] = {name: LeanBlock(block) for name, block in skeleton.blocks.items()}  # type: ignore[arg-type]
