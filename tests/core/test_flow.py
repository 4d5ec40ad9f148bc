"""Flow finds the motion that was put in, and knows where it cannot."""

import cv2
import numpy as np
import pytest
import torch

from stunet_core.editing.flow import agree, both_ways, flow, grey, grid, sample_at, to_bytes, warp

cv2.setNumThreads(1)


def noise(h: int, w: int, seed: int = 0) -> np.ndarray:
    """A smooth random picture, uint8 h w"""
    picture = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal((h, w)), (0, 0), 2)
    return ((picture - picture.min()) / max(np.ptp(picture), 1e-9) * 255).astype(np.uint8)


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -5), (-4, 2)])
def test_a_shift_is_found(dx, dy):
    big = noise(96, 112)
    a, b = big[16:80, 16:96], big[16 - dy:80 - dy, 16 - dx:96 - dx]
    there, sure = both_ways(a, b)
    inside = np.s_[8:-8, 8:-8]
    assert np.abs(there[inside] - (dx, dy)).mean() < 0.1
    assert sure[inside].mean() > 0.98
    off = np.abs(warp(b, there)[inside].astype(float) - a[inside])
    assert off.mean() < 2


def test_what_is_covered_is_not_believed():
    ground, thing = noise(96, 96), noise(40, 40, 1)
    a, b = ground.copy(), ground.copy()
    a[28:68, 20:60], b[28:68, 24:64] = thing, thing
    _, sure = both_ways(a, b)
    assert sure[32:64, 24:56].mean() > 0.9  # the thing
    assert sure[32:64, 60:64].mean() < 0.7  # what it moves over
    assert sure[:, 76:].mean() > 0.95


def test_ways_out_of_the_picture_are_not_believed():
    away = np.full((8, 8, 2), (3.0, 0.0), np.float32)
    assert np.array_equal(agree(away, -away)[0], [True] * 5 + [False] * 3)


def test_colours_of_one_brightness_differ_in_grey():
    frames = np.empty((2, 16, 16, 3), np.uint8)
    frames[:], frames[:, 4:12, 4:12] = (150, 90, 60), (60, 128, 86)
    luminance = [0.299, 0.587, 0.114]
    assert abs((frames[0, 0, 0] - frames[0, 8, 8].astype(float)) @ luminance) < 4
    out = grey(frames)
    assert out.dtype == np.uint8
    assert abs(int(out[0, 0, 0]) - int(out[0, 8, 8])) > 35


def test_grey_stays_in_range_and_takes_one_colour():
    frames = np.zeros((1, 2, 2, 3), np.uint8)
    assert np.ptp(grey(frames)) == 0
    frames[0, 0] = 255
    assert set(np.unique(grey(frames))) == {0, 255}


def test_small_and_odd_sizes_have_flow():
    for h, w in ((1, 1), (5, 90), (33, 17)):
        assert flow(noise(h, w), noise(h, w)).shape == (h, w, 2)


def test_sampling_outside():
    picture = np.full((4, 4), 7, np.float32)
    outside = grid(4, 4) + 10
    assert (sample_at(picture, outside) == 7).all()
    assert (sample_at(picture, outside, outside=cv2.BORDER_CONSTANT) == 0).all()


def test_bytes_are_rounded_and_clipped():
    assert to_bytes(torch.tensor([-1.0, 0.5, 2.0]).reshape(1, 1, 1, 3)).tolist() == [[[[0, 128, 255]]]]
