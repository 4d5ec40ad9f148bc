"""Drawings and pictures of the book painted in a colour."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from stunet_core.mini.recolour import COLOURS, GROUND, recolour, recolour_picture
from training.world import palette


def disc(colour: tuple[int, int, int], size: int = 128, ground: int = GROUND) -> tuple[np.ndarray, np.ndarray]:
    """A shaded disc with a dark outline on a plain ground, and its coverage."""
    y, x = np.mgrid[0:size, 0:size] - size / 2
    radius = np.hypot(x, y)
    shade = 0.75 + 0.25 * (x / size + 0.5)
    image = np.where((radius < 0.36 * size)[..., None], np.array(colour) * shade[..., None], 15.0)
    inside = radius < 0.40 * size
    return np.where(inside[..., None], image, float(ground)).astype(np.float32), inside.astype(np.float32)


def test_colours_are_the_worlds() -> None:
    assert dict(COLOURS) == palette.COLOURS


@pytest.mark.parametrize("colour", [name for name in COLOURS if name not in ("black", "white", "gray")])
@pytest.mark.parametrize("drawn", [(200, 40, 40), (240, 240, 240)])
def test_the_body_takes_the_colour_and_the_outline_stays(colour: str, drawn: tuple[int, int, int]) -> None:
    image, coverage = disc(drawn)
    painted = recolour(image, coverage, COLOURS[colour])
    middle = painted[56:72, 56:72].mean((0, 1))
    nearest = min(COLOURS, key=lambda name: float(np.abs(middle - np.array(COLOURS[name])).sum()))
    assert nearest == colour
    outline = (coverage > 0) & (image.max(axis=2) < 20)
    assert np.abs(painted - image)[outline].max() < 5


def test_nothing_covered_is_left_as_it_is() -> None:
    image, coverage = disc((200, 40, 40))
    assert np.array_equal(recolour(image, coverage * 0, COLOURS["blue"]), image)


def decode(latents: Tensor) -> Tensor:
    """An autoencoder that keeps the colours of cells: three of eight channels are the image, 16 times smaller."""
    return latents[:, :3].repeat_interleave(16, 2).repeat_interleave(16, 3)


def encode(image: Tensor) -> Tensor:
    small = torch.nn.functional.avg_pool2d(image, 16)
    return torch.cat([small, torch.zeros(len(small), 5, 8, 8)], dim=1)


def test_a_picture_of_the_book_is_painted_on_its_own_ground() -> None:
    picture = torch.full((9, 8, 8), -1.0)
    picture[:3] = GROUND / 127.5 - 1
    picture[:3, 2:6, 2:6] = torch.tensor([0.6, -0.7, -0.7])[:, None, None]  # a red square
    picture[8, 2:6, 2:6] = 1.0
    painted = recolour_picture(picture, "blue", decode, encode)
    assert painted.shape == (9, 8, 8) and torch.equal(painted[8], picture[8])
    red, green, blue = painted[:3, 3:5, 3:5].mean((1, 2))
    assert blue > red and blue > green
    assert torch.allclose(painted[:3, 0], picture[:3, 0], atol=1e-5)  # the ground


def test_another_colour_is_an_error() -> None:
    with pytest.raises(ValueError, match='colour: "mauve" is unknown; it is one of black'):
        recolour_picture(torch.zeros(9, 8, 8), "mauve", decode, encode)
