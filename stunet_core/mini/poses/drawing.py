"""A thing's picture in pixels: what drafts are drawn with (`draft.py`)."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from ..recolour import GROUND

DRAWN = 0.9375  # of a picture's side in the book, the side of the drawing in its middle
FILLED = 0.9375  # of a drawing's side, the longer side of its thing
LENGTH = DRAWN * FILLED  # so of a picture's side in the book, the longer side of its thing
APART = 10, 30  # levels of 255 by which a pixel of the thing differs from the book's grey: not at all, fully
WHOLE, NONE = 0.98, 0.01  # of a cell, from which it is all the thing's, and to which it has none of it
FINER = 2  # pixels drawn along each side of one, so that what is drawn small does not flicker

Code = Callable[[Tensor], Tensor]  # the autoencoder's encode or decode


@dataclass(frozen=True)
class Drawing:
    """`rgba`: uint8 [n, n, 4], colours times coverage, and the coverage; `middle`: x and y of its centre of mass, 0 to 1; `length`: the
    longer side of the thing, of the picture's side."""

    rgba: np.ndarray
    middle: tuple[float, float]
    length: float = LENGTH


def drawing(rgba: np.ndarray, length: float = LENGTH) -> Drawing:
    """A drawing of uint8 [n, n, 4], colours times coverage."""
    weight, at = rgba[..., 3].astype(np.float64), (np.arange(len(rgba)) + 0.5) / len(rgba)
    total = max(float(weight.sum()), 1e-3)
    return Drawing(rgba, (float((weight.sum(axis=0) * at).sum() / total), float((weight.sum(axis=1) * at).sum() / total)), length)


def decoded(picture: Tensor, decode: Code) -> Drawing:
    """The drawing that a picture of the book shows: c+1 n n, latents on the book's grey, and coverage in [-1, 1].

    Coverage is known of whole cells only; finer, what differs from the grey is the thing.
    """
    with torch.no_grad():
        pixels = decode(picture[None, :-1].float())[0].float().cpu()
    pixels = ((pixels.movedim(0, -1) + 1) * 127.5).clamp(0, 255).numpy()
    cells = ((picture[-1].float().cpu().numpy() + 1) / 2).clip(0, 1)
    size = pixels.shape[1], pixels.shape[0]
    whole, some = (cv2.resize((cells > share).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) for share in (WHOLE, NONE))
    unlike = (np.abs(pixels - GROUND).max(axis=2) - APART[0]) / (APART[1] - APART[0])
    coverage = (np.maximum(unlike.clip(0, 1), whole) * some)[..., None]
    colours = (pixels - (1 - coverage) * GROUND).clip(0, 255 * coverage)
    return drawing(np.concatenate([colours, 255 * coverage], axis=2).round().astype(np.uint8))


def paint(pose: np.ndarray, thing: Drawing, height: int, width: int) -> np.ndarray:
    """A drawing at its pose (`draft.py`) in a frame of height x width pixels: uint8 [H, W, 4], colours times coverage, and coverage."""
    x, y, size, angle = (float(number) for number in pose[:4])
    side, height, width = len(thing.rgba), FINER * height, FINER * width
    nearer = side * thing.length * 2.0**-size / min(height, width)  # a frame's pixels -> the picture's
    cos, sin = nearer * np.cos(angle), nearer * np.sin(angle)
    across, down = 0.5 - x * width, 0.5 - y * height
    where = np.array([[cos, sin, cos * across + sin * down + side * thing.middle[0] - 0.5],
                      [-sin, cos, cos * down - sin * across + side * thing.middle[1] - 0.5]])
    painted = cv2.warpAffine(thing.rgba, where, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return cv2.resize(painted, (width // FINER, height // FINER), interpolation=cv2.INTER_AREA)


def over(front: np.ndarray, back: np.ndarray) -> np.ndarray:
    """One picture over another, both uint8 [H, W, 4] with colours times coverage."""
    rest = 1 - front[..., 3:].astype(np.float32) / 255
    return (front + rest * back).clip(0, 255).round().astype(np.uint8)
