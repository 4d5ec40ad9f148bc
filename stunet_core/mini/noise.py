"""Noise of a clip: part of it is the same in all frames, so that they boil less (Ge et al., 2305.10474)."""

import torch
from torch import Tensor

SHARED = 0.5  # of the variance


def share(noise: Tensor, shared: float = SHARED) -> Tensor:
    """Independent noise of a clip's frames -> noise with `shared` of its variance the same in all of them: f ... -> f ...

    Distributed exactly as `clip_noise`: the frames' mean and their deviations from it, which are independent of each other, are scaled.
    So the same seed gives the same clip whoever drew the noise. A single frame stays as it is.
    """
    mean = noise.mean(dim=0, keepdim=True)
    return (noise - mean) * (1 - shared) ** 0.5 + mean * (1 + (len(noise) - 1) * shared) ** 0.5


def clip_noise(rows: int, frames: int, shape: tuple[int, ...], generator: torch.Generator | None = None,
               shared: float = SHARED) -> Tensor:
    """The same drawn anew, for training: rows frames *shape, a common part and one of each frame's own."""
    common = torch.randn(rows, 1, *shape, generator=generator)
    return shared**0.5 * common + (1 - shared) ** 0.5 * torch.randn(rows, frames, *shape, generator=generator)
