"""What stood still for as long as it was given goes on standing still, unless something comes in front of it.

A clip that is continued, or whose hole moves, shows most of its background in the frames that are given. A model draws it anew all
the same, a little differently each time, and from one continuation to the next the differences add up. Here what is made is drawn to
what was given wherever the two nearly agree; where they do not, something is in front, and it stays. Once in latents, at each step
(`stand_still`), so that the model goes on from there, and once in the finished pixels (`Plate`), of which a VAE keeps no detail.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..guidance.deflicker import apart, check_difference
from .steps import Step, nothing

LEAST = 4  # frames that a place must be given in: fewer say nothing of whether it stands still
DOUBTFUL = 0.25  # standard deviations: latents that change by so much may move
STILL, ALIKE = 8 / 255, 16 / 255  # pixels that change by less stand still; that are made, and differ by less, show what stood there
SOFT = 2.0  # pixels over which they are compared: a VAE's softness, and a camera's noise, are no difference


def stood_still(given: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """What each place shows on average while it is given, c h w, and how surely it stands still there, 1 h w from 0 to 1.

    given: latents f c h w, of variance about 1; keep: bool f 1 h w. A place is as sure as the least alike of its frames, and of its
    neighbours. Places given in fewer than LEAST frames are not sure.
    """
    count = keep.sum(0)
    picture = torch.where(keep, given, 0.0).sum(0) / count.clamp(min=1)
    off = torch.where(keep, (given - picture).square().mean(1, keepdim=True), 0.0).amax(0)
    off = F.max_pool2d(off[None], 3, 1, 1)[0]
    return picture, torch.exp(-off / DOUBTFUL**2) * (count >= LEAST)


def stand_still(clean: Tensor, picture: Tensor, sure: Tensor, difference: float) -> Tensor:
    """Predicted clean latents f c h w, drawn to the `picture` where it surely stands still and they nearly show it.

    `difference`: root mean square over channels and neighbours, in standard deviations, by which they may differ from it.
    Raises ValueError when it is 0 or less.
    """
    check_difference(difference)
    picture = picture.to(clean).expand_as(clean)
    return torch.lerp(clean, picture, sure.to(clean) * torch.exp(-apart(clean, picture) / difference**2))


class Plate:
    """What stood still in the given pixels of a clip, for what is made of it.

    given: float32 F h w 3 in [0, 1]; keep: bool F h w. Where less than LEAST frames show a place, or it changes, nothing is known to
    stand still.
    """

    def __init__(self, given: np.ndarray, keep: np.ndarray, step: Step = nothing):
        seen = keep.sum(0)
        self.sure: np.ndarray | None = None  # h w, 0 to 1; None: no place is given often enough and made at other times
        if not ((seen >= LEAST) & (seen < len(keep))).any():
            return
        total = np.zeros_like(given[0])
        for frame, there in zip(given, keep, strict=True):
            total += frame * there[..., None]
            step()
        self.picture = total / np.maximum(seen, 1).astype(np.float32)[..., None]
        off = np.zeros(given.shape[1:3], np.float32)
        for frame, there in zip(given, keep, strict=True):
            off = np.maximum(off, soft((frame - self.picture) * there[..., None]))
            step()
        self.sure = np.exp(-off / STILL**2) * (seen >= LEAST)

    def behind(self, made: np.ndarray, step: Step = nothing) -> np.ndarray:
        """The made frames F h w 3 with what stood still, wherever they nearly show it."""
        if self.sure is None:
            return made
        out = np.empty_like(made)
        for i, frame in enumerate(made):
            share = self.sure * np.exp(-soft(frame - self.picture) / ALIKE**2)
            out[i] = frame + share[..., None] * (self.picture - frame)
            step()
        return out


def soft(difference: np.ndarray) -> np.ndarray:
    """h w 3 -> h w: how much of it is left when it is blurred, squared, of the colour of which most is left."""
    return np.square(cv2.GaussianBlur(difference, (0, 0), SOFT)).max(-1)
