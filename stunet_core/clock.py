"""How far each frame is from its clip's middle, added to the U-Net's embedding beside time step and pooled text.

Rotary positions and convolutions are the same at any time, so a thing could begin anywhere on its way. In pure noise, where a
clip's motion is decided, nothing says where it is but the caption and the clock. The image model is trained on single frames that
are told when they are; as an image model it is told nothing, which adds nothing.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PERIODS = (320.0, 160.0, 80.0, 40.0, 20.0)  # frames
LOUD = 3.0  # how far the sines swing
CHANNELS = 2 * len(PERIODS) + 1


def clock(frames: int, late: Tensor) -> Tensor:
    """Time in `frames` from the clip's middle, as itself (LOUD at 40 frames) and as sines and cosines: b f CHANNELS

    late: b, how many frames the middle of these frames lies after the middle of their clip; 0 for a whole clip.
    """
    time = torch.arange(frames, device=late.device, dtype=torch.float32) - (frames - 1) / 2 + late.float()[:, None]  # b f
    angles = 2 * math.pi * time[..., None] / torch.tensor(PERIODS, device=late.device)
    return LOUD * torch.cat([time[..., None] / 40, angles.sin(), angles.cos()], dim=-1)


class Clock(nn.Module):
    """What is added to the embedding of each frame, from the time and the pooled text: where a motion stands depends on both."""

    def __init__(self, pooled_channels: int, emb_channels: int):
        super().__init__()
        self.hidden = nn.Linear(CHANNELS + pooled_channels, 2 * emb_channels)
        self.out = nn.Linear(2 * emb_channels, emb_channels, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, time: Tensor, y: Tensor | None) -> Tensor:
        """n CHANNELS, n p -> n e"""
        heard = time if y is None else torch.cat([time, y], dim=-1)
        return self.out(F.silu(self.hidden(heard.to(self.out.weight.dtype))))
