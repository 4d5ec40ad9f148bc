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
from stunet_core.model.walk import Clip, Host, walk

from ..common.conditions import model_input
from .gradient_checkpointing import LeanHost, LeanSkeleton

PREDICTIONS = ("eps", "v")
CELL = 8  # pixels per side of a latent cell of Stable Diffusion
PLAIN, INPAINTING = 4, 9  # input channels of Stable Diffusion


@dataclass(frozen=True)
class Text:
    """context: n c, as cross-attention sees it; y: p, what joins the time embedding, or None."""

    context: Tensor
    y: Tensor | None


class Encoders(ABC):
    """What is needed only until the cache is made."""

    @abstractmethod
    def pictures(self, frames: np.ndarray) -> Tensor:
        """uint8 f h w 3 -> f c h/cell w/cell, as the U-Net sees them"""

    @abstractmethod
    def text(self, caption: str, width: int, height: int) -> Text:
        """The caption of a clip of this size in pixels: SDXL is told the size."""

    def close(self) -> None:
        """Free what they hold of the accelerator's memory: nothing, unless they say so."""
        return


class ImageModel(ABC):
    """A frozen U-Net, and how it was trained. `bars`: cumulative signal power per time step (T).

    `blank`: what an inpainting model sees where nothing is given, per channel. `cell`: pixels per side of a latent cell.
    """

    cell = CELL
    channels = (PLAIN, INPAINTING)  # that its input may have: without a mask, with one

    def __init__(self, net: nn.Module, name: str, prediction: str, bars: Tensor, *, blank: Tensor | None = None,
                 pooled_channels: int = 0):
        if prediction not in PREDICTIONS:
            raise ValueError(f"checkpoint: it predicts {prediction!r}; the trainer knows {' and '.join(PREDICTIONS)}")
        channels = int(net.input_blocks[0][0].weight.shape[1])  # type: ignore[index, union-attr]
        if channels not in self.channels:
            raise ValueError(f"checkpoint: its U-Net takes {channels} channels; {PLAIN} (text to image) or {INPAINTING} "
                             "(inpainting) can be trained on")
        self.inpaints = channels == self.channels[-1]
        self.net, self.name, self.prediction, self.bars = net.eval().requires_grad_(False), name, prediction, bars.float()
        self.blank = torch.zeros(PLAIN) if blank is None else blank.float()
        self.pooled_channels = pooled_channels
        self.layout = read_layout(net)

    @property
    def multiple(self) -> int:
        """What the sides of a picture must divide by, so that every level halves evenly."""
        return self.cell * prod([2] * (self.layout.levels - 1))

    def conditioned(self, noisy: Tensor, clean: Tensor, keep: Tensor, frames: int) -> Tensor:
        """The input of a model with a mask: noisy, clean (b f) c h w, keep (b f) 1 h w (1 = given)."""
        return model_input(noisy, clean, keep, self.blank[:, None, None].expand_as(clean))

    def heard(self, y: Tensor, x: Tensor, clip: Clip) -> Tensor:
        """What each frame hears: b p -> (b f) p. x: the U-Net's input."""
        return y.repeat_interleave(clip.frames, dim=0)

    @abstractmethod
    def embed(self, t: Tensor, y: Tensor | None) -> Tensor:
        """The U-Net's embedding of time step and `y`: n, n p -> n e"""

    @abstractmethod
    def host(self, emb: Tensor, context: Tensor, frames: int) -> Host:
        """How one block runs. emb: (b f) e; context: b n c"""

    def to(self, device: torch.device) -> None:
        self.net.to(device)
        self.bars, self.blank = self.bars.to(device), self.blank.to(device)

    def forward(self, skeleton: Skeleton, x: Tensor, t: Tensor, context: Tensor, y: Tensor | None, clip: Clip,
                lean: bool = False) -> Tensor:
        """x: (b f) c h w, t: b, y: b p -> the prediction (b f) c h w. `lean`: less memory, about a third more time."""
        dtype = self.net.time_embed[0].weight.dtype  # type: ignore[index, union-attr]
        x, context, y = x.to(dtype), context.to(dtype), None if y is None else y.to(dtype)
        with torch.no_grad():
            y = None if y is None else self.heard(y, x, clip)
            emb = self.embed(t.repeat_interleave(clip.frames, dim=0), y)          # (b f) e
        pooled = y if self.pooled_channels else None
        host = self.host(emb, context, clip.frames)
        if lean:
            return walk(self.net, x, emb, pooled, LeanSkeleton(skeleton), clip, LeanHost(host))  # type: ignore[arg-type]
        return walk(self.net, x, emb, pooled, skeleton, clip, host)

    def noised(self, z: Tensor, noise: Tensor, bar: Tensor) -> tuple[Tensor, Tensor]:
        """What the U-Net is given, and what it should say: (b f) c h w each"""
        return add_noise(z, noise, bar), noise if self.prediction == "eps" else velocity(z, noise, bar)
