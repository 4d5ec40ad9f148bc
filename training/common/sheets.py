"""Contact sheets: what a loss curve does not show."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor


def to_uint8(frames: Tensor) -> np.ndarray:
    """n 3 h w in [-1, 1] -> n h w 3 uint8 RGB"""
    return ((frames.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def sheet(frames: np.ndarray, columns: int, titles: Sequence[str] = ()) -> np.ndarray:
    """n h w 3 uint8 -> one picture, row by row, a title under each frame if given"""
    bar = 14 if titles else 0
    n, h, w, _ = frames.shape
    rows = -(-n // columns)
    out = np.full((rows * (h + bar), columns * w, 3), 255, np.uint8)
    for i, frame in enumerate(frames):
        y, x = (i // columns) * (h + bar), (i % columns) * w
        out[y:y + h, x:x + w] = frame
        if titles and i < len(titles):
            cv2.putText(out, titles[i], (x + 2, y + h + 11), cv2.FONT_HERSHEY_SIMPLEX, 0.32, (0, 0, 0), 1, cv2.LINE_AA)
    return out


def save_sheet(path: Path, frames: Tensor | np.ndarray, columns: int, titles: Sequence[str] = ()) -> None:
    """Write a contact sheet; tensors are n 3 h w in [-1, 1], arrays n h w 3 uint8."""
    array = to_uint8(frames) if isinstance(frames, Tensor) else frames
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), sheet(array, columns, titles)[..., ::-1])
