"""The backgrounds of the world: plain colours and five pictures, all smooth enough for a small autoencoder."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (12, 12, 14),
    "white": (246, 246, 246),
    "red": (205, 28, 36),
    "orange": (245, 135, 20),
    "yellow": (250, 218, 60),
    "green": (40, 160, 62),
    "blue": (35, 85, 215),
    "purple": (128, 48, 180),
    "pink": (250, 150, 195),
    "teal": (10, 140, 140),
    "gray": (132, 134, 138),
    "brown": (112, 70, 38),
}
PICTURES = ("sunset sky", "night sky", "grass", "water", "checkerboard")
BACKGROUNDS = tuple(COLOURS) + PICTURES
VARIANTS = 16  # small differences of one background, chosen by the scene's seed


def background(name: str, size: int, seed: int, seconds: float = 0.0) -> np.ndarray:
    """The background as uint8 RGB [size, size, 3], read-only. Only "water" changes with `seconds`, and it ripples
    when they pass.
    """
    if name == "water" and seconds:
        return paint(name, size, seed % VARIANTS, seconds)
    return still(name, size, seed % VARIANTS)


@lru_cache(maxsize=512)
def still(name: str, size: int, variant: int) -> np.ndarray:
    image = paint(name, size, variant, 0.0)
    image.flags.writeable = False
    return image


def paint(name: str, size: int, variant: int, seconds: float) -> np.ndarray:
    """One background drawn anew, uint8 RGB [size, size, 3]."""
    rng = np.random.default_rng([variant, BACKGROUNDS.index(name)])
    if name in COLOURS:
        colour = np.array(COLOURS[name]) + rng.uniform(-7, 7, 3)
        return np.broadcast_to(colour.clip(0, 255).astype(np.uint8), (size, size, 3)).copy()
    y, x = (np.mgrid[0:size, 0:size].astype(np.float32) + 0.5) / size
    image = {"sunset sky": sunset, "night sky": night, "grass": grass, "water": water, "checkerboard": checkerboard}[
        name
    ](x, y, rng, seconds)
    return (image.clip(0, 255) + 0.5).astype(np.uint8)


def ramp(y: np.ndarray, *stops: tuple[float, tuple[int, int, int]]) -> np.ndarray:
    """A vertical gradient through colours at heights 0..1; y [H, W] -> [H, W, 3]."""
    at, colours = zip(*stops, strict=True)
    return np.stack([np.interp(y, at, channel) for channel in zip(*colours, strict=True)], axis=2).astype(np.float32)


def blend(image: np.ndarray, colour: tuple[int, int, int], alpha: np.ndarray) -> np.ndarray:
    return image + (np.array(colour, np.float32) - image) * alpha.clip(0, 1)[..., None]


def edge(distance: np.ndarray, size: int) -> np.ndarray:
    """Antialiased inside (1) / outside (0) of a signed distance in fractions of the frame."""
    return (distance * size + 0.5).clip(0, 1)


def sunset(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = ramp(y, (0.0, (70, 40, 110)), (0.4, (205, 75, 110)), (0.7, (252, 140, 70)), (1.0, (255, 215, 120)))
    sun = edge(0.13 - np.hypot(x - rng.uniform(0.25, 0.75), y - 0.86), x.shape[0])
    return blend(image, (255, 245, 190), sun)


def night(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = ramp(y, (0.0, (8, 10, 38)), (1.0, (34, 40, 92)))
    for row in range(5):  # one star in each cell of a grid: no two touch, none is missing
        for column in range(5):
            cx, cy = (column + rng.uniform(0.2, 0.8)) / 5, (row + rng.uniform(0.2, 0.8)) / 5
            image = blend(
                image, (255, 250, 215), edge(rng.uniform(0.009, 0.017) - np.hypot(x - cx, y - cy), x.shape[0])
            )
    return image


def grass(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = ramp(y, (0.0, (140, 205, 250)), (0.5, (205, 235, 252)))
    shift = rng.uniform(0, 6.28)
    for top, colour in ((0.46, (120, 190, 70)), (0.66, (86, 160, 52)), (0.84, (60, 132, 44))):
        blades = 0.03 * np.abs(((x * 9 + shift + top * 7) % 1.0) * 2 - 1)  # a zigzag rim of tufts
        image = blend(image, colour, edge(y - top - blades - 0.02 * np.sin(6.28 * x + shift), x.shape[0]))
    return image


def water(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = ramp(y, (0.0, (120, 215, 240)), (1.0, (16, 110, 190)))
    shift = rng.uniform(0, 6.28)
    wave = 0.016 * np.sin(6.2832 * (3 * x + 0.5 * seconds) + shift) + 0.012 * np.sin(
        6.2832 * (2 * x - 0.25 * seconds) + 2 * shift
    )
    crest = np.sin(6.2832 * (7 * (y + wave)))
    return blend(image, (225, 248, 255), 0.55 * ((crest - 0.55) * 4).clip(0, 1))


def checkerboard(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    cells = (np.floor(x * 8) + np.floor(y * 8) + rng.integers(2)) % 2
    return np.where(cells[..., None] > 0, 228.0, 96.0) * np.ones(3, np.float32)
