"""The thing of given frames: found, cut out, and drafted on a path that passes through where it stands."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stunet_core.mini.poses.drawing import LENGTH, drawing
from stunet_core.mini.poses.given_thing import (
    GivenThing,
    drafts_of,
    given_thing,
    given_whole,
    gone_on,
    nearest_path,
    outlined,
    standing_out,
)


def frame(top: int, left: int, height: int = 16, width: int = 16) -> Tensor:
    """8 h w: a background that shades from top to bottom, and a thing of 5 x 4 cells with a hole in it."""
    latents = torch.linspace(-0.5, 0.5, height)[None, :, None].expand(8, -1, width).clone()
    thing = torch.randn(8, 5, 4, generator=torch.Generator().manual_seed(1)) + 2
    thing[:, 2, 1] = latents[:, top + 2, left + 1]
    latents[:, top:top + 5, left:left + 4] = thing
    return latents


def decode(latents: Tensor) -> Tensor:
    """The first three channels as colours, a cell 16 x 16 pixels."""
    return (latents[:, :3] / 4).repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)


def encode(pixels: Tensor) -> Tensor:
    """The same the other way, what the other channels said is zero."""
    return F.pad(F.avg_pool2d(pixels, 16) * 4, (0, 0, 0, 0, 0, 5))


def clip(given: dict[int, Tensor], frames: int = 9) -> tuple[Tensor, Tensor]:
    """Mask f h w and latents f 8 h w"""
    first = next(iter(given.values()))
    mask, latents = torch.ones(frames, *first.shape[1:]), torch.randn(frames, *first.shape)
    for at, shown in given.items():
        mask[at], latents[at] = 0, shown
    return mask, latents


def found(given: dict[int, Tensor]) -> GivenThing | None:
    mask, latents = clip(given)
    return given_thing((mask == 0).flatten(1).all(dim=1), latents, decode)


@pytest.mark.parametrize("size", [(16, 16), (12, 20)])
def test_what_stands_out_from_the_border_is_the_thing_without_holes(size: tuple[int, int]) -> None:
    found = standing_out(frame(6, 3, *size))
    expected = torch.zeros(size, dtype=torch.bool)
    expected[6:11, 3:7] = True
    assert found is not None and torch.equal(found, expected)


def test_a_background_alone_shows_no_thing() -> None:
    plain = torch.linspace(-0.5, 0.5, 16)[None, :, None].expand(8, -1, 16)
    assert standing_out(plain) is None
    assert standing_out(torch.zeros(8, 16, 16)) is None


def test_only_clips_of_whole_frames_are_looked_at() -> None:
    mask, _ = clip({0: frame(6, 3)})
    given = given_whole(mask)
    assert given is not None and given.nonzero().tolist() == [[0]]
    assert given_whole(torch.ones_like(mask)) is None and given_whole(torch.zeros_like(mask)) is None
    mask[3, :8] = 0
    assert given_whole(mask) is None


def test_frames_that_show_no_thing_have_none() -> None:
    assert found({0: torch.zeros(8, 16, 16), 4: frame(6, 3)}) is None


@pytest.mark.parametrize("size", [(16, 16), (12, 20)])
def test_a_thing_is_drafted_as_it_is_where_it_is(size: tuple[int, int]) -> None:
    shown = frame(6, 3, *size)
    thing = found({4: shown})
    assert thing is not None
    assert thing.poses[4, :2].tolist() == pytest.approx([5 / size[1], 8.5 / size[0]], abs=0.02)
    guess = torch.tensor([0.5, 0.5, -0.7, 0.3, 1.0]).expand(9, 5)
    drawn = drafts_of(*gone_on(guess, thing), thing, encode)
    assert drawn.shape == (9, 18, *size)
    for k in (0, 4, 8):
        assert (drawn[k, :3, 6:11, 3:7] - shown[:3, 6:11, 3:7]).abs().mean() < 0.3
    assert drawn[:, 8].sum().item() == pytest.approx(9 * 20, rel=0.1)
    assert not drawn[:, 9:].any(), "no second thing"


def test_a_thing_is_cut_out_along_its_own_edge() -> None:
    """Not along those of the cells that it covers."""
    pixels = np.full((256, 256, 3), 200, np.uint8)
    pixels[70:150, 90:170] = 30, 60, 120
    cells = np.zeros((16, 16), bool)
    cells[4:10, 5:11] = True
    coverage = outlined(pixels, cells)
    wanted = np.zeros((256, 256))
    wanted[70:150, 90:170] = 1
    assert coverage.shape == (256, 256) and np.abs(coverage - wanted).sum() < 0.06 * wanted.sum()
    assert (outlined(pixels, cells) == coverage).all()


def line(poses: dict[int, tuple[float, ...]], frames: int) -> GivenThing:
    """A thing at these poses of given frames."""
    shown = drawing(np.full((16, 16, 4), 255, np.uint8))
    placed, given = torch.zeros(frames, 5), torch.zeros(frames, dtype=torch.bool)
    for at, pose in poses.items():
        placed[at], given[at] = torch.tensor(pose), True
    return GivenThing(placed, tuple(shown if there else None for there in given.tolist()), given, (16, 16))


def test_a_path_is_moved_to_pass_through_what_is_given() -> None:
    guess = torch.zeros(9, 5)
    guess[:, 0], guess[:, 3] = torch.linspace(0, 0.8, 9), torch.linspace(0, 1.6, 9)
    poses, nearest = gone_on(guess, line({2: (0.4, 0.6, -1, 0, 1), 6: (0.6, 0.2, -1, 0, 1)}, 9))
    assert poses[:, 0].tolist() == pytest.approx([0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8])
    assert poses[:, 1].tolist() == pytest.approx([0.6, 0.6, 0.6, 0.5, 0.4, 0.3, 0.2, 0.2, 0.2])
    assert poses[[2, 6], 3].tolist() == pytest.approx([0, 0], abs=1e-6), "its picture is turned as it is"
    assert bool((poses[:, 4] == 1).all())
    assert nearest.tolist() == [2, 2, 2, 2, 2, 6, 6, 6, 6]


def test_a_swing_is_met_in_its_phase() -> None:
    """Of paths that are each a little later, the one that goes as the thing did, though it went so elsewhere; of one frame, the nearest."""
    at = torch.arange(20.0)
    paths = torch.zeros(12, 20, 5)
    paths[:, :, 0] = 0.5 + 0.3 * torch.sin((at + torch.arange(12.0)[:, None]) * torch.pi / 6)
    thing = line({k: (float(paths[5, k, 0]) + 0.1, 0.0, -1, 0, 1) for k in range(8)}, 20)
    assert torch.equal(nearest_path(paths, thing), paths[5])
    assert torch.equal(nearest_path(paths, line({0: (0.8, 0.0, -1, 0, 1)}, 20)), paths[3])


def test_in_a_loop_the_first_given_frame_comes_after_the_last() -> None:
    poses, nearest = gone_on(torch.zeros(8, 5), line({0: (0.2, 0.5, -1, 0, 1), 4: (0.6, 0.5, -1, 0, 1)}, 8), loop=True)
    assert poses[:, 0].tolist() == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6, 0.5, 0.4, 0.3])
    assert nearest.tolist() == [0, 0, 0, 4, 4, 4, 4, 0]


def test_a_picture_of_the_book_is_of_another_length() -> None:
    thing = found({0: frame(6, 3)})
    assert thing is not None and (shown := thing.drawings[0]) is not None
    assert shown.length == pytest.approx(5 / 16, abs=0.02) and shown.length < LENGTH
