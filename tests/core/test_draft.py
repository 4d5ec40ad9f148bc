"""Drafts: a thing's picture is drawn where the thing is, as large, turned as it is, and nowhere else."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from stunet_core.mini.frame_time import told
from stunet_core.mini.host import clip_drafts
from stunet_core.mini.poses.draft import LENGTH, centroid, drafts, draw
from stunet_core.mini.poses.places import INSIDE, in_holes, poses_of
from stunet_core.mini.poses.pose_head import to_pose
from tests import tiny

CHANNELS, CELLS, _ = tiny.CONFIG.picture_shape


def picture(seed: int = 0) -> Tensor:
    """1 9 12 12: latents at random; the thing covers the middle."""
    coverage = torch.full((1, 1, CELLS, CELLS), -1.0)
    coverage[..., 2:10, 3:9] = 1
    return torch.cat([torch.randn(1, CHANNELS - 1, CELLS, CELLS, generator=torch.Generator().manual_seed(seed)), coverage], dim=1)


def covered(picture: Tensor) -> Tensor:
    """What of a picture a draft shows."""
    coverage = (picture[:, 8:] + 1) / 2
    return torch.cat([picture[:, :8] * coverage, coverage], dim=1)


def pose(x: float = 0.5, y: float = 0.5, size: float = LENGTH, angle: float = 0.0, there: float = 1.0) -> Tensor:
    return torch.tensor([[x, y, math.log2(size), angle, there]])


def test_upright_in_the_middle_and_as_large_as_in_its_picture_it_is_the_picture() -> None:
    assert torch.allclose(draw(pose(), picture(), CELLS, CELLS), covered(picture()), atol=1e-5)


def test_a_quarter_turn_is_clockwise() -> None:
    assert torch.allclose(draw(pose(angle=math.pi / 2), picture(), CELLS, CELLS), covered(picture()).rot90(-1, (2, 3)), atol=1e-5)


def test_what_is_not_there_or_elsewhere_is_zero() -> None:
    assert not draw(pose(there=0), picture(), CELLS, CELLS).any()
    assert not draw(pose(x=2.0), picture(), CELLS, CELLS).any()


def test_a_pose_is_where_the_things_middle_is_wherever_its_picture_has_it() -> None:
    moved = picture().roll((1, 2), (2, 3))
    assert torch.allclose(centroid(moved), torch.tensor([[8 / 12, 7 / 12]]))
    assert torch.allclose(draw(pose(), moved, CELLS, CELLS), covered(picture()), atol=1e-5)


@pytest.mark.parametrize("longer", [8, 12, 16])
def test_things_in_wide_and_in_tall_frames_are_as_in_a_square_of_the_shorter_side(longer: int) -> None:
    square, small = draw(pose(size=0.4), picture(), 8, 8), {"size": 0.4}
    wide, tall = draw(pose(x=4 / longer, **small), picture(), 8, longer), draw(pose(y=4 / longer, **small), picture(), longer, 8)
    assert torch.allclose(wide[..., :8], square, atol=1e-5) and not wide[..., 8:].any()
    assert torch.allclose(tall[..., :8, :], square, atol=1e-5) and not tall[..., 8:, :].any()


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


def test_a_thing_is_as_large_whatever_part_of_its_picture_it_fills() -> None:
    small = draw(pose(size=LENGTH / 2), picture(), CELLS, CELLS, length=torch.tensor([LENGTH / 2]))
    assert torch.allclose(small, covered(picture()), atol=1e-5)
    poses, lengths = two(pose(size=0.4), pose(size=0.3)), torch.tensor([[0.8, 0.6]])
    both = drafts(poses, **slots(True, True), lengths=lengths)
    assert torch.equal(both[:, :9], draw(poses[:, 0], picture(0), 16, 16, 0.8))
    assert torch.equal(both[:, 9:], draw(poses[:, 1], picture(1), 16, 16, 0.6))
    assert torch.equal(drafts(poses, **slots(True, True), lengths=torch.full((1, 2), LENGTH)), drafts(poses, **slots(True, True)))


def two(first: Tensor, second: Tensor, third: Tensor | None = None) -> Tensor:
    return torch.stack([first, second, pose(there=0) if third is None else third], dim=1)


def slots(*shown: bool) -> dict[str, Any]:
    return {"pictures": torch.stack([picture(0), picture(1)], dim=1), "shown": torch.tensor([shown]), "height": 16, "width": 16}


def test_two_things_stand_in_two_slots_and_two_of_a_kind_in_one() -> None:
    poses = two(pose(x=0.25, size=0.4), pose(x=0.75, size=0.4))
    both, same, none = (drafts(poses, **slots(*shown)) for shown in ((True, True), (True, False), (False, False)))
    left, right = (draw(poses[:, k], picture(k), 16, 16) for k in (0, 1))
    assert torch.equal(both[:, :9], left) and torch.equal(both[:, 9:], right)
    assert torch.allclose(same[:, :9], left + draw(poses[:, 1], picture(0), 16, 16), atol=1e-5) and not same[:, 9:].any()
    assert not none.any()


def test_where_things_of_a_kind_meet_the_one_that_covers_most_is_seen() -> None:
    poses = two(pose(size=0.3), pose(there=0), pose(size=0.8))
    one = drafts(poses, **slots(True, False))[:, :9]
    small, large = (draw(poses[:, k], picture(), 16, 16) for k in (0, 2))
    assert torch.equal(one, torch.where(large[:, 8:] > small[:, 8:], large, small))


def test_a_guess_of_zeros_is_upright_and_absent() -> None:
    guess = torch.tensor([[0.5, 0.5, -0.7, 0.0, 1.0, 0.0], [0.2, 0.3, -1.0, 1.0, 0.0, 0.1]])
    assert torch.allclose(to_pose(guess), torch.tensor([[0.5, 0.5, -0.7, 0.0, 0.0], [0.2, 0.3, -1.0, math.pi / 2, 1.0]]))


def test_frames_have_drafts_of_their_own_times_and_none_where_no_time_is_told() -> None:
    head, words = tiny.pose_head(), torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
    times = torch.tensor([[-30.0, 0.0, 30.0], [torch.nan, torch.nan, 0.0]])
    shown = torch.tensor([[True, False]] * 2)
    pictures = torch.stack([picture(0), picture(1)], dim=1).expand(2, -1, -1, -1, -1)
    made = clip_drafts(head, words, times, pictures, shown, 16, 16)
    expected = drafts(to_pose(head(words[:1], told(times[0, 2:]))), pictures[:1], shown[:1], 16, 16)
    assert torch.allclose(made[2:3], expected, atol=1e-4) and expected.any()
    assert not torch.allclose(made[0], made[2]) and not made[3:5].any()
