"""The plain torch host: how the walk runs the embedded U-Net's spatial layers in training and in evaluation."""

from collections.abc import Sequence

from torch import Tensor, nn

from ..model.skeleton import Skeleton
from ..model.walk import Block, Clip, tell_time, walk
from .unet import UNet, run_layers


class TorchHost:
    """emb: (rows frames) e; context: rows n c, one text for all frames of a clip."""

    def __init__(self, emb: Tensor, context: Tensor):
        self.emb, self.context = emb, context

    def spatial(self, layers: Sequence[nn.Module], h: Tensor, rows: Tensor, block: Block,
                size: tuple[int, int] | None) -> Tensor:
        return run_layers(layers, h, self.emb[rows], self.context, size)

    def after(self, h: Tensor, rows: Tensor, block: Block) -> Tensor:
        return h

    def skip(self, h: Tensor, skip: Tensor, rows: Tensor, block: Block) -> tuple[Tensor, Tensor]:
        return h, skip


def forward_clip(net: UNet, skeleton: Skeleton, x: Tensor, timesteps: Tensor, context: Tensor, y: Tensor,
                 clip: Clip) -> Tensor:
    """x: (rows frames) 9 h w; timesteps: rows; context: rows n c; y: rows p -> v: (rows frames) 4 h w"""
    emb = net.embed(timesteps, y).repeat_interleave(clip.frames, dim=0)
    y = y.repeat_interleave(clip.frames, dim=0)
    emb = tell_time(emb, x, y, skeleton, clip)
    return walk(net, x, emb, y, skeleton, clip, TorchHost(emb, context))
