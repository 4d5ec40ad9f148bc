"""Frame-wise work over chunks of frames, so that peak memory is that of one chunk; smaller ones where memory is short."""

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

log = logging.getLogger(__name__)
OUT_OF_MEMORY: type[Exception] = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)  # its name since torch 2.5


class Chunks:
    """How many `frames` are worked on at once (None: all). Halved whenever they do not fit into memory, and kept so."""

    def __init__(self, frames: int | None = None):
        self.frames = frames

    def run(self, fn: Callable[..., Tensor], tensors: Sequence[Tensor], rows: Tensor, batch: int) -> Tensor:
        """fn(*tensors, rows) over chunks of frames of (batch frames) tensors; every chunk holds all of the batch."""
        frames = rows.numel() // batch
        split = [t.unflatten(0, (batch, frames)) for t in tensors]
        grid = rows.view(batch, frames)
        out: Tensor | None = None
        start = 0
        while start < frames:
            size = min(self.frames or frames, frames - start)
            part = slice(start, start + size)
            chunk = [t[:, part].flatten(0, 1) for t in (*split, grid)] if size < frames else [*tensors, rows]
            done = self.attempt(fn, chunk, size)
            if done is None:
                continue
            if size == frames:
                return done
            done = done.unflatten(0, (batch, size))
            if out is None:
                out = done.new_empty(batch, frames, *done.shape[2:])
            out[:, part] = done
            start += size
        assert out is not None
        return out.flatten(0, 1)

    def attempt(self, fn: Callable[..., Tensor], arguments: Sequence[Tensor], size: int) -> Tensor | None:
        """fn(*arguments), which works on `size` frames; or None when memory fell short, and fewer are to be tried."""
        try:
            return fn(*arguments)
        except OUT_OF_MEMORY:
            if size <= 1:
                raise
        self.frames = size // 2  # here, not above: what the failed attempt held is free only now
        log.warning("STUNet: out of memory with %d frames at once; going on with %d", size, self.frames)
        return None
