"""What a pass spends at each level is told by the blocks that begin there."""

from collections import Counter
from itertools import count

import pytest
import torch

from benchmarks.speed.levels import block_levels, level_seconds
from benchmarks.speed.subject import LENGTH, TINY, Subject
from stunet_core.model.layout import read_layout
from stunet_core.model.walk import Clip


@pytest.fixture(scope="module")
def subject():
    with torch.random.fork_rng():
        return Subject(TINY, LENGTH, 64, "cpu", torch.float32)


def test_blocks_stand_at_the_levels_of_their_temporal_blocks(subject):
    levels = {"middle" if kind == "middle" else f"{kind}_{i}": level for (kind, i), level in block_levels(subject.net).items()}
    for place in read_layout(subject.net).positions:
        assert levels[place.name] == place.level


@torch.no_grad()
@pytest.mark.parametrize(("frames", "chunk"), [(LENGTH, 8), (LENGTH, LENGTH), (1, 1)])
def test_every_block_counts_once_however_many_chunks_it_takes(subject, frames, chunk):
    ticks = count()
    spent = level_seconds(subject, Clip(2, frames, ratios=(2, 2, 2), chunk=chunk), lambda: float(next(ticks)))
    blocks = Counter(block_levels(subject.net).values())
    assert spent == [blocks[level] for level in range(4)]
