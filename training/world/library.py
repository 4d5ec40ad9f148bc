"""All drawings of the open packages that exist in every style, made on demand into `runs/` (too large for the repo).

`library.json` lists them, the named objects of the world first; `library.npy` holds uint8 [N, 4 styles, 256, 256, 4], premultiplied.
The environment variable STUNET_LIBRARY names another folder. Without the library the world has its named objects only.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path

import numpy as np

from training.world.objects import OBJECTS

FOLDER = Path(os.environ.get("STUNET_LIBRARY", Path(__file__).parents[2] / "runs" / "library"))
STYLES = ("3d", "flat", "line", "cartoon")
NEVER = 8  # one thing in so many is never trained on


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """What the library draws; () when it was not made."""
    listed = FOLDER / "library.json"
    return tuple(row["name"] for row in json.loads(listed.read_text(encoding="utf-8"))) if listed.is_file() else ()


@lru_cache(maxsize=1)
def places() -> dict[str, int]:
    """Name -> its row in the library."""
    return {name: row for row, name in enumerate(names())}


@lru_cache(maxsize=1)
def cells() -> np.ndarray:
    """uint8 [N, 4 styles, 256, 256, 4], mapped from disk."""
    return np.load(FOLDER / "library.npy", mmap_mode="r")


def drawing(name: str, style: str) -> np.ndarray | None:
    """The premultiplied RGBA cell [256, 256, 4] of a name in a trained style; None when the library lacks it."""
    if style not in STYLES or name not in places():
        return None
    return np.array(cells()[places()[name], STYLES.index(style)])


def trained() -> tuple[str, ...]:
    """What models train on: all that is drawn but one in NEVER, the same on every machine; without a library the named objects."""
    drawn = names() or tuple(name for name, _ in OBJECTS)
    return tuple(name for row, name in enumerate(drawn) if row % NEVER != NEVER - 1)


def unseen() -> tuple[str, ...]:
    """What models are never trained on, and judged with."""
    drawn = names() or tuple(name for name, _ in OBJECTS)
    return tuple(name for row, name in enumerate(drawn) if row % NEVER == NEVER - 1)
