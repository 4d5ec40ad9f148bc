"""Overlapping windows in time, for comparison with the single pass: what models without time strides must do.

Each window is denoised as a clip of its own and the results are averaged where windows overlap (MultiDiffusion, 2302.08113,
along time); a window knows nothing of what lies beyond the overlap.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """`frames` per window, of which `overlap` are shared with the next one."""

    frames: int = 16
    overlap: int = 4

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"frames={self.frames}: a window needs at least 1")
        if not 0 <= self.overlap < self.frames:
            raise ValueError(f"overlap={self.overlap}: give 0 to {self.frames - 1} for windows of {self.frames} frames")

    def starts(self, total: int) -> list[int]:
        """First frames of the windows over a clip of `total` frames; the last one ends with the clip."""
        last = max(0, total - self.frames)
        return [*range(0, last, self.frames - self.overlap), last]

    def weights(self, total: int) -> Tensor:
        """How much each window counts at each frame: (windows total), columns summing to 1, ramps where they overlap."""
        length = min(self.frames, total)
        ramp = torch.arange(1, length + 1)
        hat = torch.minimum(torch.minimum(ramp, ramp.flip(0)), torch.tensor(self.overlap + 1)).double()
        starts = self.starts(total)
        out = torch.zeros(len(starts), total, dtype=torch.float64)
        for row, start in zip(out, starts, strict=True):
            row[start:start + length] = hat
        return (out / out.sum(0)).float()


def windowed(denoise: Callable[[Tensor, int], Tensor], x: Tensor, windows: Windows) -> Tensor:
    """`denoise(part, first frame)` over windows of x (f ...), averaged by their weights -> f ..."""
    total = len(x)
    out = torch.zeros_like(x)
    for start, weight in zip(windows.starts(total), windows.weights(total).to(x), strict=True):
        part = slice(start, start + windows.frames)
        weight = weight[part].reshape(-1, *[1] * (x.ndim - 1))
        out[part] += denoise(x[part], start) * weight
    return out
