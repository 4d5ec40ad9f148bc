"""What may be behind a thing that is to go: the same place at other times, and where it never shows, what is around it."""

import cv2
import numpy as np
import torch
from torch import Tensor

from .steps import Step, nothing

RADIUS = 5  # pixels around a place that say what it looks like


def surroundings(clip: Tensor, keep: Tensor, step: Step = nothing) -> Tensor:
    """The clip [F, H, W, 3] in [0, 1] with its hole (False in bool [F, H, W]) filled without the thing in it.

    A place takes the colours that it has at the nearest time at which it is not in the hole, as behind a still camera; places
    that always are in it are grown in from around, frame by frame (Telea, Journal of Graphics Tools 2004). A frame that is all
    hole and stays so at all times is grey. `step` is called before each frame that is grown in.
    """
    when = nearest_seen(keep)
    seen = when >= 0
    filled = clip.gather(0, when.clamp(min=0)[..., None].expand_as(clip))
    if bool(seen.all()):
        return filled
    unseen = (~seen[0]).cpu().numpy().astype(np.uint8)  # the same at all times
    if unseen.all():
        return torch.where(keep[..., None], clip, 0.5)
    frames = []
    for frame in filled:
        step()
        frames.append(grown_in(frame, unseen))
    return torch.stack(frames).to(filled)


def grown_in(frame: Tensor, hole: np.ndarray) -> Tensor:
    """H W 3 with its hole (H W uint8, not 0) continued from around it; elsewhere it is as it was."""
    picture = (frame.detach().cpu().float().clamp(0, 1) * 255).round().byte().numpy()
    grown = torch.from_numpy(cv2.inpaint(picture, hole, RADIUS, cv2.INPAINT_TELEA)).to(frame) / 255
    return torch.where(torch.from_numpy(hole > 0).to(frame.device)[..., None], grown, frame)


def nearest_seen(keep: Tensor) -> Tensor:
    """The frame nearest in time at which each place is given, of two the earlier; -1 where there is none: bool f h w -> f h w"""
    frames = len(keep)
    number = torch.arange(frames, device=keep.device)[:, None, None].expand_as(keep)
    never = 2 * frames
    before = torch.where(keep, number, -never).cummax(0).values
    after = torch.where(keep, number, never).flip(0).cummin(0).values.flip(0)
    nearest = torch.where(number - before <= after - number, before, after)
    return torch.where((before < 0) & (after >= never), -1, nearest)
