"""Masks that users bring (white = to be generated) and what a model sees of them: cells of 8x8 or 16x16 pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor

CELL = 8  # pixels per side of a latent cell of SD1.5, SD2.x and SDXL
MINI_CELL = 16  # of the mini model's
NEARLY_ALL = 0.95


def read_mask(name: str, mask: Tensor, frames: int, height: int, width: int) -> Tensor:
    """A user's mask -> keep: bool [F, H, W], True where it is dark (below 0.5), i.e. where the clip is given.

    mask: [1 or F, H, W], 1 (white) = to be generated. Raises ValueError when it has another number or size, is no
    number somewhere, or when it is black or white everywhere.
    """
    mask = fitting(name, mask, frames, height, width)
    keep = mask < 0.5
    if keep.all():
        raise ValueError(f"{name}: is black everywhere: nothing is painted, so there is nothing to generate. White is what is generated; "
                         "if black was meant to be, put InvertMask before it")
    if not keep.any():
        raise ValueError(f"{name}: is white everywhere, so nothing of the clip is kept. White is what is generated; "
                         "paint only that, or use Empty Clip or Image to Video to make all of it")
    return keep.expand(frames, -1, -1)


def fitting(name: str, mask: Tensor, frames: int, height: int, width: int) -> Tensor:
    """A user's mask as [1 or F, H, W]. Raises ValueError when it has another number or size, or is no number somewhere."""
    mask = mask[None] if mask.ndim == 2 else mask
    if mask.ndim != 3:
        raise ValueError(f"{name}: is {tuple(mask.shape)}; a mask is frames x height x width")
    if len(mask) not in (1, frames):
        raise ValueError(f"{name}: has {len(mask)} frames, the clip {frames}; give 1 mask for all of them, or {frames}")
    if tuple(mask.shape[1:]) != (height, width) and not (mask >= 0.5).any():
        raise ValueError(f"{name}: nothing is painted: it is {mask.shape[2]}x{mask.shape[1]} pixels, all black, as Load Image gives it for "
                         "a picture without a mask. Open the picture in the mask editor (right click) and paint what is to be generated")
    if tuple(mask.shape[1:]) != (height, width):
        raise ValueError(f"{name}: is {mask.shape[2]}x{mask.shape[1]} pixels, the clip {width}x{height}; paint it on "
                         "the clip's own frame, or resize it first")
    if not torch.isfinite(mask).all():
        raise ValueError(f"{name}: has pixels that are no numbers (NaN or infinite); look at the node that made it")
    return mask


def doubt(name: str, keep: Tensor) -> str | None:
    """What to tell the user about a mask that was perhaps not meant so, or None."""
    generated = float((~keep).float().mean())
    if generated > NEARLY_ALL:
        return (f"{name}: {generated:.0%} of it is white, i.e. will be generated. If that is the part to keep, put "
                "InvertMask before it.")
    if not cells(keep).any():
        return (f"{name}: what is kept nowhere fills a cell of {CELL}x{CELL} pixels, so the model sees nothing of it. "
                "Keep larger parts.")
    return None


def padded(x: Tensor, cell: int = CELL) -> Tensor:
    """n c h w -> n c H W: the right and the lower edge repeated until both sides are multiples of a cell."""
    h, w = x.shape[-2:]
    return F.pad(x, (0, -w % cell, 0, -h % cell), mode="replicate")


def cells(keep: Tensor, cell: int = CELL) -> Tensor:
    """bool f h w in pixels -> bool f h/cell w/cell (rounded up): a cell is given only if all its pixels are."""
    generate = padded((~keep)[:, None].float(), cell)  # f 1 H W
    return F.max_pool2d(generate, cell)[:, 0] < 0.5
