"""How far each frame is from its clip's middle, for blocks that are to know when they are, not only what is near them.

Rotary positions and convolutions are the same at any time: a thing could begin anywhere on its way. In pure noise, where a clip's
motion is decided, nothing says where it is but the caption and the clock.
"""

import math

import torch
from torch import Tensor

PERIODS = (320.0, 160.0, 80.0, 40.0, 20.0)  # frames
CHANNELS = 2 * len(PERIODS) + 1


def clock(frames: int, device: torch.device) -> Tensor:
    """Time in `frames` from the clip's middle, as itself (in 40 frames) and as sines and cosines: f CHANNELS"""
    time = torch.arange(frames, device=device, dtype=torch.float32) - (frames - 1) / 2
    angles = 2 * math.pi * time[:, None] / torch.tensor(PERIODS, device=device)
    return torch.cat([time[:, None] / 40, angles.sin(), angles.cos()], dim=-1)
