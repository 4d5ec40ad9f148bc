"""The judges' networks, small convolutional ones: of frames, of clips, and of single things cut out of frames."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..world import BACKGROUNDS, CAMERAS, COLOURS, MOTIONS, STYLES

SIZE = 96           # of the frames a FrameJudge sees
MASK = 24           # side of the mask it draws
CLIP_FRAMES, CLIP_SIZE = 40, 32  # what a MotionJudge sees: every second of 80 frames, small
CUT = 64            # side of a thing that is cut out
EMBEDDED = 64       # numbers that say what a thing looks like


def convolution(inside: int, outside: int, side: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, side, stride=stride, padding=side // 2, bias=False), nn.BatchNorm2d(outside), nn.ReLU())


class Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        nn.init.zeros_(self.body[4].weight)

    def forward(self, h: Tensor) -> Tensor:
        return F.relu(h + self.body(h))


def halve(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(convolution(inside, outside, stride=2), Residual(outside))


def pooled(h: Tensor) -> Tensor:
    """n c h w -> n 2c: means and maxima"""
    return torch.cat([h.mean((2, 3)), h.amax((2, 3))], dim=1)


class FrameJudge(nn.Module):
    """n 3 96 96 in [-1, 1] -> logits: object (n objects), style (n 4), background (n 25), colour (n 13, the last: as it was drawn), and
    mask (n 24 24), of all things together.
    """

    def __init__(self, objects: int, width: int = 64):
        super().__init__()
        a, b, c = width, 2 * width, 5 * width // 2
        self.stem = nn.Sequential(convolution(3, a // 2, stride=2), convolution(a // 2, a, stride=2), Residual(a))  # n a 24 24
        self.middle = halve(a, b)                                                                                    # n b 12 12
        self.deep = nn.Sequential(halve(b, c), Residual(c))                                                          # n c 6 6
        self.heads = nn.ModuleDict({
            "object": nn.Linear(2 * c, objects), "style": nn.Linear(2 * c, len(STYLES)),
            "background": nn.Linear(2 * c, len(BACKGROUNDS)), "colour": nn.Linear(2 * c, len(COLOURS) + 1)})
        self.mask = nn.ModuleList([nn.Conv2d(channels, 16, 1) for channels in (a, b, c)])
        self.draw = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        fine = self.stem(x)
        middle = self.middle(fine)
        deep = self.deep(middle)
        seen = pooled(deep)
        out = {name: head(seen) for name, head in self.heads.items()}
        drawn = [F.interpolate(conv(h), size=fine.shape[2:], mode="nearest")
                 for conv, h in zip(self.mask, (fine, middle, deep), strict=True)]
        out["mask"] = self.draw(F.relu(sum(drawn)))[:, 0]
        return out


class MotionJudge(nn.Module):
    """n 40 5 32 32 -> logits: motion (n 12), camera (n 7, the last: it stands still). Space first, with a little time; then time alone.

    The five channels are `judges.cut_out`'s: the things without their background, where they are, and the whole picture in grey.
    """

    def __init__(self, width: int = 16):
        super().__init__()
        a, b, c = width, 2 * width, 4 * width
        self.space = nn.Sequential(
            nn.Conv3d(5, a, (1, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1), bias=False), nn.BatchNorm3d(a), nn.ReLU(),
            nn.Conv3d(a, b, 3, stride=(1, 2, 2), padding=1, bias=False), nn.BatchNorm3d(b), nn.ReLU(),  # n b 40 8 8
            nn.Conv3d(b, b, 3, stride=(1, 2, 2), padding=1, bias=False), nn.BatchNorm3d(b), nn.ReLU(),  # n b 40 4 4
            nn.Conv3d(b, 2 * c, (1, 4, 4), bias=False), nn.BatchNorm3d(2 * c), nn.ReLU())               # n 2c 40 1 1
        self.time = nn.Sequential(
            nn.Conv1d(2 * c, c, 5, padding=2, bias=False), nn.BatchNorm1d(c), nn.ReLU(),
            nn.Conv1d(c, c, 5, padding=2, stride=2, bias=False), nn.BatchNorm1d(c), nn.ReLU(),
            nn.Conv1d(c, c, 5, padding=2, stride=2, bias=False), nn.BatchNorm1d(c), nn.ReLU())          # n c 10
        self.heads = nn.ModuleDict({"motion": nn.Linear(2 * c, len(MOTIONS)), "camera": nn.Linear(2 * c, len(CAMERAS) + 1)})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.time(self.space(x.transpose(1, 2)).flatten(2))
        seen = torch.cat([h.mean(2), h.amax(2)], dim=1)
        return {name: head(seen) for name, head in self.heads.items()}


class LooksJudge(nn.Module):
    """A thing cut out (n 4 64 64, `looks.cut`) -> n 64, a unit vector; pictures of one thing are near to each other."""

    def __init__(self, width: int = 32):
        super().__init__()
        a = width
        self.body = nn.Sequential(
            convolution(4, a, stride=2), convolution(a, 2 * a, stride=2), Residual(2 * a), halve(2 * a, 3 * a), halve(3 * a, 4 * a))
        self.out = nn.Linear(8 * a, EMBEDDED)
        self.temperature = nn.Parameter(torch.tensor(2.5))  # of training's logits, as a logarithm

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.out(pooled(self.body(x))), dim=-1)
