"""Frame-wise work over chunks of frames, so that peak memory is that of one chunk; smaller ones where memory is short."""

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

log = logging.getLogger(__name__)
OUT_OF_MEMORY: type[Exception] = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)  # its name since torch 2.5


class Chunks:
    """How many `frames` are worked on at once (None: all). Halved whenever they do not fit into memory, and kept so.

    `frames` are those of the finest level; a frame of each coarser one holds half as many values, so twice as many fit.
    """

    def __init__(self, frames: float | None = None):
        self.frames = frames

    def at(self, level: int, frames: int) -> int:
        """How many of `frames` at once, at that level of the U-Net."""
        return frames if self.frames is None else min(frames, max(1, int(self.frames * 2**level)))

    def run(self, fn: Callable[..., Tensor], tensors: Sequence[Tensor], rows: Tensor, batch: int, level: int = 0) -> Tensor:
        """fn(*tensors, rows) over chunks of frames of (batch frames) tensors; every chunk holds all of the batch.

        Of a tensor with fewer frames, each stands for as many as it takes to reach those of `rows`.
        """
        frames = rows.numel() // batch
        out: Tensor | None = None
        start = 0
        while start < frames:
            size = min(self.at(level, frames), frames - start)
            part = slice(start, start + size)
            chunk = [t if size == frames and len(t) == len(rows) else taken(t.unflatten(0, (batch, -1)), frames, part).flatten(0, 1)
                     for t in (*tensors, rows)]  # hosts know the rows of a whole level again
            done = self.attempt(fn, chunk, size, level)
            if done is None:
                continue
            if size == frames:
                return done
            done = done.unflatten(0, (batch, size))
            if out is None:
                out = like(done, frames)
            out[:, part] = done
            start += size
        assert out is not None
        return out.flatten(0, 1)

    def attempt(self, fn: Callable[..., Tensor], arguments: Sequence[Tensor], size: int, level: int = 0) -> Tensor | None:
        """fn(*arguments), which works on `size` frames; or None when memory fell short, and fewer are to be tried."""
        try:
            return fn(*arguments)
        except OUT_OF_MEMORY:
            if size <= 1:
                raise
        self.frames = size // 2 / 2**level  # here, not above: what the failed attempt held is free only now
        log.warning("STUNet: out of memory with %d frames at once; going on with %d", size, size // 2)
        return None


def taken(t: Tensor, frames: int, part: slice) -> Tensor:
    """b f ... -> that part of it, were its frames repeated until there are `frames`."""
    repeats = frames // t.shape[1]
    if repeats == 1:
        return t[:, part]
    return t[:, torch.arange(part.start, part.stop, device=t.device) // repeats]


def like(done: Tensor, frames: int) -> Tensor:
    """Room for `frames` frames of what `done` (b f ...) has some of, with channels last where it has them last."""
    if done.ndim == 5 and done.stride(2) == 1:
        b, _, c, h, w = done.shape
        return done.new_empty(b, frames, h, w, c).permute(0, 1, 4, 2, 3)
    return done.new_empty(done.shape[0], frames, *done.shape[2:])
