"""Pictures of users' own: the thing is found, and laid out as the book's things are, or it is said why not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stunet_core.mini.pictures.cut_out import LARGEST, cut_out
from stunet_core.mini.pictures.own_picture import CELLS, SIDE, laid_out
from stunet_core.mini.poses.drawing import LENGTH
from stunet_core.mini.recolour import GROUND
from tests import tiny
from training.common.data import picture as trained_picture


def star(side: int = 240, wide: float = 1.0) -> np.ndarray:
    """A blue ellipse with a white eye, on nothing: float RGBA, premultiplied."""
    big = np.zeros((side * 2, side * 2, 4), np.float32)
    cv2.ellipse(big, (side, side), (round(0.8 * side * wide), round(0.8 * side)), 0, 0, 360, (0.1, 0.2, 0.8, 1.0), -1)
    cv2.circle(big, (side, round(0.8 * side)), side // 5, (1.0, 1.0, 1.0, 1.0), -1)
    return cv2.resize(big, (side, side), interpolation=cv2.INTER_AREA)


def on(thing: np.ndarray, ground: np.ndarray | float) -> np.ndarray:
    return thing[..., :3] + (1 - thing[..., 3:]) * ground


def slope(height: int, width: int) -> np.ndarray:
    """Paper that is lighter to the right, with the noise of a camera."""
    light = np.linspace(0.6, 0.9, width)[None, :, None] * np.array([1.0, 0.97, 0.9])
    return np.repeat(light, height, axis=0) + np.random.default_rng(0).normal(0, 0.012, (height, width, 3))


@pytest.mark.parametrize("ground", [1.0, 0.0, slope(240, 240)], ids=["white", "black", "paper"])
def test_a_thing_is_cut_from_a_plain_ground(ground: np.ndarray | float) -> None:
    thing = star()
    cut = cut_out(on(thing, ground))
    rows = np.flatnonzero((thing[..., 3] >= 0.5).any(axis=1))
    expected = thing[rows[0]:rows[-1] + 1, rows[0]:rows[-1] + 1]
    assert abs(cut.shape[0] - expected.shape[0]) <= 2 and abs(cut.shape[1] - expected.shape[1]) <= 2
    resized = cv2.resize(cut, expected.shape[1::-1])
    assert np.abs(resized[..., 3] - expected[..., 3]).mean() < 0.02
    assert resized[round(0.8 * len(resized) * 0.475), resized.shape[1] // 2, 3] == 1, "the white eye on white is the thing's"
    assert np.abs(resized[..., :3] - expected[..., :3]).mean() < 0.02, "edges keep no rim of the ground"


def test_it_is_laid_out_as_in_training() -> None:
    thing = star(256)
    rows = np.flatnonzero((thing[..., 3] >= 0.5).any(axis=1))
    scaled = cv2.resize(thing[rows[0]:rows[-1] + 1, rows[0]:rows[-1] + 1], (240, 240), interpolation=cv2.INTER_AREA)
    cell = np.zeros((256, 256, 4), np.float32)  # as the world's drawings are: the thing is 0.9375 of its cell
    cell[8:-8, 8:-8] = scaled
    trained = trained_picture((cell * 255).astype(np.uint8))
    own = laid_out(cut_out(on(thing, 1.0)))
    assert own.pixels.shape == trained.pixels.shape == (SIDE, SIDE, 3)
    assert np.abs(own.pixels - trained.pixels).mean() < 2.5
    assert np.abs(own.coverage.reshape(CELLS, 16, CELLS, 16).mean((1, 3)) - trained.coverage).max() < 0.06
    solid = np.flatnonzero((own.coverage >= 0.5).any(axis=1))
    assert abs((solid[-1] - solid[0] + 1) / SIDE - LENGTH) < 0.012 and (own.pixels[0, 0] == GROUND).all()


@pytest.mark.parametrize(("height", "width"), [(60, 300), (3000, 500), (40, 24)])
def test_its_longer_side_is_always_as_long(height: int, width: int) -> None:
    image = np.ones((height + 20, width + 20, 3))
    image[10:-10, 10:-10] = (0.8, 0.2, 0.1)
    solid = laid_out(cut_out(image)).coverage >= 0.5
    longest = max(np.ptp(np.flatnonzero(solid.any(axis=axis))) + 1 for axis in (0, 1))
    assert abs(longest / SIDE - LENGTH) < 0.015


def test_a_mask_says_what_the_thing_is_at_any_size() -> None:
    busy = np.random.default_rng(1).random((200, 200, 3))
    mask = np.zeros((100, 100), np.float32)
    mask[20:60, 30:90] = 1
    cut = cut_out(busy, mask)
    assert abs(cut.shape[0] - 80) <= 2 and abs(cut.shape[1] - 120) <= 2
    assert np.allclose(cut[10:-10, 10:-10, :3], busy[40:120, 60:180][: cut.shape[0], : cut.shape[1]][10:-10, 10:-10], atol=1e-6)


def test_large_pictures_are_scaled_down() -> None:
    image = np.ones((300, 8000, 3), np.float32)
    image[100:200, 1000:3000] = 0.2
    assert abs(cut_out(image).shape[1] - 2000 * LARGEST / 8000) <= 2


def test_a_thing_may_reach_the_border_and_dust_is_no_part_of_it() -> None:
    image = np.ones((200, 200, 3))
    image[100:, 60:120] = (0.2, 0.5, 0.3)
    image[20, 20] = image[30, 180] = 0
    assert cut_out(image).shape[:2] == (100, 60)


MASK = np.zeros((64, 64), np.float32)
BORDER = np.pad(np.zeros((56, 56), np.float32), 4, constant_values=1)
PLAIN = on(star(64), 1.0)


@pytest.mark.parametrize(("image", "mask", "said"), [
    (PLAIN[:8, :8], None, "image: is 8x8 pixels, too small"),
    (np.random.default_rng(2).random((64, 64, 3)), None, "image: its background is not plain.*give a mask: white is the thing"),
    (np.indices((64, 64)).sum(0)[..., None].repeat(3, 2) // 16 % 2 * 1.0, None, "image: its background is not plain"),
    (np.ones((64, 64, 3)), None, "image: shows nothing but its background"),
    (cv2.resize(PLAIN, (16, 16)), None, "image: the thing is 1.x1. pixels, too small"),
    (PLAIN, MASK, "mask: is black everywhere"), (PLAIN, MASK + 1, "mask: is white everywhere"),
    (PLAIN, np.full((64, 64), np.nan), "mask: its values run from nan"), (PLAIN, MASK + 3, "mask: its values run from 3 to 3"),
    (PLAIN, np.eye(64, 40), "mask: is 40x64 pixels, of another shape than the picture, which is 64x64"),
    (PLAIN, BORDER, "mask: is white all along the picture's border.*InvertMask"),
    (PLAIN, np.pad(np.ones((4, 4)), 30), "mask: the thing is 4x4 pixels, too small"),
])
def test_what_shows_no_thing_is_refused(image: np.ndarray, mask: np.ndarray | None, said: str) -> None:
    with pytest.raises(ValueError, match=f"(?s)^{said}"):
        cut_out(image, mask)


def test_it_is_painted_and_encoded_as_a_page_of_the_book() -> None:
    own = laid_out(cut_out(on(star(), 1.0)))
    red = own.painted("red")
    body = own.coverage > 0.9
    blue, painted = own.pixels[body].mean(axis=0), red.pixels[body].mean(axis=0)
    assert blue[2] > 2 * blue[0] and painted[0] > 2 * painted[2] and (red.pixels[own.coverage == 0] == GROUND).all()
    model = tiny.autoencoder()
    page = own.encoded(model.encode)
    assert page.shape == tiny.CONFIG.picture_shape and -1 <= page[8].min() < -0.99 and page[8].max() == 1
    assert not np.allclose(page[:8], red.encoded(model.encode)[:8], atol=1e-2)
