"""Joints in time between given frames and made ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stunet_core.editing.colours import Colours
from stunet_core.editing.seams import close, fade, gaps
from stunet_core.report import metrics
from training.world import Scene, Thing, render

FRAMES, GIVEN = 28, 12


def scene(motion: str) -> np.ndarray:
    """A rendered clip, float32 F 128 128 3 in [0, 1]."""
    clip = render(Scene((Thing("rocket", "flat", 0.5, 0.5, 0.5, motion),), "pink", 3), frames=FRAMES)
    return clip.frames.astype(np.float32) / 255


def softened(clip: np.ndarray) -> np.ndarray:
    """What a model might make of it: softer, and in other colours."""
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.6) for frame in clip])
    return (soft * np.array([1.08, 0.95, 0.9], np.float32) + 0.03).clip(0, 1)


def keep(*given: slice) -> np.ndarray:
    out = np.zeros((FRAMES, 128, 128), bool)
    for part in given:
        out[part] = True
    return out


def finished(clip: np.ndarray, made: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return (np.where(kept[..., None], clip, made) * 255).round().astype(np.uint8)


def truth(clip: np.ndarray) -> np.ndarray:
    return (clip * 255).round().astype(np.uint8)


def step(clip: np.ndarray, joint: int) -> float:
    """The change into frame `joint`, in levels."""
    return float(metrics.changes(clip)[joint - 1])


@pytest.mark.parametrize("motion", ["right", "bounce", "swing"])
def test_the_jump_after_a_given_part_goes_and_colours_come_back(motion: str) -> None:
    clip, kept = scene(motion), keep(slice(GIVEN))
    made = softened(clip)
    before, after = finished(clip, made, kept), finished(clip, close(made, clip, kept, 8), kept)
    assert step(before, GIVEN) > 1.5 * step(truth(clip), GIVEN)
    assert step(after, GIVEN) < 1.4 * step(truth(clip), GIVEN)
    assert metrics.colour_drift(before, 8) > 5
    assert metrics.colour_drift(after, 8) < 1.5
    error = [np.abs(c[GIVEN:].astype(float) - truth(clip)[GIVEN:]).mean() for c in (before, after)]
    assert error[1] < 0.35 * error[0]


def test_a_gap_between_key_frames_is_closed_on_both_sides() -> None:
    clip, kept = scene("right"), keep(slice(0, 1), slice(FRAMES - 1, FRAMES))
    made = softened(clip)
    before, after = finished(clip, made, kept), finished(clip, close(made, clip, kept, 6), kept)
    for joint in (1, FRAMES - 1):
        assert step(before, joint) > 1.5 * step(truth(clip), joint)
        assert step(after, joint) < 1.4 * step(truth(clip), joint)


def test_clips_that_go_on_before_are_the_same_the_other_way_round() -> None:
    clip, kept = scene("bounce"), keep(slice(GIVEN))
    forwards = close(softened(clip), clip, kept, 8)
    backwards = close(softened(clip)[::-1].copy(), clip[::-1].copy(), kept[::-1].copy(), 8)[::-1]
    assert np.abs(forwards - backwards).max() < 1e-4


def test_what_is_already_right_stays() -> None:
    clip, kept = scene("right"), keep(slice(GIVEN))
    out = close(clip.copy(), clip, kept, 8)
    assert np.abs(out - clip)[GIVEN:].mean() < 0.004


def test_frames_of_which_a_part_is_given_are_left_alone() -> None:
    """What was there before may be what is to be removed."""
    clip, kept = scene("right"), keep(slice(GIVEN))
    kept[GIVEN:, :, :64] = True
    made = softened(clip)
    assert np.array_equal(close(made, clip, kept, 8), made)
    assert np.array_equal(close(made, clip, keep(), 8), made)


def test_a_thing_that_is_not_the_same_is_dissolved() -> None:
    """What the model goes on with is another thing: it takes over in even steps, not at once, and is there at the end of them."""
    clip, kept = scene("still"), keep(slice(GIVEN))
    other = softened(scene("still")[:, ::-1].copy())
    out = finished(clip, close(other, clip, kept, 8), kept)
    steps = metrics.changes(out)[GIVEN - 1:GIVEN + 8]
    assert steps.max() < 0.3 * step(finished(clip, other, kept), GIVEN)
    thing = np.abs(other - clip)[0].max(-1) > 0.5
    assert np.abs(out[-1].astype(float) - truth(other)[-1])[thing].mean() < 40


def test_colours_that_drift_on_are_put_right_to_the_end() -> None:
    clip, kept = scene("still"), keep(slice(GIVEN))
    late = np.linspace(0, 1, FRAMES, dtype=np.float32)[:, None, None, None]
    made = (clip + late * np.array([0.12, -0.08, 0.05], np.float32)).clip(0, 1)
    before, after = finished(clip, made, kept), finished(clip, close(made, clip, kept, 8), kept)
    assert metrics.colour_drift(before, 4) > 5
    assert metrics.colour_drift(after, 4) < 0.7


def test_drift_that_is_stronger_at_one_side_is_put_right_there() -> None:
    clip, kept = scene("still"), keep(slice(GIVEN))
    across = np.linspace(-0.08, 0.08, 128, dtype=np.float32)[:, None]
    made = (clip + across).clip(0, 1)
    before, after = finished(clip, made, kept), finished(clip, close(made, clip, kept, 8), kept)
    assert metrics.colour_drift(after, 4) < 0.3 * metrics.colour_drift(before, 4)
    assert np.array_equal(close(made, clip, kept, 0, colours=False), made)


def test_colours_are_told_apart() -> None:
    """One colour changed and another did not: each is put right for itself, wherever it stands."""
    wanted = np.zeros((32, 32, 3), np.float32)
    wanted[:16] = (0.8, 0.2, 0.2)
    wanted[16:] = (0.1, 0.3, 0.9)
    made = wanted.copy()
    made[:16] += (0.1, 0.05, 0.0)
    colours = Colours(made[None], wanted)
    assert np.abs(colours.undo(made[::-1].copy(), 0) - wanted[::-1]).max() < 0.02


@pytest.mark.parametrize(("made", "expected"), [("0110", [(1, 3)]), ("1101", [(0, 2), (3, 4)]), ("000", []), ("1", [(0, 1)])])
def test_gaps(made: str, expected: list) -> None:
    assert gaps(np.array([c == "1" for c in made])) == expected


def test_nothing_fades_over_no_frames() -> None:
    clip, kept = scene("right"), keep(slice(GIVEN), slice(GIVEN + 1, FRAMES))
    assert close(softened(clip), clip, kept, 8).shape == clip.shape  # one made frame between two given ones
    assert len(fade(clip[:0], clip[0])) == 0
