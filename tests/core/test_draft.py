"""Drafts: a thing's picture is drawn where the thing is, as large, turned as it is, and nowhere else."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stunet_core.mini.frame_time import told
from stunet_core.mini.poses.draft import SEEN, drafts, encoded, instances
from stunet_core.mini.poses.drafter import Drafter
from stunet_core.mini.poses.drawing import LENGTH, Drawing, decoded, drawing, over, paint
from stunet_core.mini.poses.places import INSIDE, in_holes, poses_of
from stunet_core.mini.poses.pose_head import to_pose
from stunet_core.mini.recolour import GROUND
from tests import tiny

CHANNELS, CELLS, _ = tiny.CONFIG.picture_shape
SIDE = 192


def thing(length: float = LENGTH) -> Drawing:
    """A block of 128 x 96 pixels, red above and green below."""
    rgba = np.zeros((SIDE, SIDE, 4), np.uint8)
    rgba[32:160, 48:144, 3] = 255
    rgba[32:96, 48:144, 0] = rgba[96:160, 48:144, 1] = 255
    return drawing(rgba, length)


def pose(x: float = 0.5, y: float = 0.5, size: float = LENGTH, angle: float = 0.0, there: float = 1.0) -> np.ndarray:
    return np.array([x, y, math.log2(size), angle, there], np.float32)


def alike(made: np.ndarray, wanted: np.ndarray) -> bool:
    """Equal but for the pixels along edges, which lie between."""
    return bool(np.abs(made.astype(float) - wanted).mean() < 1.5)


def test_upright_in_the_middle_and_as_large_as_in_its_picture_it_is_the_picture() -> None:
    assert thing().middle == pytest.approx((0.5, 0.5))
    assert alike(paint(pose(), thing(), SIDE, SIDE), thing().rgba)


def test_a_quarter_turn_is_clockwise() -> None:
    assert alike(paint(pose(angle=math.pi / 2), thing(), SIDE, SIDE), np.rot90(thing().rgba, -1))


def test_what_is_elsewhere_is_not_seen() -> None:
    assert not paint(pose(x=2.0), thing(), SIDE, SIDE).any()


def test_a_pose_is_where_the_things_middle_is_wherever_its_picture_has_it() -> None:
    moved = drawing(np.roll(thing().rgba, (16, 32), (0, 1)))
    assert moved.middle == pytest.approx((8 / 12, 7 / 12))
    assert alike(paint(pose(), moved, SIDE, SIDE), thing().rgba)


def test_a_thing_is_as_large_whatever_part_of_its_picture_it_fills() -> None:
    assert alike(paint(pose(size=LENGTH / 2), thing(LENGTH / 2), SIDE, SIDE), thing().rgba)


@pytest.mark.parametrize("longer", [128, 192, 256])
def test_things_in_wide_and_in_tall_frames_are_as_in_a_square_of_the_shorter_side(longer: int) -> None:
    square = paint(pose(size=0.4), thing(), 128, 128)
    wide, tall = paint(pose(x=64 / longer, size=0.4), thing(), 128, longer), paint(pose(y=64 / longer, size=0.4), thing(), longer, 128)
    assert alike(wide[:, :128], square) and not wide[:, 128:].any()
    assert alike(tall[:128], square) and not tall[128:].any()


def test_what_is_in_front_hides_what_is_behind() -> None:
    red, half = np.full((2, 2, 4), (255, 0, 0, 255), np.uint8), np.full((2, 2, 4), (0, 100, 0, 128), np.uint8)
    assert (over(red, half) == red).all() and over(half, red)[0, 0].tolist() == [127, 100, 0, 255]


def test_a_picture_of_the_book_is_drawn_with_the_outline_that_its_pixels_have() -> None:
    """Its coverage is known of cells of 16 pixels only."""
    rgba = thing().rgba.astype(np.float32)
    pixels = torch.from_numpy(rgba[..., :3] + (1 - rgba[..., 3:] / 255) * GROUND).movedim(-1, 0)[None] / 127.5 - 1
    coverage = F.avg_pool2d(torch.from_numpy(rgba[None, ..., 3] / 255), 16)
    picture = torch.cat([torch.zeros(CHANNELS - 1, CELLS, CELLS), coverage * 2 - 1])
    found = decoded(picture, lambda latents: pixels)
    assert np.abs(found.rgba.astype(int) - thing().rgba).max() <= 1 and found.length == LENGTH
    whole = decoded(picture, lambda latents: torch.full_like(pixels, GROUND / 127.5 - 1))
    assert (whole.rgba[48:144, 48:144, 3] == 255).all() and not whole.rgba[:16].any(), "grey inside is not a hole"


def test_a_mask_is_as_large_in_wide_and_in_tall_frames() -> None:
    """Half of the shorter side, in the middle of the first such square of the frame"""
    for height, width, x, y in ((16, 16, 0.5, 0.5), (16, 32, 0.25, 0.5), (32, 16, 0.5, 0.25)):
        mask = torch.zeros(1, height, width)
        mask[:, 4:12, 6:10] = 1
        assert torch.allclose(poses_of(mask), torch.tensor([[x, y, -1.0, 0.0, 1.0]]))


def test_a_thing_goes_into_a_hole_and_nowhere_else() -> None:
    hole = torch.zeros(2, 16, 16)
    hole[0, 4:12, 6:10], hole[1, 4:12, 8:12] = 1, 1
    found = in_holes(hole)
    assert found is not None and torch.allclose(found[:, 0], torch.tensor([0.5, 0.625])) and torch.allclose(found[:, 4], torch.ones(2))
    assert torch.allclose(found[:, 2], torch.tensor(INSIDE / 4).log2().expand(2)), "the shorter side"
    given_first, around = hole.clone(), 1 - hole
    given_first[0] = 0
    assert in_holes(given_first) is None and in_holes(around) is None and in_holes(torch.ones(2, 16, 16)) is None


def encode(pixels: Tensor) -> Tensor:
    """Eight channels, each the mean of a cell's colours."""
    return F.avg_pool2d(pixels.mean(dim=1, keepdim=True), 16).expand(-1, CHANNELS - 1, -1, -1)


