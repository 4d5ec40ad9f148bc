"""The embedded model as the frozen image model: no ComfyUI is needed for it."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stunet_core.checkpoints.tensor_file import PICKLED, open_tensors
from stunet_core.checkpoints.weights import fill
from stunet_core.mini.autoencoder import SCALE
from stunet_core.mini.checkpoint import CONFIG, Checkpoint, load_checkpoint
from stunet_core.mini.frame_time import evenly, with_time
from stunet_core.mini.host import TorchHost
from stunet_core.mini.inputs import alone, beside_clip
from stunet_core.mini.schedule import alphas_bar
from stunet_core.mini.unet import UNet
from stunet_core.model.walk import Clip, Host

from .image_model import Encoders, ImageModel, Text


def recognised(checkpoint: Path) -> bool:
    """Whether the file is a mini checkpoint. Raises ValueError when it is missing or damaged."""
    if checkpoint.is_file() and checkpoint.suffix.lower() in PICKLED:
        return False  # ours are never pickled
    return CONFIG in open_tensors(checkpoint).metadata


def load(checkpoint: Path, dtype: torch.dtype, encoders: bool) -> tuple[ImageModel, Encoders | None]:
    """The mini model at `checkpoint`: its U-Net in `dtype`."""
    found = load_checkpoint(checkpoint)
    net = UNet(found.config)
    fill(net, found.unet, checkpoint)
    return MiniImage(net.to(dtype)), MiniEncoders(found) if encoders else None


class MiniImage(ImageModel):
    """Its temporal blocks hear the pooled text and the frame's time as well, which is told in clips of which nothing is given.

    No drafts are shown: nobody has said where the things of the user's videos are.
    """

    cell = SCALE

    def __init__(self, net: UNet):
        self.channels = (net.config.in_channels,)  # type: ignore[assignment]
        super().__init__(net, "STUNet mini", "v", alphas_bar(), blank=torch.zeros(net.config.latent_channels),
                         pooled_channels=net.config.y_channels)

    def conditioned(self, noisy: Tensor, clean: Tensor, keep: Tensor, frames: int) -> Tensor:
        return torch.cat([noisy, beside_clip(1 - keep, clean, frames)], dim=1)

    def heard(self, y: Tensor, x: Tensor, clip: Clip) -> Tensor:
        mask = self.net.config.latent_channels  # type: ignore[union-attr]
        times = evenly(clip.rows, clip.frames, clip.spacing, x.device).flatten()
        return with_time(super().heard(y, x, clip), torch.where(alone(x[:, mask:mask + 1], clip.frames), times, torch.nan))

    def embed(self, t: Tensor, y: Tensor | None) -> Tensor:
        return self.net.embed(t, y)  # type: ignore[operator]

    def host(self, emb: Tensor, context: Tensor, frames: int) -> Host:
        return TorchHost(emb, context)


class MiniEncoders(Encoders):
    """The text encoder reads `text_tokens` words; what a longer caption says after them is not read. No pictures stand beside them."""

    def __init__(self, checkpoint: Checkpoint):
        self.tokenizer, self.config = checkpoint.tokenizer, checkpoint.config
        self.encoder, self.shown, self.autoencoder = checkpoint.text.eval(), checkpoint.pictures.eval(), checkpoint.autoencoder.eval()

    @torch.no_grad()
    def pictures(self, frames: np.ndarray) -> Tensor:
        return self.autoencoder.encode(torch.from_numpy(frames).movedim(-1, 1).float() / 127.5 - 1)

    @torch.no_grad()
    def text(self, caption: str, width: int, height: int) -> Text:
        ids = torch.tensor([self.tokenizer.pad(self.tokenizer.encode(caption), self.config.text_tokens)])
        context, pooled = self.encoder(ids)
        context, pooled = self.shown.beside(context, pooled, *self.shown.none())
        return Text(context[0], pooled[0])
