"""Masks follow what they cover; what is lost is said."""

import cv2
import numpy as np
import pytest

from stunet_core.editing.track import runs, speak, track, widen
from training.world import Scene, Thing, render

cv2.setNumThreads(1)


def scene(motion: str, **options) -> Scene:
    settings = {"size": 0.4, "x": 0.5, "y": 0.5, "phase": 0.3} | options
    return Scene((Thing("dog", "cartoon", motion=motion, **settings),), "sunset sky")


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of each frame"""
    return (a & b).sum((1, 2)) / np.maximum((a | b).sum((1, 2)), 1)


@pytest.mark.parametrize("motion", ["left", "spin", "grow", "bounce", "shake"])
def test_masks_follow_a_thing_both_ways(motion):
    clip = render(scene(motion), only=range(28, 52), size=96)
    steps: list[int] = []
    found = track(clip.frames, clip.mask[10].astype(np.float32), 10, lambda: steps.append(1))
    assert found.masks.shape == clip.mask.shape
    assert overlap(found.masks > 0.5, clip.mask).min() > 0.85
    assert not found.lost
    assert len(steps) == 23


def test_the_given_mask_comes_back_as_it_was():
    clip = render(scene("up"), only=range(3), size=64)
    mask = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    assert np.array_equal(track(clip.frames, mask, 1).masks[1], mask)


def test_a_thing_that_disappears_is_lost():
    clip = render(scene("left"), only=range(38, 44), size=64)
    empty = render(scene("still", x=2.0), only=range(1), size=64).frames[0]
    frames = clip.frames.copy()
    frames[3:] = empty
    found = track(frames, clip.mask[0].astype(np.float32))
    assert found.lost == (3, 4, 5)
    assert "frames 3-5" in speak(found, 0)


def test_a_thing_that_leaves_is_gone_not_lost():
    clip = render(scene("right", x=0.85, speed=2.0), only=range(20, 80, 2), size=64)
    found = track(clip.frames, clip.mask[0].astype(np.float32))
    assert not found.lost
    assert not {0, 1, 2, 3} & set(found.gone)
    assert not clip.mask[list(found.gone)].sum((1, 2)).max(initial=0) > 0.1 * clip.mask[0].sum()
    assert "left the picture" in speak(found, 0) or not found.gone


def test_one_frame_is_its_own_mask():
    frames = np.zeros((1, 32, 32, 3), np.uint8)
    mask = np.eye(32, dtype=np.float32)
    assert np.array_equal(track(frames, mask).masks[0], mask)


def test_tiny_masks_and_blank_clips_do_not_fail():
    frames = np.full((4, 32, 32, 3), 9, np.uint8)
    mask = np.zeros((32, 32), np.float32)
    mask[16, 16] = 1
    assert (track(frames, mask).masks[:, 16, 16] > 0.5).all()


def test_wrong_input_is_refused_by_name():
    frames = np.zeros((2, 32, 32, 3), np.uint8)
    with pytest.raises(ValueError, match="mask: is 16 x 8 pixels, the clip 32 x 32"):
        track(frames, np.ones((8, 16), np.float32))
    with pytest.raises(ValueError, match="mask: is all black"):
        track(frames, np.zeros((32, 32), np.float32))
    with pytest.raises(ValueError, match="frame: 2 is outside the clip; its 2 frames are 0 to 1"):
        track(frames, np.ones((32, 32), np.float32), 2)


def test_masks_are_widened_in_every_direction():
    mask = np.zeros((1, 9, 9), np.float32)
    mask[0, 4, 4] = 1
    assert widen(mask, 0) is mask
    wide = widen(mask, 2)[0] > 0.5
    assert wide[4, 2:7].all() and wide[2:7, 4].all() and not wide[2, 2]


def test_runs_of_numbers_are_short():
    assert runs((1, 2, 3, 7)) == "1-3, 7"
    assert runs(()) == ""
