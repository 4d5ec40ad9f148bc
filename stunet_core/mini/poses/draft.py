"""Drafts: the pictures of a prompt's things, drawn into a frame's cells where the things are (spatial transformer networks, 1506.02025).

A pose is x, y (where the thing's centre of mass is, as fractions of the frame's width and height), log2 of its size (its longer side, in
units of the frame's shorter side), its angle in radians, clockwise as seen, and 1 if it is there, 0 if not. The U-Net sees drafts beside
the noisy latents and makes them sharp, on their background.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..inputs import SLOTS

INSTANCES = 3  # things of a scene, at most, the left one first
SECOND = 1  # the instance that shows the second picture where there are two; all others show the first
DRAWN = 0.9375  # of a picture's side in the book, the side of the drawing in its middle
FILLED = 0.9375  # of a drawing's side, the longer side of its thing
LENGTH = DRAWN * FILLED  # so of a picture's side in the book, the longer side of its thing


def drafts(poses: Tensor, pictures: Tensor, shown: Tensor, height: int, width: int, lengths: Tensor | None = None) -> Tensor:
    """b 18 h w: for each slot the latents times their coverage, and the coverage from 0 to 1; 0 where nothing is.

    Args:
        poses: b 3 5, as above.
        pictures: b 2 9 n n, as the picture encoder takes them, of any value in a slot that shows none.
        shown: b 2, bool: which slots show a picture.
        lengths: b 2, the longer side of each picture's thing, of the picture's side; None: they are pictures of the book (LENGTH).
    """
    slot = torch.zeros(len(poses), INSTANCES, dtype=torch.long, device=poses.device)
    slot[:, SECOND] = shown[:, 1].long()                                                       # which picture each instance shows
    row = torch.arange(len(poses), device=poses.device)[:, None]
    long: Tensor | float = LENGTH if lengths is None else lengths[row, slot].flatten()         # (b 3)
    drawn = draw(poses.flatten(0, 1), pictures[row, slot].flatten(0, 1), height, width, long).unflatten(0, slot.shape)  # b 3 9 h w
    drawn = drawn * shown[row, slot][:, :, None, None, None].to(drawn)
    return torch.cat([_foremost(drawn * (slot == k)[:, :, None, None, None].to(drawn)) for k in range(SLOTS)], dim=1)


def _foremost(drawn: Tensor) -> Tensor:
    """Of instances in one slot, in each cell the one that covers it most: b 3 9 h w -> b 9 h w"""
    most = drawn[:, :, -1:].argmax(dim=1, keepdim=True).expand(-1, -1, drawn.shape[2], -1, -1)
    return drawn.gather(1, most)[:, 0]


def draw(pose: Tensor, picture: Tensor, height: int, width: int, length: Tensor | float = LENGTH) -> Tensor:
    """One thing at its pose: b 5, b 9 n n -> b 9 h w, latents times coverage and the coverage from 0 to 1; 0 where it is not there.

    `length`: of the picture's side, the longer side of its thing; b, or one for all.
    """
    if isinstance(length, Tensor):
        length = length[:, None, None]                                                         # b 1 1
    shorter = min(height, width)
    x, y, size, angle, there = pose.unsqueeze(-1).unsqueeze(-1).unbind(1)                      # b 1 1
    across = (cells(width, pose.device) - x) * (width / shorter)                               # b 1 w, in shorter sides
    down = (cells(height, pose.device)[:, None] - y) * (height / shorter)                      # b h 1
    nearer = length * 2.0**-size                                                               # shorter sides -> the picture's sides
    right = (angle.cos() * across + angle.sin() * down) * nearer                               # b h w, seen from the thing
    below = (angle.cos() * down - angle.sin() * across) * nearer
    middle = centroid(picture)[:, None, None]                                                  # b 1 1 2
    coverage = ((picture[:, -1:] + 1) / 2).clamp(0, 1)
    source = torch.cat([picture[:, :-1] * coverage, coverage], dim=1)
    looked_up = (torch.stack([right, below], dim=-1) + middle) * 2 - 1                         # b h w 2
    return F.grid_sample(source, looked_up, mode="bilinear", padding_mode="zeros", align_corners=False) * there[:, None]


def cells(count: int, device: torch.device | None = None) -> Tensor:
    """The middles of `count` cells in a row, as fractions of it."""
    return (torch.arange(count, device=device) + 0.5) / count


def centroid(picture: Tensor) -> Tensor:
    """A thing's centre of mass in its picture, x and y from 0 to 1: b 9 n n -> b 2"""
    coverage = ((picture[:, -1] + 1) / 2).clamp(min=0)
    at, total = cells(coverage.shape[-1], picture.device), coverage.sum(dim=(1, 2)).clamp(min=1e-3)
    return torch.stack([(coverage.sum(dim=1) * at).sum(dim=1) / total, (coverage.sum(dim=2) * at).sum(dim=1) / total], dim=1)
