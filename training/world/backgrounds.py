"""Draw a background as the camera sees it; what does not change is drawn once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from training.world.camera import HOME, View
from training.world.landscapes import PAINTERS
from training.world.palette import BACKGROUNDS, COLOURS

VARIANTS = 16  # small differences of one background, chosen by the scene's seed


def background(name: str, size: int, seed: int, seconds: float = 0.0, view: View = HOME) -> np.ndarray:
    """The background as uint8 RGB [size, size, 3], read-only.

    Only "water" changes with `seconds`, and it ripples when they pass; a plain colour looks the same from everywhere.
    """
    if (name == "water" and seconds) or (view != HOME and name in PAINTERS):
        return paint(name, size, seed % VARIANTS, seconds, view)
    return still(name, size, seed % VARIANTS)


@lru_cache(maxsize=512)
def still(name: str, size: int, variant: int) -> np.ndarray:
    image = paint(name, size, variant, 0.0, HOME)
    image.flags.writeable = False
    return image


def paint(name: str, size: int, variant: int, seconds: float, view: View) -> np.ndarray:
    """One background drawn anew, uint8 RGB [size, size, 3]."""
    rng = np.random.default_rng([variant, BACKGROUNDS.index(name)])
    if name in COLOURS:
        colour = np.array(COLOURS[name]) + rng.uniform(-7, 7, 3)
        return np.broadcast_to(colour.clip(0, 255).astype(np.uint8), (size, size, 3)).copy()
    y, x = (np.mgrid[0:size, 0:size].astype(np.float32) + 0.5) / size
    x, y = (x - 0.5) / view[2] + view[0], (y - 0.5) / view[2] + view[1]
    return (PAINTERS[name](x, y, rng, seconds).clip(0, 255) + 0.5).astype(np.uint8)
