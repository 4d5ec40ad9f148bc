"""The thirteen painted backgrounds: each a function of where the camera looks, smooth enough for a small autoencoder.

Every painter takes the coordinates of the pixels in fractions of the frame (`x`, `y`: float [H, W]; a moving camera shows more than
0..1), the generator of its small variations and the time in seconds, and returns float RGB [H, W, 3], 0 to 255.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Painter = Callable[[np.ndarray, np.ndarray, np.random.Generator, float], np.ndarray]


def ramp(y: np.ndarray, *stops: tuple[float, tuple[int, int, int]]) -> np.ndarray:
    """A vertical gradient through colours at heights 0..1; y [H, W] -> [H, W, 3]."""
    at, colours = zip(*stops, strict=True)
    return np.stack([np.interp(y, at, channel) for channel in zip(*colours, strict=True)], axis=2).astype(np.float32)


def blend(image: np.ndarray, colour: tuple[int, int, int], alpha: np.ndarray) -> np.ndarray:
    return image + (np.array(colour, np.float32) - image) * alpha.clip(0, 1)[..., None]


def edge(distance: np.ndarray, size: int) -> np.ndarray:
    """Antialiased inside (1) / outside (0) of a signed distance in fractions of the frame."""
    return (distance * size + 0.5).clip(0, 1)


def around(x: np.ndarray, y: np.ndarray, cx: float, cy: float) -> np.ndarray:
    """The distance from a point in a plane that repeats every frame, so that a moving camera never runs out of stars."""
    return np.hypot((x - cx + 0.5) % 1 - 0.5, (y - cy + 0.5) % 1 - 0.5)


def sunset(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = ramp(y, (0.0, (70, 40, 110)), (0.4, (205, 75, 110)), (0.7, (252, 140, 70)), (1.0, (255, 215, 120)))
    sun = edge(0.13 - np.hypot(x - rng.uniform(0.25, 0.75), y - 0.86), x.shape[0])
    return blend(image, (255, 245, 190), sun)


def night(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = ramp(y, (0.0, (8, 10, 38)), (1.0, (34, 40, 92)))
    for row in range(5):  # one star in each cell of a grid: no two touch, none is missing
        for column in range(5):
            cx, cy = (column + rng.uniform(0.2, 0.8)) / 5, (row + rng.uniform(0.2, 0.8)) / 5
            image = blend(image, (255, 250, 215), edge(rng.uniform(0.009, 0.017) - np.hypot(x - cx, y - cy), x.shape[0]))
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


def hills(x: np.ndarray, rng: np.random.Generator, top: float, tall: float, waves: float) -> np.ndarray:
    """The height of a hilly horizon at x."""
    a, b = rng.uniform(0, 6.28, 2)
    return top + tall * (0.6 * np.sin(6.28 * waves * x + a) + 0.4 * np.sin(6.28 * 2.3 * waves * x + b))


def snow(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = ramp(y, (0.0, (150, 180, 215)), (0.55, (205, 222, 240)))
    for top, colour in ((0.55, (236, 243, 252)), (0.74, (250, 252, 255))):
        image = blend(image, colour, edge(y - hills(x, rng, top, 0.035, 1.0), x.shape[0]))
    for row in range(6):
        for column in range(6):
            cx, cy = (column + rng.uniform(0.2, 0.8)) / 6, (row + rng.uniform(0.2, 0.8)) / 6
            image = blend(image, (255, 255, 255), edge(0.011 - around(x, y, cx, cy), x.shape[0]))
    return image


def desert(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = ramp(y, (0.0, (90, 170, 235)), (0.5, (225, 225, 215)))
    for top, colour in ((0.52, (228, 178, 105)), (0.68, (214, 156, 82)), (0.86, (196, 134, 64))):
        image = blend(image, colour, edge(y - hills(x, rng, top, 0.04, 0.8), x.shape[0]))
    return image


def beach(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = ramp(y, (0.0, (110, 195, 245)), (0.42, (205, 235, 250)))
    image = blend(image, (30, 140, 200), edge(y - 0.42, x.shape[0]))
    foam = hills(x, rng, 0.64, 0.012, 1.5)
    image = blend(image, (245, 250, 252), edge(y - foam, x.shape[0]))
    return blend(image, (240, 214, 160), edge(y - foam - 0.03, x.shape[0]))


def forest(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = ramp(y, (0.0, (150, 205, 190)), (0.7, (190, 225, 190)))
    for count, colour, foot, tall in ((7, (70, 135, 90), 0.72, 0.42), (5, (38, 100, 62), 0.84, 0.5)):
        shift = rng.uniform(0, 1)
        u = (x * count + shift) % 1.0 - 0.5
        tree = edge((y - (foot - tall)) * 0.30 - np.abs(u) / count, x.shape[0])
        image = blend(image, colour, tree * edge(foot + 0.02 - y, x.shape[0]))
    return blend(image, (88, 128, 58), edge(y - hills(x, rng, 0.82, 0.012, 1.0), x.shape[0]))


def city(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = ramp(y, (0.0, (120, 160, 205)), (0.8, (225, 215, 205)))
    for count, colour, low, high in ((7, (120, 135, 160), 0.25, 0.5), (5, (72, 84, 112), 0.4, 0.62)):
        tops = rng.uniform(low, high, 64)
        column = np.floor(x * count + 32).astype(int).clip(0, 63)
        wall = edge(y - tops[column], x.shape[0])
        image = blend(image, colour, wall)
        u, v = (x * count) % 1.0, (y * 14) % 1.0
        lit = (np.abs(u - 0.3) < 0.12) | (np.abs(u - 0.7) < 0.12)
        image = blend(image, (250, 225, 140), wall * (lit & (np.abs(v - 0.5) < 0.22) & (y > tops[column] + 0.04)))
    return blend(image, (70, 72, 78), edge(y - 0.88, x.shape[0]))


def space(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = ramp(x + 0.6 * y, (0.0, (12, 8, 30)), (0.8, (46, 16, 74)), (1.6, (10, 14, 40)))
    for row in range(6):
        for column in range(6):
            cx, cy = (column + rng.uniform(0.15, 0.85)) / 6, (row + rng.uniform(0.15, 0.85)) / 6
            image = blend(image, (235, 235, 255), edge(rng.uniform(0.005, 0.012) - around(x, y, cx, cy), x.shape[0]))
    px, py = rng.uniform(0.12, 0.25), rng.uniform(0.12, 0.25)
    image = blend(image, (205, 130, 80), edge(0.10 - np.hypot(x - px, y - py), x.shape[0]))
    ring = edge(0.016 - np.abs((y - py) + 0.35 * (x - px)), x.shape[0]) * edge(0.17 - np.abs(x - px), x.shape[0])
    return blend(image, (235, 200, 150), ring)


def mountains(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = ramp(y, (0.0, (125, 185, 240)), (0.7, (220, 235, 245)))
    for count, base, tall, colour in ((2.0, 0.72, 0.45, (120, 130, 160)), (3.0, 0.82, 0.3, (86, 98, 130))):
        u = np.abs(((x * count + rng.uniform(0, 1)) % 1.0) - 0.5) * 2  # 0 at the peak
        peak = base - tall * (1 - u)
        image = blend(image, colour, edge(y - peak, x.shape[0]))
        snowline = base - tall * 0.66 + 0.03 * np.sin(40 * x)
        image = blend(image, (245, 248, 252), edge(y - peak, x.shape[0]) * edge(snowline - y, x.shape[0]))
    return blend(image, (84, 140, 78), edge(y - hills(x, rng, 0.84, 0.015, 1.0), x.shape[0]))


def room(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, seconds: float) -> np.ndarray:
    image = np.broadcast_to(np.array([232, 214, 186], np.float32), (*x.shape, 3)) + 0.0
    image = blend(image, (222, 200, 168), (np.abs((x * 9) % 1.0 - 0.5) < 0.18).astype(np.float32))
    wx = rng.uniform(0.12, 0.22)
    frame = np.maximum(np.abs(x - wx) - 0.12, np.abs(y - 0.24) - 0.15)
    image = blend(image, (150, 100, 60), edge(0.02 - frame, x.shape[0]))
    pane = (np.abs(x - wx) > 0.008) & (np.abs(y - 0.24) > 0.008)
    image = blend(image, (160, 210, 245), edge(-frame, x.shape[0]) * pane)
    image = blend(image, (150, 98, 56), edge(y - 0.76, x.shape[0]))
    gap = np.abs((x * 6 + np.floor(y * 12) * 0.37) % 1.0 - 0.5) < 0.02
    return blend(image, (126, 80, 44), edge(y - 0.76, x.shape[0]) * gap)


PAINTERS: dict[str, Painter] = {
    "sunset sky": sunset, "night sky": night, "grass": grass, "water": water, "checkerboard": checkerboard, "snow": snow,
    "desert": desert, "beach": beach, "forest": forest, "city": city, "space": space, "mountains": mountains, "room": room,
}
