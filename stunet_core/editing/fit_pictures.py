"""Pictures of any kind and size made into what a model takes: three channels, and the clip's height and width."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from .keep_mask import CELL, padded
from .pictures import check_pictures

FITS = ("crop", "pad", "stretch", "own size")


def as_rgb(name: str, pictures: Tensor) -> Tensor:
    """[F, H, W, 1, 3 or 4] -> [F, H, W, 3]: grey has three equal channels, what is transparent becomes white.

    Raises ValueError naming the input when it is no picture.
    """
    if pictures.ndim == 4 and pictures.shape[-1] == 1:
        pictures = pictures.expand(-1, -1, -1, 3)
    elif pictures.ndim == 4 and pictures.shape[-1] == 4:
        colour, alpha = pictures[..., :3], pictures[..., 3:]
        pictures = colour * alpha + (1 - alpha)
    check_pictures(name, pictures)
    return pictures


def fit(pictures: Tensor, height: int, width: int, how: str, cell: int = CELL) -> Tensor:
    """[F, H, W, 3] -> [F, height, width, 3] by one of `FITS`.

    crop: fills the frame, what sticks out around the middle is cut off. pad: lies within the frame, around the middle,
    its edges repeated. stretch: the aspect changes. own size: nothing is scaled, and the sides become multiples of `cell`.
    """
    if how not in FITS:
        raise ValueError(f"fit: {how!r} is none of {', '.join(FITS)}")
    x = rearrange(pictures, "f h w c -> f c h w")
    if how == "own size":
        return rearrange(padded(x, cell), "f c h w -> f h w c")
    h, w = x.shape[-2:]
    if how == "stretch":
        x = scaled(x, height, width)
    elif how == "crop":
        by = max(height / h, width / w)
        x = scaled(x, max(height, round(h * by)), max(width, round(w * by)))
        top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
        x = x[:, :, top:top + height, left:left + width]
    else:
        by = min(height / h, width / w)
        x = scaled(x, min(height, max(1, round(h * by))), min(width, max(1, round(w * by))))
        above, before = (height - x.shape[2]) // 2, (width - x.shape[3]) // 2
        x = F.pad(x, (before, width - x.shape[3] - before, above, height - x.shape[2] - above), mode="replicate")
    return rearrange(x, "f c h w -> f h w c")


def scaled(x: Tensor, height: int, width: int) -> Tensor:
    """f c h w -> f c height width, smoothed where it becomes smaller."""
    if tuple(x.shape[-2:]) == (height, width):
        return x
    return F.interpolate(x.float(), (height, width), mode="bilinear", antialias=True).clamp(0, 1).to(torch.float32)
