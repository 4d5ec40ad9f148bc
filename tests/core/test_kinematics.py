"""Speeds read off paths: right on the renderer's own, and wrong when the thing goes the other way."""

import numpy as np
import pytest

from training.judges.kinematics import AXIS, CYCLES, Track, says_speed, speed, speed_error, track_correlation
from training.world import Scene, render
from training.world.scene import Thing

MEASURED = (*AXIS, *CYCLES, "grow", "shrink", "shake")


def scene(motion: str, factor: float, named: frozenset[str] = frozenset({"object", "motion", "speed"})) -> Scene:
    return Scene((Thing("apple", "flat", 0.4, 0.5, 0.5, motion, factor, 0.7),), "green", named=named)


def path(of: Scene) -> Track:
    clip = render(of, size=64)
    return Track(clip.centre / 64, clip.mask.mean((1, 2)))


@pytest.mark.parametrize("motion", MEASURED)
@pytest.mark.parametrize("factor", [0.6, 1.0, 1.5])
def test_the_renderers_speed_is_found(motion, factor):
    error = speed_error(scene(motion, factor), path(scene(motion, factor)))
    assert error is not None and error < 0.1


def test_the_other_way_is_an_error_of_more_than_one():
    for asked, done in (("left", "right"), ("grow", "shrink")):
        error = speed_error(scene(asked, 1.0), path(scene(done, 1.0)))
        assert error is not None and error > 1.5


def test_nothing_is_said_where_nothing_can_be():
    assert speed("still", path(scene("still", 1.0))) is None
    assert speed("spin", path(scene("spin", 1.0))) is None
    unseen = Track(np.full((80, 2), np.nan), np.zeros(80))
    assert speed("left", unseen) is None
    assert not says_speed(scene("left", 1.5, frozenset({"object", "motion"})))
    assert says_speed(scene("left", 1.0, frozenset({"object", "motion"})))


def test_tracks_are_alike_whatever_their_length_and_unlike_the_other_way() -> None:
    late = np.linspace(0, 1, 20)
    right = Track(np.column_stack([0.2 + 0.5 * late, np.full(20, 0.4)]), np.full(20, 0.1))
    shorter = Track(np.column_stack([0.4 + 0.2 * late, np.full(20, 0.7)]), np.full(20, 0.2))
    grows = Track(np.full((20, 2), 0.5), (0.2 + 0.3 * late) ** 2)
    assert track_correlation(right, shorter) == pytest.approx(1)
    assert track_correlation(right, Track(right.centre[::-1], right.area)) == pytest.approx(-1)
    assert track_correlation(right, grows) == pytest.approx(0)
    assert track_correlation(grows, grows) == pytest.approx(1)


def test_what_stands_still_or_is_not_seen_has_no_track() -> None:
    late = np.linspace(0, 1, 20)
    right = Track(np.column_stack([late, late]), np.full(20, 0.1))
    assert track_correlation(right, Track(np.full((20, 2), 0.5), np.full(20, 0.1))) is None
    assert track_correlation(right, Track(np.where(late[:, None] < 0.6, np.nan, right.centre), right.area)) is None