def test_what_hardly_covers_a_cell_is_shown_faintly_and_what_does_not_is_not() -> None:
    rgba = np.zeros((1, 16, 48, 4), np.uint8)
    rgba[0, :, :16], rgba[0, :, 16] = 255, 255
    shown = encoded(rgba, encode)
    grey = GROUND / 127.5 - 1
    assert shown.shape == (1, 9, 1, 3)
    assert shown[0, 8, 0].tolist() == pytest.approx([1, 1 / 16, 0])
    assert shown[0, 0, 0].tolist() == pytest.approx([1, (grey + (1 - grey) / 16) / 16 / SEEN, 0], abs=1e-2)


def three(*poses: np.ndarray) -> Tensor:
    return torch.from_numpy(np.stack([*poses, *[pose(there=0)] * (3 - len(poses))]))[None]


def test_two_things_stand_in_two_slots_and_two_of_a_kind_in_one() -> None:
    assert instances(0, True) == [0, 2] and instances(1, True) == [1] and instances(0, False) == [0, 1, 2] and instances(1, False) == []
    left, right = pose(x=0.25, size=0.4), pose(x=0.75, size=0.4)
    both, same = (drafts(three(left, right), shown, encode, 16, 16) for shown in ([thing(), thing()], [thing(), None]))
    none = drafts(three(left, right), [None, None], encode, 16, 16)
    alone = [encoded(paint(one, thing(), 256, 256)[None], encode) for one in (left, right)]
    assert torch.equal(both[:, :9], alone[0]) and torch.equal(both[:, 9:], alone[1])
    assert torch.allclose(same[:, :9], alone[0] + alone[1], atol=1e-5) and not same[:, 9:].any()
    assert none.shape == (1, 18, 16, 16) and not none.any()


def test_what_is_not_there_is_zero_and_what_is_half_there_is_half_as_strong() -> None:
    whole, half, none = (drafts(three(pose(there=there)), [thing(), None], encode, 16, 16) for there in (1, 0.5, 0))
    assert whole.any() and torch.allclose(half, whole / 2) and not none.any()


def test_a_guess_of_zeros_is_upright_and_absent() -> None:
    guess = torch.tensor([[0.5, 0.5, -0.7, 0.0, 1.0, 0.0], [0.2, 0.3, -1.0, 1.0, 0.0, 0.1]])
    assert torch.allclose(to_pose(guess), torch.tensor([[0.5, 0.5, -0.7, 0.0, 0.0], [0.2, 0.3, -1.0, math.pi / 2, 1.0]]))


def test_frames_have_drafts_of_their_own_times_and_none_where_no_time_is_told() -> None:
    drafter, words = Drafter(tiny.pose_head(), tiny.autoencoder()), torch.randn(1, 32, generator=torch.Generator().manual_seed(0))
    times = torch.tensor([-30.0, 0.0, torch.nan])
    pictures = torch.randn(2, CHANNELS, CELLS, CELLS, generator=torch.Generator().manual_seed(0))
    poses = drafter.guess(words, times)
    assert torch.allclose(poses[1], to_pose(drafter.head(words, told(times[1:2])))[0], atol=1e-5) and not poses[2].any()
    made = drafter.drawn(poses, pictures, torch.tensor([True, False]), 16, 16)
    assert made[0].any() and not torch.allclose(made[0], made[1]) and not made[2].any() and not made[:, 9:].any()
