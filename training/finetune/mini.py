"""The embedded model as the frozen image model: no ComfyUI is needed for it."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stunet_core.checkpoints.tensor_file import PICKLED, open_tensors
from stunet_core.checkpoints.weights import fill
from stunet_core.mini.checkpoint import CONFIG, Checkpoint, load_checkpoint
from stunet_core.mini.host import TorchHost
from stunet_core.mini.schedule import alphas_bar
from stunet_core.mini.unet import UNet
from stunet_core.model.walk import Host

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
    """Its temporal blocks hear the pooled text as well."""

    def __init__(self, net: UNet):
        super().__init__(net, "STUNet mini", "v", alphas_bar(), pooled_channels=net.config.pooled_dim)

    def embed(self, t: Tensor, y: Tensor | None) -> Tensor:
        return self.net.embed(t, y)  # type: ignore[operator]

    def host(self, emb: Tensor, context: Tensor, frames: int) -> Host:
        return TorchHost(emb, context)


class MiniEncoders(Encoders):
    """The text encoder reads `text_tokens` words; what a longer caption says after them is not read."""

    def __init__(self, checkpoint: Checkpoint):
        self.tokenizer, self.length = checkpoint.tokenizer, checkpoint.config.text_tokens
        self.encoder, self.autoencoder = checkpoint.text.eval(), checkpoint.autoencoder.eval()

    @torch.no_grad()
    def pictures(self, frames: np.ndarray) -> Tensor:
        return self.autoencoder.encode(torch.from_numpy(frames).movedim(-1, 1).float() / 127.5 - 1)

    @torch.no_grad()
    def text(self, caption: str, width: int, height: int) -> Text:
        ids = torch.tensor([self.tokenizer.pad(self.tokenizer.encode(caption), self.length)])
        context, pooled = self.encoder(ids)
        return Text(context[0], pooled[0])
