"""The plain torch host: how the walk runs the embedded U-Net's spatial layers in training and in evaluation."""

from collections.abc import Sequence

from torch import Tensor, nn

from ..model.skeleton import Skeleton
from ..model.walk import Block, Clip, walk
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
    """The clip model's prediction v, (rows frames) c h w.

    Args:
        x: (rows frames) in_channels h w, noisy latents and what stands beside them (`inputs.beside_clip`).
        timesteps: rows.
        context: rows n c, one text for all frames of a clip.
        y: (rows frames) y_channels, pooled text and each frame's time (`frame_time.with_time`); temporal blocks hear it too.
    """
    emb = net.embed(timesteps.repeat_interleave(clip.frames, dim=0), y)
    return walk(net, x, emb, y, skeleton, clip, TorchHost(emb, context))
