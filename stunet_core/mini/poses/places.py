"""Masks of where things are, as poses: their pictures are then drawn there, and not where the pose head guesses (`draft.py`)."""

import torch
from torch import Tensor

INSIDE = 0.9  # of a hole's shorter side, as long a thing is drawn in it
SQUARE = 0.1  # of its sides' ratio, how far a mask's shape may be from the clip's


def check_places(name: str, mask: Tensor) -> None:
    """Raises ValueError for a mask of 0 (background) to 1 (a thing) that is none, or that places nothing."""
    if not mask.numel():
        raise ValueError(f"{name}: is empty {tuple(mask.shape)}; give one mask, or one per frame")
    low, high = float(mask.min()), float(mask.max())
    if not (low >= 0 and high <= 1):  # NaN is in neither
        raise ValueError(f"{name}: its values run from {low:g} to {high:g}; give 0 (background) to 1 (a thing)")
    if high < 0.5:
        raise ValueError(f"{name}: is black everywhere, so there is no thing anywhere; white is where a thing is")
    if low >= 0.5:
        raise ValueError(f"{name}: is white everywhere; white is where a thing is. If it shows the background, put InvertMask before it")


def check_fits(name: str, mask: Tensor, frames: int, height: int, width: int) -> None:
    """Raises ValueError for a mask of another number of frames, or of another shape than height x width cells; any size will do."""
    if len(mask) not in (1, frames):
        raise ValueError(f"{name}: has {len(mask)} frames, the clip {frames}; give 1 mask for all of them, or {frames}")
    stretched = (mask.shape[2] / mask.shape[1]) / (width / height)
    if not 1 - SQUARE <= stretched <= 1 / (1 - SQUARE):
        raise ValueError(f"{name}: is {mask.shape[2]}x{mask.shape[1]} pixels, of another shape than the clip, which is {width}x{height} "
                         "cells; paint it on the clip's own frame, or crop it to that shape")


def poses_of(mask: Tensor) -> Tensor:
    """Masks f h w, 0 to 1 -> poses f 5 as `draft.py` has them: centre of mass, the longer side of the bounding box, upright.

    A frame in which nothing is white has no thing.
    """
    height, width = mask.shape[1:]
    solid = mask >= 0.5
    weight = mask.float() * solid
    total = weight.sum(dim=(1, 2)).clamp(min=1e-6)
    x, y = ((torch.arange(size, device=mask.device) + 0.5) / size for size in (width, height))
    centre = [(weight.sum(dim=1) * x).sum(dim=1) / total, (weight.sum(dim=2) * y).sum(dim=1) / total]
    sides = torch.stack([extent(solid.any(dim=along)) for along in (1, 2)]).amax(dim=0)        # f, in pixels
    there = solid.flatten(1).any(dim=1).float()
    return torch.stack([*centre, (sides.clamp(min=1) / min(height, width)).log2(), torch.zeros_like(there), there], dim=1)


def in_holes(mask: Tensor) -> Tensor | None:
    """Where the thing of a prompt goes in a clip with a hole in each frame: poses f 5, INSIDE as long as the hole's shorter side.

    mask: f h w, 1 where to generate. None where frames are made or given whole, or where what is made runs along more than one border:
    around a picture, or all but a still.
    """
    hole = mask >= 0.5
    borders = torch.stack([hole[:, 0].any(1), hole[:, -1].any(1), hole[:, :, 0].any(1), hole[:, :, -1].any(1)])
    if not bool(hole.flatten(1).any(1).all()) or bool((borders.sum(dim=0) > 1).any()):
        return None
    poses = poses_of(hole.float())
    shorter = torch.stack([extent(hole.any(dim=along)) for along in (1, 2)]).amin(dim=0)
    poses[:, 2] = (INSIDE * shorter / min(hole.shape[1:])).log2()
    return poses


def extent(row: Tensor) -> Tensor:
    """From the first to the last that is True, of f n: how many (f)"""
    count = torch.arange(row.shape[1], device=row.device).expand_as(row)
    first = torch.where(row, count, row.shape[1]).amin(dim=1)
    return (torch.where(row, count, -1).amax(dim=1) - first + 1).clamp(min=0).float()


def placed(guess: Tensor, first: Tensor, second: Tensor | None, two: bool, strength: float = 1.0) -> Tensor:
    """The guessed poses f 3 5 with the first thing where `first` (f 5) says, and the second where `second` does.

    `two`: the prompt shows two things; of the second one, where nothing is told, the guess stays. More things than are told are not
    there. `strength`, 0 to 1: how sure the drafts of what is told are.
    """
    out = guess.clone()
    out[:, 0] = first
    if second is not None:
        out[:, 1] = second
    elif not two:
        out[:, 1, 4] = 0
    out[:, 2, 4] = 0
    told = [0] if second is None else [0, 1]
    out[:, told, 4] *= strength
    return out
