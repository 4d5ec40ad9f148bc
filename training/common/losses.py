"""The losses that the image and the video stage share."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stunet_core.mini.schedule import TIMESTEPS

NOISY = 0.6  # below 1: more of the steps in which what the prompt says is decided, fewer of those that only sharpen


def draw_timesteps(rng: np.random.Generator, count: int) -> Tensor:
    """Steps of the noise schedule: 1000 u^NOISY, rounded down"""
    return torch.from_numpy((TIMESTEPS * rng.random(count) ** NOISY).astype(np.int64))


def pose_loss(guess: Tensor, true: Tensor) -> Tensor:
    """How far guesses ... 3 6 are from poses ... 3 5 of things that are there, and from saying which are."""
    there = true[..., 4]
    turned = torch.stack([true[..., 3].sin(), true[..., 3].cos()], dim=-1) * 0.3
    wanted = torch.cat([true[..., :2], true[..., 2:3] * 0.5, turned], dim=-1)
    found = torch.cat([guess[..., :2], guess[..., 2:3] * 0.5, guess[..., 3:5] * 0.3], dim=-1)
    apart = F.smooth_l1_loss(found, wanted, beta=0.05, reduction="none").sum(-1)
    return (apart * there).sum() / there.sum().clamp(min=1) + 0.1 * F.binary_cross_entropy_with_logits(guess[..., 5], there)


class LabelHeads(nn.Module):
    """What captions say must be readable in the pooled text: one linear head for each kind of label."""

    def __init__(self, dim: int, sizes: tuple[int, ...]):
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(dim, size) for size in sizes)

    def forward(self, pooled: Tensor, labels: Tensor) -> Tensor:
        """pooled: b p; labels: b kinds, -1 where a caption does not say -> the sum of cross-entropies"""
        losses = [F.cross_entropy(head(pooled), said, ignore_index=-1, reduction="sum") / (said >= 0).sum().clamp(min=1)
                  for head, said in zip(self.heads, labels.unbind(1), strict=True)]
        return torch.stack(losses).sum()

    @torch.no_grad()
    def right(self, pooled: Tensor, labels: Tensor) -> list[float]:
        """For each kind the share of what captions say that is read off correctly."""
        return [float((head(pooled).argmax(1) == said)[said >= 0].float().mean())
                for head, said in zip(self.heads, labels.unbind(1), strict=True)]
