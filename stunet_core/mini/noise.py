"""Noise of a clip: part of it is the same in all frames, so that they boil less (Ge et al., 2305.10474)."""

import torch
from torch import Tensor

TRAINED = 0.5  # of the variance, in training, and while sampling where something is given: with more, outlines there are rougher
ALONE = 0.9  # the same while sampling where nothing is given: half of the flicker of 0.5, as sharp (training/RUNS.md)


def share(noise: Tensor, shared: float) -> Tensor:
    """Independent noise of a clip's frames -> noise with `shared` of its variance the same in all of them: f ... -> f ...

    Distributed exactly as `clip_noise`: the frames' mean and their deviations from it, which are independent of each other, are scaled.
    So the same seed gives the same clip whoever drew the noise. A single frame stays as it is.
    """
    mean = noise.mean(dim=0, keepdim=True)
    return (noise - mean) * (1 - shared) ** 0.5 + mean * (1 + (len(noise) - 1) * shared) ** 0.5


def clip_noise(rows: int, frames: int, shape: tuple[int, ...], generator: torch.Generator | None = None, *,
               shared: float) -> Tensor:
    """The same drawn anew: rows frames *shape, a common part and one of each frame's own."""
    common = torch.randn(rows, 1, *shape, generator=generator)
    return shared**0.5 * common + (1 - shared) ** 0.5 * torch.randn(rows, frames, *shape, generator=generator)
