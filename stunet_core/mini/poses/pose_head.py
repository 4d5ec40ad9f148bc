"""The pose head: where each thing of a prompt is at a given time, guessed from the words, so that its picture can be drawn there.

Cross-attention would have to find out by itself where each part of a picture goes; told where, the U-Net only makes it sharp
(`draft.py`; spatial transformer networks, 1506.02025). A scene has up to `INSTANCES` things, the left one first.
"""

import torch
from torch import Tensor, nn

from ..config import MiniConfig
from ..frame_time import TIME_CHANNELS, told
from .draft import INSTANCES

WIDTH = 320  # channels inside
NUMBERS = 6  # x, y, log2 of the size, sine and cosine of the angle, a logit: is it there
TYPICAL = (0.5, 0.5, -0.7, 0.0, 1.0, 0.0)  # of these, what an output of zero means: in the middle, 0.6 of the frame, upright
STEP = (0.3, 0.3, 0.5, 1.0, 1.0, 4.0)  # and how far an output of one is from that


class PoseHead(nn.Module):
    """Pooled words (without what pictures add to them) and a frame's time -> the pose of each thing of the scene."""

    def __init__(self, config: MiniConfig):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(config.pooled_dim + TIME_CHANNELS, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(),
            nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, INSTANCES * NUMBERS))

    def forward(self, words: Tensor, time: Tensor) -> Tensor:
        """words: n p; time: n 14 from `frame_time.told` -> n 3 6, of which `to_pose` makes poses."""
        out = self.net(torch.cat([words, time.to(words)], dim=1)).unflatten(1, (INSTANCES, NUMBERS))
        return out.new_tensor(TYPICAL) + out * out.new_tensor(STEP)

    def poses(self, words: Tensor, times: Tensor) -> Tensor:
        """The guess: n 3 5, as `draft.drafts` takes it. Where the time is not told (NaN) nothing is there.

        words: n p; times: n, in frames from the clip's middle.
        """
        poses = to_pose(self(words, told(times)))
        return poses * torch.where(times.isnan(), 0.0, 1.0).to(poses)[:, None, None]


def to_pose(guess: Tensor) -> Tensor:
    """... 6 -> ... 5: x and y (fractions of the frame's width and height), log2 of the size, the angle, and 1 if it is there, else 0."""
    x, y, size, sine, cosine, there = guess.unbind(-1)
    return torch.stack([x, y, size, torch.atan2(sine, cosine), (there > 0).to(guess)], dim=-1)
