"""Boiling taken out while a clip is made: what is predicted of neighbouring frames is averaged at each step, where they are alike.

Every frame begins with noise of its own, and what layers along time leave of it is seen as boiling. A clip moves little from one
frame to the next, in latents of 8 x 8 pixels above all: the mean over a few neighbours is nearly the same picture with less of that
noise. Averaged while it is made, not afterwards, the model sharpens it again in the steps that follow. A neighbour counts less at
places where it differs (the bilateral filter of Tomasi and Manduchi, ICCV 1998, along time), so what moves is not smeared.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

REACH = 2.0  # standard deviations of the bell curve over time that are looked at
AROUND = 3  # cells along each side of the neighbourhood in which frames are compared


def bell(frames: float) -> Tensor:
    """Weights of the neighbours 1, 2, ... frames away, next to 1 for the frame itself; none for 0 frames.

    Raises ValueError for `frames` below 0.
    """
    if not 0 <= frames < math.inf:
        raise ValueError(f"frames: {frames} is no standard deviation; give 0 (nothing is averaged) or more")
    return torch.exp(-(torch.arange(1, math.ceil(REACH * frames) + 1, dtype=torch.float64) / max(frames, 1e-9)) ** 2 / 2).float()


def check_difference(difference: float, name: str = "difference") -> None:
    """Raises ValueError for a `difference` of 0 or less."""
    if not difference > 0:
        raise ValueError(f"{name}: {difference} lets no two frames be alike; give more than 0")


def steady(clean: Tensor, frames: float, difference: float = math.inf, *, loop: bool = False) -> Tensor:
    """Each frame of f c h w, latents of variance about 1, as the mean of itself and its neighbours in time.

    A neighbour's weight is a bell curve of its distance in time (standard deviation `frames`) times one of how much it differs
    around the place, root mean square over channels (`difference` x sqrt 2; inf: differing does not count). Before the first frame and
    after the last one nothing stands, in a loop the other end. A clip that does not move is not changed.

    Raises ValueError for `frames` below 0 and for a `difference` of 0 or less.
    """
    weights = bell(frames)
    check_difference(difference)
    if len(clean) == 1 or not len(weights):
        return clean
    total, share = clean.clone(), torch.ones_like(clean[:, :1])  # the frame itself
    for away, weight in enumerate(weights.tolist(), start=1):
        for step in (away, -away):
            if not loop and away >= len(clean):
                continue
            other = clean.roll(-step, 0)  # frame i's neighbour i + step
            counts = weight * torch.exp(-apart(clean, other) / difference**2)
            if not loop:  # what came round from the other end
                (counts[-away:] if step > 0 else counts[:away]).zero_()
            total += counts * other
            share += counts
    return total / share


def apart(a: Tensor, b: Tensor) -> Tensor:
    """Mean square difference of two clips around each place: f c h w -> f 1 h w"""
    return F.avg_pool2d((a - b).square().mean(1, keepdim=True), AROUND, 1, AROUND // 2, count_include_pad=False)
