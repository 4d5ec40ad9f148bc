"""The time of a frame in its clip, told to the U-Net beside the pooled text, so that the image model knows where a thing is by then.

Convolutions and rotary positions are the same at any time: nothing else says in pure noise, where a clip's motion is decided, how far
it has come. Times are in frames at 16 a second from the clip's middle, where single images are; NaN is a time that is not told (of loops,
which have no middle, and of pictures and clips of which something is given, which says itself when it is).
"""

import math

import torch
from torch import Tensor

PERIODS = (320.0, 160.0, 80.0, 40.0, 20.0, 10.0)  # frames
FEATURES = 2 * len(PERIODS) + 1
TIME_CHANNELS = FEATURES + 1  # and whether the time is told
FAR = 40.0  # frames from the middle to the ends of the clips that are trained on
LONGEST = 80  # frames of these clips
HASTE = 1.5  # times as fast as usual, at most, do things of a loop pass through the middle
SPREAD = 8.0  # frames; what `drawn` draws is even between this much earlier and later


def features(times: Tensor) -> Tensor:
    """Times as they are (1 at FAR), and as sines and cosines: ... -> ... FEATURES"""
    times = times.float()[..., None]
    angles = 2 * math.pi * times / torch.tensor(PERIODS, device=times.device)
    return torch.cat([times / FAR, angles.sin(), angles.cos()], dim=-1)


def told(times: Tensor) -> Tensor:
    """Times n (NaN: not told) -> n TIME_CHANNELS: the features and 1, or zeros where it is not told"""
    known = (~times.isnan())[:, None]
    return torch.cat([features(times.nan_to_num()) * known, known.float()], dim=1)


def with_time(pooled: Tensor, times: Tensor) -> Tensor:
    """The U-Net's `y`: pooled text n p and times n (NaN: not told) -> n (p + TIME_CHANNELS)"""
    return torch.cat([pooled, told(times).to(pooled)], dim=1)


def evenly(rows: int, frames: int, spacing: float = 1.0, device: torch.device | None = None) -> Tensor:
    """The times of whole clips' frames, `spacing` apart: rows frames.

    A clip longer than LONGEST is told the times of LONGEST, since later ones were never trained: its motion is slower.
    """
    times = torch.arange(frames, device=device, dtype=torch.float32) - (frames - 1) / 2
    return (times * min(spacing, (LONGEST - 1) / max(1, frames - 1))).expand(rows, -1)


def there_and_back(frames: int) -> Tensor:
    """When the things of a loop of so many frames are drafted, from the middle of their motion forth and back: f

    A motion that ends elsewhere than it began cannot go round; this one can, at up to HASTE times its speed.
    """
    reach = min(HASTE * frames / (2 * math.pi), FAR / 2)
    return reach * torch.sin(2 * math.pi * torch.arange(frames) / frames)


def drawn(noise: Tensor) -> Tensor:
    """How many frames later than the middle of its motion a clip's middle is, drawn with its noise: b f c h w -> b, within SPREAD

    So clips of one caption differ in path and phase from seed to seed.
    """
    return SPREAD * torch.erf(noise[:, 0].flatten(1).float().sum(1) * noise[0, 0].numel() ** -0.5 / math.sqrt(2))
