"""The plain torch host: how the walk runs the embedded U-Net's spatial layers in training and in evaluation."""

from collections.abc import Sequence

from torch import Tensor, nn

from ..model.skeleton import Skeleton
from ..model.walk import Block, Clip, walk
from .poses.draft import drafts
from .poses.pose_head import PoseHead
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


def clip_drafts(pose_head: PoseHead, words: Tensor, times: Tensor, pictures: Tensor, shown: Tensor, height: int, width: int) -> Tensor:
    """The drafts of clips' frames where the pose head guesses things to be: (rows frames) 18 h w, 0 where no time is told.

    Args:
        words: rows p, pooled text without what pictures add to it.
        times: rows frames, NaN where they are not told.
        pictures, shown: rows 2 9 n n, and bool rows 2 (`draft.drafts`).
    """
    def each(of_rows: Tensor) -> Tensor:
        return of_rows.repeat_interleave(times.shape[1], dim=0)

    return drafts(pose_head.poses(each(words), times.flatten()), each(pictures), each(shown), height, width)


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
