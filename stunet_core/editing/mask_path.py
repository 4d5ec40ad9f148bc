"""A box or an ellipse that moves from key to key, as masks."""

import re
from collections.abc import Sequence

import numpy as np

from .steps import Step, nothing

SHAPES = ("box", "ellipse")
PACES = ("steady", "ease")
NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)")

Box = tuple[float, float, float, float]  # left, top, width, height in pixels


def read_boxes(text: str) -> list[Box]:
    """One box per line: left, top, width, height in pixels, with spaces or commas between them.

    A box may reach out of the picture. Raises ValueError that names the line.
    """
    boxes = []
    for line in (line.strip() for line in text.splitlines()):
        if not line:
            continue
        words = re.split(r"[\s,]+", line.strip(","))
        if len(words) != 4 or not all(NUMBER.fullmatch(word) for word in words):
            raise ValueError(f"boxes: {line!r} is no box; write left top width height in pixels, such as 16 24 64 48")
        left, top, width, height = map(float, words)
        if not (width > 0 and height > 0):
            raise ValueError(f"boxes: {line!r} is {width:g} wide and {height:g} high; both must be more than 0")
        boxes.append((left, top, width, height))
    return boxes


def mask_path(times: Sequence[int], boxes: Sequence[Box], frames: int, height: int, width: int, *, shape: str = "box",
              pace: str = "steady", step: Step = nothing) -> np.ndarray:
    """Masks F H W float32 in 0..1, white inside the box or the ellipse in it, with soft edges one pixel wide.

    Between keys the box moves and grows evenly ("steady") or starts and stops gently at each ("ease"); before the first
    key and after the last it stays. One key makes a mask that does not move.

    Args:
        times: a frame of each key, in any order, no two the same.
        boxes: the box of each.
        step: called after each frame.

    Raises:
        ValueError: another number of boxes than times; unknown words; or a path that is never in the picture.
    """
    for name, word, known in (("shape", shape, SHAPES), ("pace", pace, PACES)):
        if word not in known:
            raise ValueError(f"{name}: {word!r} is unknown; it is one of {', '.join(known)}")
    if not boxes or len(boxes) != len(times):
        raise ValueError(f"boxes: {len(boxes)} boxes for {len(times)} times; write one line for each time")
    draw = box_mask if shape == "box" else ellipse_mask
    masks = np.empty((frames, height, width), np.float32)
    for mask, box in zip(masks, between(times, boxes, frames, pace), strict=True):
        mask[:] = draw(box, height, width)
        step()
    if not (masks >= 0.5).any():
        raise ValueError(f"boxes: none of them is ever inside the picture of {width} x {height} pixels, so there is nothing "
                         "to generate; the upper left corner is 0 0")
    return masks


def between(times: Sequence[int], boxes: Sequence[Box], frames: int, pace: str) -> np.ndarray:
    """The box of every frame -> F 4."""
    order = np.argsort(times)
    key = np.interp(np.arange(frames), np.array(times)[order], np.arange(len(times)))  # 1.5: halfway from key 1 to key 2
    if pace == "ease":
        whole = np.floor(key)
        part = key - whole
        key = whole + part * part * (3 - 2 * part)
    corners = np.array(boxes, np.float64)[order]  # k 4
    return np.stack([np.interp(key, np.arange(len(times)), column) for column in corners.T], axis=1)


def box_mask(box: np.ndarray, height: int, width: int) -> np.ndarray:
    """The share of every pixel that the box covers -> H W."""
    left, top, w, h = box

    def covered(start: float, length: float, pixels: int) -> np.ndarray:
        edge = np.arange(pixels)
        return np.clip(np.minimum(start + length, edge + 1) - np.maximum(start, edge), 0, 1)

    return covered(top, h, height)[:, None] * covered(left, w, width)


def ellipse_mask(box: np.ndarray, height: int, width: int) -> np.ndarray:
    """About the share of every pixel that the ellipse in the box covers -> H W."""
    left, top, w, h = box
    x = (np.arange(width) + 0.5 - left - w / 2)[None] / (w / 2)
    y = (np.arange(height) + 0.5 - top - h / 2)[:, None] / (h / 2)
    level = x**2 + y**2 - 1  # 0 on the rim
    slope = 2 * np.hypot(x / (w / 2), y / (h / 2))  # change of the level per pixel
    return np.clip(0.5 - level / np.maximum(slope, 1e-6), 0, 1)
