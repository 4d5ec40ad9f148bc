"""Work over chunks of frames, and what happens when one does not fit into memory."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor

from stunet_core.model.chunks import OUT_OF_MEMORY, Chunks


class Device:
    """Adds one to frames; has room for so many at once."""

    def __init__(self, room: int):
        self.room = room
        self.sizes: list[int] = []

    def __call__(self, h: Tensor, rows: Tensor) -> Tensor:
        self.sizes.append(len(h))
        if len(h) > self.room:
            raise OUT_OF_MEMORY("CUDA out of memory")
        assert torch.equal(h[:, 0], rows.float())
        return h + 1


def run(chunks: Chunks, device: Device, batch: int = 2, frames: int = 10) -> Tensor:
    rows = torch.arange(batch * frames)
    return chunks.run(device, (rows.float()[:, None],), rows, batch)


@pytest.mark.parametrize("frames", [None, 1, 3, 10, 50])
def test_any_chunk_gives_the_same(frames: int | None) -> None:
    assert torch.equal(run(Chunks(frames), Device(20)), torch.arange(20)[:, None] + 1.0)


def test_out_of_memory_halves_the_chunk_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """Two conditionings of at most three frames fit; frames that were done are not done again."""
    chunks, device = Chunks(8), Device(6)
    with caplog.at_level(logging.WARNING):
        out = run(chunks, device)
    assert torch.equal(out, torch.arange(20)[:, None] + 1.0)
    assert chunks.frames == 2
    assert device.sizes == [16, 8, 4, 4, 4, 4, 4]
    assert [r.getMessage() for r in caplog.records] == [
        "STUNet: out of memory with 8 frames at once; going on with 4",
        "STUNet: out of memory with 4 frames at once; going on with 2"]
    device.sizes.clear()
    run(chunks, device)
    assert device.sizes == [4] * 5, "it is remembered"


def test_one_frame_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(OUT_OF_MEMORY):
        run(Chunks(), Device(1))
