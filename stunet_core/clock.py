"""How far each frame is from its clip's middle, for blocks that are to know when they are, not only what is near them.

Rotary positions and convolutions are the same at any time: a thing could begin anywhere on its way. In pure noise, where a clip's
motion is decided, nothing says where it is but the caption and the clock.
"""

import math

import torch
from torch import Tensor

PERIODS = (320.0, 160.0, 80.0, 40.0, 20.0)  # frames
LOUD = 3.0  # how far the sines swing: quiet ones are drowned by what the caption and the noise level say
CHANNELS = 2 * len(PERIODS) + 1


def clock(frames: int, late: Tensor) -> Tensor:
    """Time in `frames` from the clip's middle, as itself (LOUD at 40 frames) and as sines and cosines: b f CHANNELS

    late: b, how many frames the middle of these frames lies after the middle of their clip; 0 for a whole clip.
    """
    time = torch.arange(frames, device=late.device, dtype=torch.float32) - (frames - 1) / 2 + late.float()[:, None]  # b f
    angles = 2 * math.pi * time[..., None] / torch.tensor(PERIODS, device=late.device)
    return LOUD * torch.cat([time[..., None] / 40, angles.sin(), angles.cos()], dim=-1)
