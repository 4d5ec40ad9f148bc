"""How far each frame is from its clip's middle: told to the U-Net beside time step and pooled text, and shown as where things are.

Rotary positions and convolutions are the same at any time, so a thing could begin anywhere on its way. In pure noise, where a
clip's motion is decided, nothing says where it is but the caption and the clock. What is added to the embedding is the same at
every place and can hardly move a thing; so the clock also guesses, from text and time, which places things cover, and the model
sees that guess in its mask channels, where it finds what is known of other times too (`nearest_given.py`). The image model is trained on
single frames that are told when they are; as an image model it is told nothing, which adds nothing.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PERIODS = (320.0, 160.0, 80.0, 40.0, 20.0, 10.0)  # frames
LONGEST = 80  # frames of the clips it is trained on
SPREAD = 8.0  # frames; what is drawn is even between this much earlier and later
LOUD = 3.0  # how far the sines swing
CHANNELS = 2 * len(PERIODS) + 1
PLACES = 16  # along each side of the frame, whatever its size
WIDTH = 512
SHOWN = 4  # channels that show the guess
GAIN = 10.0  # of the weights that show it: they learn so many times faster


def evenly(rows: int, frames: int, device: torch.device | None = None) -> Tensor:
    """The times of a whole clip's frames: rows frames, in frames from the middle. Of more than LONGEST frames, who were never told
    such times, the motion is slower: they are told those of LONGEST."""
    times = torch.arange(frames, device=device, dtype=torch.float32) - (frames - 1) / 2
    return (times * min(1.0, (LONGEST - 1) / max(1, frames - 1))).expand(rows, -1)


def drawn(noise: Tensor) -> Tensor:
    """How many frames later than the middle of its motion a clip's middle is, drawn with its noise: b f c h w -> b, within SPREAD

    So clips of one caption differ in path and phase from seed to seed.
    """
    return SPREAD * torch.erf(noise[:, 0].flatten(1).float().sum(1) * noise[0, 0].numel() ** -0.5 / math.sqrt(2))


def clock(times: Tensor) -> Tensor:
    """Times in frames from the clip's middle, as they are (LOUD at 40) and as sines and cosines: ... -> ... CHANNELS"""
    times = times.float()[..., None]
    angles = 2 * math.pi * times / torch.tensor(PERIODS, device=times.device)
    return LOUD * torch.cat([times / 40, angles.sin(), angles.cos()], dim=-1)


class Clock(nn.Module):
    """What the time of a frame and the pooled text say together; where a motion stands depends on both."""

    def __init__(self, pooled_channels: int, emb_channels: int):
        super().__init__()
        heard = CHANNELS + pooled_channels
        self.hidden = nn.Linear(heard, 2 * emb_channels)
        self.out = nn.Linear(2 * emb_channels, emb_channels, bias=False)
        self.where = nn.Sequential(nn.Linear(heard, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(),
                                   nn.Linear(WIDTH, PLACES * PLACES))
        self.show = nn.Conv2d(1, SHOWN, 1, bias=False)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.show.weight)

    def forward(self, time: Tensor, y: Tensor | None) -> Tensor:
        """What is added to the embedding of each frame: n CHANNELS, n p -> n e"""
        return self.out(F.silu(self.hidden(self.heard(time, y))))

    def heard(self, time: Tensor, y: Tensor | None) -> Tensor:
        return (time if y is None else torch.cat([time, y], dim=-1)).to(self.out.weight.dtype)

    def places(self, time: Tensor, y: Tensor | None) -> Tensor:
        """Logits of how much of each place things cover: n 1 PLACES PLACES"""
        return self.where(self.heard(time, y)).unflatten(1, (1, PLACES, PLACES))

    def shown(self, time: Tensor, y: Tensor | None, size: tuple[int, int]) -> Tensor:
        """What the mask channels show of it, at `size` (h, w): n SHOWN h w"""
        guess = self.places(time, y).sigmoid()
        if size != (PLACES, PLACES):
            guess = F.interpolate(guess.float(), size=size, mode="bilinear", antialias=True).to(guess.dtype)  # bf16 has no kernel on a CPU
        return self.showing(guess)

    def showing(self, covered: Tensor) -> Tensor:
        """How the mask channels show how much of each place things cover, 0 to 1, or more to be louder: n 1 h w -> n SHOWN h w"""
        return GAIN * self.show(covered.to(self.show.weight.dtype))
