"""Drafts: the pictures of a prompt's things, drawn into a frame where the things are (spatial transformer networks, 1506.02025).

A pose is x, y (where the thing's centre of mass is, as fractions of the frame's width and height), log2 of its size (its longer side, in
units of the frame's shorter side), its angle in radians, clockwise as seen, and 1 if it is there, 0 if not. Things are drawn in pixels, on
the book's grey, and encoded: latents that are moved, turned or scaled are no picture's latents. The U-Net sees drafts beside the noisy
latents and puts them on their background.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..autoencoder import LATENT_CHANNELS, SCALE
from ..inputs import SLOTS, draft_channels
from ..recolour import GROUND
from .drawing import Code, Drawing, over, paint

INSTANCES = 3  # things of a scene, at most, the left one first
SECOND = 1  # the instance that shows the second picture where there are two; all others show the first
SEEN = 0.125  # of a cell, from which its latents are shown in full
AT_ONCE = 16  # frames encoded at once
THERE = 4  # of a pose


def drafts(poses: Tensor, drawings: Sequence[Drawing | None], encode: Code, height: int, width: int) -> Tensor:
    """For each frame and slot its latents where something covers them, and the coverage from 0 to 1; 0 elsewhere: f 2(c+1) h w

    Args:
        poses: f 3 5, as above. A thing that is there by less than 1 is shown as much fainter.
        drawings: of each slot the drawing that it shows, None where it shows none.
        encode: the autoencoder's, n 3 H W in [-1, 1] -> n c h w.
        height, width: of a frame, in cells.
    """
    out = torch.zeros(len(poses), draft_channels(LATENT_CHANNELS), height, width, device=poses.device)
    for slot, thing in enumerate(drawings):
        if thing is not None:
            own = poses[:, instances(slot, drawings[1] is not None)]
            strength = own[..., THERE].amax(dim=1)
            seen = strength > 0  # of frames
            if bool(seen.any()):
                drawn = encoded(painted(own[seen].cpu().numpy(), thing, SCALE * height, SCALE * width), encode).to(out)
                out[seen, slot * len(drawn[0]):(slot + 1) * len(drawn[0])] = drawn * strength[seen, None, None, None]
    return out


def instances(slot: int, two: bool) -> list[int]:
    """Which things of a scene a slot shows. `two`: both slots show a picture."""
    return [k for k in range(INSTANCES) if (two and k == SECOND) == (slot == SLOTS - 1)]


def painted(poses: np.ndarray, thing: Drawing, height: int, width: int) -> np.ndarray:
    """One drawing at all its poses (f k 5) that are there: uint8 f H W 4, colours times coverage, and the coverage. The last is before."""
    nothing = np.zeros((height, width, 4), np.uint8)

    def frame(some: np.ndarray) -> np.ndarray:
        return reduce(lambda back, pose: over(paint(pose, thing, height, width), back), some[some[:, THERE] > 0], nothing)

    return np.stack([frame(some) for some in poses])


def encoded(rgba: np.ndarray, encode: Code) -> Tensor:
    """uint8 f H W 4 -> f c+1 h w: latents on the book's grey where something covers them, and the coverage from 0 to 1"""
    return torch.cat([encoded_some(part, encode) for part in np.array_split(rgba, -(-len(rgba) // AT_ONCE))])


def encoded_some(rgba: np.ndarray, encode: Code) -> Tensor:
    """`encoded`, all at once."""
    pixels = torch.from_numpy(rgba).movedim(-1, 1).float() / 255
    coverage = F.avg_pool2d(pixels[:, 3:], SCALE)
    with torch.no_grad():
        latents = encode((pixels[:, :3] + (1 - pixels[:, 3:]) * (GROUND / 255)) * 2 - 1).float().cpu()
    return torch.cat([latents * (coverage / SEEN).clamp(max=1), coverage], dim=1)
