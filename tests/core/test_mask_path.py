"""Paths pass through their keys, and say what is wrong with them."""

import numpy as np
import pytest

from stunet_core.editing.mask_path import mask_path, read_boxes

SMALL, LARGE = (2.0, 4.0, 8.0, 8.0), (12.0, 4.0, 16.0, 8.0)


def middle(mask: np.ndarray) -> float:
    """x of the middle of mass, in pixels from the left edge"""
    return float((mask.sum(0) * (np.arange(mask.shape[1]) + 0.5)).sum() / mask.sum())


@pytest.mark.parametrize("shape", ["box", "ellipse"])
def test_a_path_passes_through_its_keys(shape):
    masks = mask_path([10, 2], [LARGE, SMALL], 14, 20, 40, shape=shape)
    assert masks.shape == (14, 20, 40) and masks.dtype == np.float32
    assert middle(masks[2]) == pytest.approx(6, abs=0.01)
    assert middle(masks[10]) == pytest.approx(20, abs=0.01)
    assert middle(masks[6]) == pytest.approx(13, abs=0.01)
    assert np.array_equal(masks[0], masks[2])
    assert np.array_equal(masks[13], masks[10])
    area = 8 * 16 * (1 if shape == "box" else np.pi / 4)
    assert masks[10].sum() == pytest.approx(area, rel=0.02)


def test_whole_pixels_have_sharp_edges_and_half_ones_soft():
    masks = mask_path([0, 1], [(2, 2, 4, 4), (2.5, 2, 4, 4)], 2, 8, 8)
    assert set(np.unique(masks[0])) == {0, 1}
    assert masks[1, 3].tolist() == [0, 0, 0.5, 1, 1, 1, 0.5, 0]


def test_ease_starts_and_stops_gently():
    masks = mask_path([0, 8], [(0, 0, 4, 4), (16, 0, 4, 4)], 9, 4, 20, pace="ease")
    at = np.array([middle(mask) for mask in masks])
    step = np.diff(at)
    assert at[4] == pytest.approx(10)
    assert step[0] < step[3] > step[-1]


def test_boxes_are_read_from_lines():
    assert read_boxes("1 2 3 4\n\n -1.5, 2,3 , 4.5 \n") == [(1, 2, 3, 4), (-1.5, 2, 3, 4.5)]


@pytest.mark.parametrize(("text", "message"), [
    ("1 2 3", "boxes: '1 2 3' is no box"), ("a b c d", "is no box"), ("nan 1 2 3", "is no box"),
    ("0 0 0 4", "is 0 wide and 4 high"), ("0 0 4 -4", "4 wide and -4 high"),
])
def test_lines_that_are_no_boxes_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        read_boxes(text)


def test_wrong_paths_are_refused_by_name():
    with pytest.raises(ValueError, match="boxes: 1 boxes for 2 times"):
        mask_path([0, 1], [SMALL], 4, 20, 40)
    with pytest.raises(ValueError, match="boxes: 0 boxes for 0 times"):
        mask_path([], [], 4, 20, 40)
    with pytest.raises(ValueError, match="none of them is ever inside the picture of 40 x 20"):
        mask_path([0], [(50, 0, 4, 4)], 4, 20, 40)
    with pytest.raises(ValueError, match="shape: 'star' is unknown"):
        mask_path([0], [SMALL], 4, 20, 40, shape="star")
    with pytest.raises(ValueError, match="pace: 'jump' is unknown"):
        mask_path([0], [SMALL], 4, 20, 40, pace="jump")
