"""A picture of the user's own as the mini model is shown the book's: a drawing of 180 pixels in the middle of 192, on grey."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from ..autoencoder import SCALE
from ..config import MiniConfig
from ..poses.drawing import DRAWN, FILLED
from ..recolour import COLOURS, GROUND, recolour

CELLS = MiniConfig.picture_cells
SIDE = CELLS * SCALE  # in pixels


@dataclass(frozen=True)
class OwnPicture:
    """`pixels`: float [192, 192, 3], 0 to 255, on the book's grey; `coverage`: float [192, 192], 0 (ground) to 1 (the thing)."""

    pixels: np.ndarray
    coverage: np.ndarray

    def painted(self, colour: str) -> OwnPicture:
        """With the thing in a colour of `recolour.COLOURS`."""
        painted = recolour(self.pixels, self.coverage, COLOURS[colour]).clip(0, 255)
        return OwnPicture(self.pixels + (painted - self.pixels) * self.coverage[..., None], self.coverage)

    def encoded(self, encode: Callable[[Tensor], Tensor]) -> Tensor:
        """[9, 12, 12] as `Book.picture` gives it. `encode`: the autoencoder's, 1 3 192 192 in [-1, 1] -> 1 8 12 12."""
        with torch.no_grad():
            latents = encode(torch.from_numpy(self.pixels).float().movedim(-1, 0)[None] / 127.5 - 1)[0]
        cells = self.coverage.reshape(CELLS, SCALE, CELLS, SCALE).mean((1, 3))
        return torch.cat([latents.float().cpu(), torch.from_numpy(cells).float()[None] * 2 - 1])


def laid_out(cut: np.ndarray) -> OwnPicture:
    """A thing as `cut_out` gives it, as large and where the book's things are, so that drafts draw it as large as those."""
    height, width = cut.shape[:2]
    side = max(height, width, round(max(height, width) / FILLED))
    top, left = (side - height) // 2, (side - width) // 2
    cell = np.zeros((side, side, 4), np.float32)
    cell[top:top + height, left:left + width] = cut
    drawn = round(DRAWN * SIDE)
    how = cv2.INTER_AREA if side > drawn else cv2.INTER_CUBIC
    drawing = cv2.resize(cell, (drawn, drawn), interpolation=how).clip(0, 1)
    full, edge = np.zeros((SIDE, SIDE, 4), np.float32), (SIDE - drawn) // 2
    full[edge:edge + drawn, edge:edge + drawn] = drawing
    coverage = full[..., 3]
    return OwnPicture((full[..., :3] * 255 + (1 - coverage[..., None]) * GROUND).clip(0, 255), coverage)
