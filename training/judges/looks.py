"""Whether a frame shows a thing that no judge has a name for: its looks against pictures of some hundred things.

Metric learning (FaceNet, 1503.03832; InfoNCE, 1807.03748): a network learns that a thing in a frame and its drawing are the same, of all
drawings of the library with all augmentations, those that models never train on too. It only measures, so it may know them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from ..world.sprites import sprite
from .nets import CUT, MASK, SIZE, LooksJudge

AROUND = 1.15  # side of the square that is cut out, over the thing's longer one
PICTURE = 80   # side of a drawing in its picture of SIZE
GREY = 200
CHUNK = 64


def cut(frame: np.ndarray, mask: np.ndarray) -> Tensor:
    """The thing of a frame (h w 3 uint8), where a small mask (0 to 1) shows it: 4 64 64, on nothing, and the mask; all in [-1, 1]."""
    height, width = frame.shape[:2]
    soft = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR).clip(0, 1)
    y, x = np.nonzero(soft > 0.5)
    if not len(x):
        y, x = np.array([0, height - 1]), np.array([0, width - 1])
    side = max(8, round(AROUND * max(np.ptp(x) + 1, np.ptp(y) + 1)))
    middle = float(x.min() + x.max() + 1) / 2, float(y.min() + y.max() + 1) / 2
    scale = CUT / side
    matrix = np.array([[scale, 0, CUT / 2 - middle[0] * scale], [0, scale, CUT / 2 - middle[1] * scale]])
    inside = cv2.warpAffine(frame, matrix, (CUT, CUT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    where = cv2.warpAffine(soft, matrix, (CUT, CUT), flags=cv2.INTER_LINEAR)
    colours = torch.from_numpy(inside).movedim(-1, 0).float() / 127.5 - 1
    seen = torch.from_numpy(where)[None]
    return torch.cat([colours * seen, seen * 2 - 1])


def reference(name: str, style: str, colour: str | None = None, variant: int = 0) -> Tensor:
    """A drawing, cut out as a thing of a frame is: 4 64 64"""
    drawing = sprite(name, style, colour, variant).levels[0]
    small = cv2.resize(drawing, (PICTURE, PICTURE), interpolation=cv2.INTER_AREA)
    full = np.zeros((SIZE, SIZE, 4), np.uint8)
    edge = (SIZE - PICTURE) // 2
    full[edge:edge + PICTURE, edge:edge + PICTURE] = small
    alpha = full[..., 3:].astype(np.float32) / 255
    pixels = (full[..., :3] + (1 - alpha) * GREY).astype(np.uint8)
    cells = SIZE // MASK
    return cut(pixels, alpha.reshape(MASK, cells, MASK, cells).mean((1, 3)))


@dataclass(frozen=True)
class Gallery:
    """Pictures of things in one style, embedded: names n, vectors n 64."""

    names: tuple[str, ...]
    vectors: Tensor

    def nearest(self, vectors: Tensor) -> list[str]:
        """The names whose pictures look most like m 64 vectors."""
        return [self.names[int(index)] for index in (vectors @ self.vectors.T).argmax(1)]


@torch.no_grad()
def embed(judge: LooksJudge, cuts: Sequence[Tensor]) -> Tensor:
    """n times 4 64 64 -> n 64"""
    judge.eval()
    return torch.cat([judge(part) for part in torch.stack(list(cuts)).split(CHUNK)])


def gallery(judge: LooksJudge, names: Sequence[str], style: str) -> Gallery:
    return Gallery(tuple(names), embed(judge, [reference(name, style) for name in names]))
