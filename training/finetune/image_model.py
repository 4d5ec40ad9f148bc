"""The frozen image model as the trainer sees it: one small interface to any U-Net in the LDM layout.

No U-Net of Stable Diffusion is written here. The embedded model is read by `stunet_core.mini`; every other checkpoint by
ComfyUI itself, as a library in this process (`own.comfyui`): it knows all their forms, encodes text and pictures as it
will when sampling, and its layers are plain torch that gradients pass through. The walk through the blocks is the same as
in the nodes (`stunet_core.model.walk`); only how one block runs is the model's own.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from stunet_core.mini.schedule import add_noise, velocity
from stunet_core.model.layout import read_layout
from stunet_core.model.skeleton import Skeleton
from stunet_core.model.walk import Clip, Host, tell_time, walk

from .gradient_checkpointing import LeanHost, LeanSkeleton

PREDICTIONS = ("eps", "v")
CELL = 8  # pixels per side of a latent cell
PLAIN, INPAINTING = 4, 9  # input channels


@dataclass(frozen=True)
class Text:
    """context: n c, as cross-attention sees it; y: p, what joins the time embedding, or None."""

    context: Tensor
    y: Tensor | None


class Encoders(ABC):
    """What is needed only until the cache is made."""

    @abstractmethod
    def pictures(self, frames: np.ndarray) -> Tensor:
        """uint8 f h w 3 -> f 4 h/8 w/8, as the U-Net sees them"""

    @abstractmethod
    def text(self, caption: str, width: int, height: int) -> Text:
        """The caption of a clip of this size in pixels: SDXL is told the size."""

    def close(self) -> None:
        """Free what they hold of the accelerator's memory: nothing, unless they say so."""
        return


class ImageModel(ABC):
    """A frozen U-Net, and how it was trained. `bars`: cumulative signal power per time step (T).

    `blank`: what an inpainting model sees where nothing is given, per channel.
    """

    def __init__(self, net: nn.Module, name: str, prediction: str, bars: Tensor, *, blank: Tensor | None = None,
                 pooled_channels: int = 0):
        if prediction not in PREDICTIONS:
            raise ValueError(f"checkpoint: it predicts {prediction!r}; the trainer knows {' and '.join(PREDICTIONS)}")
        self.channels = int(net.input_blocks[0][0].weight.shape[1])  # type: ignore[index, union-attr]
        if self.channels not in (PLAIN, INPAINTING):
            raise ValueError(f"checkpoint: its U-Net takes {self.channels} channels; {PLAIN} (text to image) or {INPAINTING} "
                             "(inpainting) can be trained on")
        self.net, self.name, self.prediction, self.bars = net.eval().requires_grad_(False), name, prediction, bars.float()
        self.blank = torch.zeros(PLAIN) if blank is None else blank.float()
        self.pooled_channels = pooled_channels
        self.layout = read_layout(net)

    @property
    def multiple(self) -> int:
        """What the sides of a picture must divide by, so that every level halves evenly."""
        return CELL * prod([2] * (self.layout.levels - 1))

    @property
    def inpaints(self) -> bool:
        return self.channels == INPAINTING

    @abstractmethod
    def embed(self, t: Tensor, y: Tensor | None) -> Tensor:
        """The U-Net's embedding of time step and `y`: b, b p -> b e"""

    @abstractmethod
    def host(self, emb: Tensor, context: Tensor, frames: int) -> Host:
        """How one block runs. emb: (b f) e; context: b n c"""

    def to(self, device: torch.device) -> None:
        self.net.to(device)
        self.bars, self.blank = self.bars.to(device), self.blank.to(device)

    def forward(self, skeleton: Skeleton, x: Tensor, t: Tensor, context: Tensor, y: Tensor | None, clip: Clip,
                lean: bool = False) -> Tensor:
        """x: (b f) c h w, t: b -> the prediction (b f) 4 h w. `lean`: less memory, about a third more time."""
        dtype = self.net.time_embed[0].weight.dtype  # type: ignore[index, union-attr]
        x, context, y = x.to(dtype), context.to(dtype), None if y is None else y.to(dtype)
        with torch.no_grad():
            emb = self.embed(t, y).repeat_interleave(clip.frames, dim=0)           # (b f) e
        pooled = y.repeat_interleave(clip.frames, dim=0) if y is not None and self.pooled_channels else None
        emb = tell_time(emb, x, pooled, skeleton, clip)
        host = self.host(emb, context, clip.frames)
        if lean:
            return walk(self.net, x, emb, pooled, LeanSkeleton(skeleton), clip, LeanHost(host))  # type: ignore[arg-type]
        return walk(self.net, x, emb, pooled, skeleton, clip, host)

    def noised(self, z: Tensor, noise: Tensor, bar: Tensor) -> tuple[Tensor, Tensor]:
        """What the U-Net is given, and what it should say: (b f) 4 h w each"""
        return add_noise(z, noise, bar), noise if self.prediction == "eps" else velocity(z, noise, bar)
