"""The drawings: cells of the sprite sheets, premultiplied, at several sizes, with what the renderer needs to know of
each.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from training.world import library
from training.world.looks import coloured, varied
from training.world.palette import COLOURS

FOLDER = Path(__file__).parent / "sprites"
CELL, BOX, COLUMNS = 256, 240, 16  # as make_sprites.py laid them out
SMALLER = (256, 181, 128, 90, 64, 45, 32)  # cell sizes of the mip levels, a factor of 1.41 apart


@dataclass(frozen=True)
class Sprite:
    """`levels`: premultiplied RGBA uint8 [c, c, 4] for each size in SMALLER; `middle`: the drawing's centre of mass
    in cell px.
    """

    levels: tuple[np.ndarray, ...]
    middle: tuple[float, float]


@lru_cache(maxsize=8)
def sheet(style: str) -> np.ndarray:
    """A style's whole sheet, RGBA uint8, not premultiplied."""
    path = FOLDER / f"{style}.webp"
    if not path.is_file():
        raise ValueError(f'style: there is no sheet of "{style}" ({path.name}); run training/world/make_sprites.py')
    return np.asarray(Image.open(path).convert("RGBA"))


@lru_cache(maxsize=1)
def rows() -> dict[str, int]:
    """Object name -> its place in the sheets."""
    listed = json.loads((FOLDER / "objects.json").read_text(encoding="utf-8"))
    return {row["name"]: index for index, row in enumerate(listed)}


@lru_cache(maxsize=512)
def sprite(name: str, style: str, colour: str | None = None, variant: int = 0) -> Sprite:
    """The drawing of an object in a style, painted in a colour of `COLOURS`, or varied at random (`looks.varied`).

    ValueError for an object that is neither in the sheets nor in the library.
    """
    cell = varied(drawing(name, style), variant)
    if colour is not None:
        cell = coloured(cell, COLOURS[colour])
    alpha = cell[..., 3].astype(np.float32)
    y, x = np.mgrid[0:CELL, 0:CELL] + 0.5
    total = max(float(alpha.sum()), 1.0)
    middle = float((x * alpha).sum() / total), float((y * alpha).sum() / total)
    levels = tuple(cell if side == CELL else cv2.resize(cell, (side, side), interpolation=cv2.INTER_AREA) for side in SMALLER)
    return Sprite(levels, middle)


def drawing(name: str, style: str) -> np.ndarray:
    """The cell of an object in a style: premultiplied RGBA uint8 [CELL, CELL, 4]."""
    found = library.drawing(name, style)
    if found is not None:
        return found
    if name not in rows():
        raise ValueError(f'object: "{name}" is not in the sprite sheets; other things need the library (library.py)')
    down, across = divmod(rows()[name], COLUMNS)
    cell = sheet(style)[down * CELL : (down + 1) * CELL, across * CELL : (across + 1) * CELL].astype(np.float32)
    cell[..., :3] *= cell[..., 3:] / 255
    return (cell + 0.5).astype(np.uint8)


@lru_cache(maxsize=65536)
def close_to_colour(name: str, style: str, colour: tuple[int, int, int], own: str | None = None) -> float:
    """The share (0..1) of the drawing that is within 70 of an RGB colour (Euclidean, 0..441)."""
    cell = sprite(name, style, own).levels[4].astype(np.float32)
    solid = cell[cell[..., 3] > 200][:, :3]
    if not len(solid):
        return 0.0
    return float((np.linalg.norm(solid - np.array(colour, np.float32), axis=1) < 70).mean())


def composite(target: np.ndarray, patch: np.ndarray) -> None:
    """Premultiplied `patch` [h, w, 4] over `target` [h, w, 3], in place; both uint8."""
    rest = cv2.cvtColor(255 - patch[..., 3], cv2.COLOR_GRAY2BGR)
    target[:] = cv2.add(cv2.multiply(target, rest, scale=1 / 255), np.ascontiguousarray(patch[..., :3]))
