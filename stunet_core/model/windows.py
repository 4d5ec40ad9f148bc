"""Overlapping windows along time: for layers that know only so many frames, and for comparison with the single pass.

Neighbours overlap and fade into one another; a window knows nothing of what lies beyond the overlap.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def windows(frames: int, length: int, overlap: int, loop: bool = False) -> tuple[Tensor, Tensor]:
    """Windows of `length` frames over a clip of `frames`, neighbours sharing at least `overlap`.

    A window counts most in its middle and least at its ends, so that one fades into the next. In a `loop` they run
    across the end of the clip, and there are at least two: the seam of one is the middle of the other.

    Returns:
        k length: frame numbers, and weights that sum to 1 on every frame

    Raises:
        ValueError: a length outside 1 to `frames`, or an overlap that leaves no step forward.
    """
    if not (1 <= length <= frames and 0 <= overlap < length):
        raise ValueError(f"windows of {length} frames that overlap by {overlap} over {frames} frames: the length must "
                         "be 1 to the number of frames, the overlap less than the length")
    step = length - overlap
    if loop:
        count = max(2, -(-frames // step))
        starts = torch.arange(count) * frames // count
    else:
        count = 1 + -(-(frames - length) // step)
        starts = (torch.arange(count) * (frames - length)) // max(1, count - 1)
    index = (starts[:, None] + torch.arange(length)) % frames  # k length
    up = torch.arange(1, length + 1, dtype=torch.float32)
    weight = torch.minimum(up, up.flip(0)).expand(count, -1)   # k length
    total = torch.zeros(frames).index_add(0, index.flatten(), weight.flatten())
    return index, weight / total[index]


def windowed(denoise: Callable[[Tensor], Tensor], x: Tensor, length: int, overlap: int) -> Tensor:
    """`denoise` over windows of the clip x (f ...), each a clip of its own, averaged by their weights -> f ...

    What models without time strides must do (MultiDiffusion, 2302.08113, along time). A shorter clip is one window.
    """
    frames = len(x)
    length = min(length, frames)
    index, weight = windows(frames, length, min(overlap, length - 1))
    out = torch.zeros_like(x)
    for part, share in zip(index, weight, strict=True):
        out.index_add_(0, part.to(x.device), denoise(x[part]) * share.to(x).reshape(-1, *[1] * (x.ndim - 1)))
    return out
