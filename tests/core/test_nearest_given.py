"""Unknown cells are filled with the nearest given frame's: a first frame stands before every frame's spatial layers."""

import pytest
import torch
from torch import Tensor

from stunet_core.mini.inputs import alone, beside, beside_clip, coordinates
from stunet_core.mini.nearest_given import nearest_given


def nearest(given: Tensor, keep: Tensor, loop: bool = False) -> Tensor:
    """The same cell by cell: f c h w, f 1 h w"""
    out, frames = torch.zeros_like(given), len(given)
    rounds = (-1, 0, 1) if loop else (0,)
    for y in range(given.shape[2]):
        for x in range(given.shape[3]):
            times = [f + frames * k for k in rounds for f in range(frames) if keep[f, 0, y, x]]
            for f in range(frames):
                if times:
                    out[f, :, y, x] = given[min(times, key=lambda time: (abs(time - f), time)) % frames, :, y, x]
    return out


@pytest.mark.parametrize("loop", [False, True])
def test_a_cell_shows_what_it_was_at_the_nearest_time_and_rows_do_not_mix(loop: bool) -> None:
    g = torch.Generator().manual_seed(0)
    given, keep = torch.randn(3 * 9, 4, 5, 6, generator=g), torch.rand(3 * 9, 1, 5, 6, generator=g) < 0.15
    expected = torch.cat([nearest(z, k, loop) for z, k in zip(given.split(9), keep.split(9), strict=True)])
    assert (expected == 0).any(), "some cells are never given"
    assert torch.equal(nearest_given(given, keep, 9, loop), expected)
    across = given[:9, :, :1, :1].clone()
    keep = torch.zeros(9, 1, 1, 1, dtype=torch.bool)
    keep[[2, 8]] = True
    assert torch.equal(nearest_given(across, keep, 9, loop)[0], across[8 if loop else 2]), "of a loop, across its seam"


def test_the_input_tells_what_is_given_from_what_is_filled_in() -> None:
    g = torch.Generator().manual_seed(1)
    given, mask = torch.randn(8, 8, 4, 6, generator=g), torch.ones(8, 1, 4, 6)
    mask[0] = 0
    drafts = torch.randn(8, 18, 4, 6, generator=g)
    out = beside_clip(mask, given, 8, drafts)
    assert torch.equal(out[:, :1], mask)
    assert torch.equal(out[:, 1:9], given[:1].expand(8, -1, -1, -1))
    assert torch.equal(out[:, 9:11], coordinates(4, 6).expand(8, -1, -1, -1)) and torch.equal(out[:, 11:], drafts)
    assert not beside_clip(torch.ones(4, 1, 2, 2), torch.ones(4, 8, 2, 2), 4)[:, 1:9].any(), "nothing given, nothing filled in"
    assert beside(mask, given).shape[1] == 29 and not beside(mask, given)[:, 11:].any(), "without drafts nothing is drawn"


def test_coordinates_run_over_the_whole_frame_x_first() -> None:
    x, y = coordinates(3, 5)
    assert x[:, 0].eq(-1.5).all() and x[:, -1].eq(1.5).all() and y[0].eq(-1.5).all() and y[-1].eq(1.5).all()
    assert x[1, 2] == y[1, 2] == 0


def test_a_row_of_which_nothing_is_given_is_alone() -> None:
    mask = torch.ones(6, 1, 2, 2)
    mask[1, 0, 1, 1] = 0
    assert alone(mask, 3).tolist() == [False] * 3 + [True] * 3
