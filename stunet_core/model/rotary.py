"""Rotary positions along time, height and width (Su et al., 2104.09864; axial, as in video transformers)."""

import math

import torch
from torch import Tensor

LONGEST_TIME = 512.0   # frames: the slowest rotation's wavelength is 2 pi times this
LONGEST_SPACE = 32.0   # latent cells


def _frequencies(count: int, longest: float, device: torch.device) -> Tensor:
    """`count` angular frequencies from 1 down to 1/longest"""
    return longest ** -(torch.arange(count, device=device, dtype=torch.float32) / max(1, count - 1))


def rotary_angles(frames: int, space: tuple[int, int], dim: int, stride: float, loop: bool,
                  device: torch.device) -> Tensor:
    """Angles of `frames` x `space` tokens for heads of `dim` channels -> (f h w) dim/2.

    Time counts in frames of the clip (`stride` of them from one token to the next). `loop` snaps each frequency to whole
    turns per clip, so that the last frame's neighbour is the first. With space (1, 1) all channels serve time.
    """
    pairs = dim // 2
    along_space = 0 if space == (1, 1) else pairs // 4
    along_time = pairs - 2 * along_space
    omega = _frequencies(along_time, LONGEST_TIME, device)
    if loop:
        turn = 2 * math.pi / (frames * stride)
        omega = (omega / turn).round() * turn
    t = torch.arange(frames, device=device, dtype=torch.float32) * stride
    angles = [(t[:, None] * omega)[:, None, None].expand(-1, *space, -1)]  # f h w pairs
    for axis, size in enumerate(space):
        if along_space:
            at = torch.arange(size, device=device, dtype=torch.float32)[:, None]
            angle = at * _frequencies(along_space, LONGEST_SPACE, device)  # size pairs
            angle = angle[None, :, None] if axis == 0 else angle[None, None]
            angles.append(angle.expand(frames, *space, -1))
    return torch.cat(angles, dim=-1).reshape(-1, pairs)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Rotate the channel pairs of `x` (... n d) by `angles` (n d/2)."""
    a, b = x.chunk(2, dim=-1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
