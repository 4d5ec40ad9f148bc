"""The embedded model as one file, in the key layout of a Stable Diffusion checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checkpoints.weights import RECORD, fill, read, write
from .autoencoder import Autoencoder
from .config import MiniConfig
from .text import TextEncoder
from .tokenizer import Tokenizer
from .unet import UNet

CONFIG = "mini_config"  # metadata key
UNET, AUTOENCODER, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model."


@dataclass(frozen=True)
class Checkpoint:
    """The embedded model: text encoder and autoencoder ready to run, the U-Net as tensors (ComfyUI builds its own).

    `latent_rgb` (5 x 3): the colour in [-1, 1] that each latent channel stands for, and the one of zero, for previews.
    """

    config: MiniConfig
    tokenizer: Tokenizer
    text: TextEncoder
    autoencoder: Autoencoder
    unet: dict[str, Tensor]
    latent_rgb: list[list[float]]


def save_checkpoint(path: Path, config: MiniConfig, tokenizer: Tokenizer, text: TextEncoder, autoencoder: Autoencoder,
                    unet: UNet, *, latent_rgb: Sequence[Sequence[float]],
                    record: Mapping[str, Any] | None = None) -> None:
    """Write the embedded model to `path` in bf16. `record` says how it was trained and on what."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in ((UNET, unet), (AUTOENCODER, autoencoder), (TEXT, text)):
        tensors |= {prefix + name: tensor for name, tensor in module.state_dict().items()}
    described = {"config": config.to_dict(), "words": tokenizer.words, "latent_rgb": [list(row) for row in latent_rgb]}
    write(path, tensors, {CONFIG: described, RECORD: dict(record or {})})


def load_checkpoint(path: Path) -> Checkpoint:
    """The embedded model at `path`, in float32.

    Raises:
        ValueError: naming the file, when it is missing, damaged, or holds something else.
    """
    described, tensors = read(path, CONFIG, "mini model")

    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t.float() for name, t in tensors.items() if name.startswith(prefix)}

    config, tokenizer = MiniConfig.from_dict(described["config"]), Tokenizer(described["words"])
    text, autoencoder = TextEncoder(config, len(tokenizer)), Autoencoder()
    fill(text, part(TEXT), path)
    fill(autoencoder, part(AUTOENCODER), path)
    return Checkpoint(config, tokenizer, text, autoencoder, part(UNET), described["latent_rgb"])


def colours(latents: Tensor, images: Tensor) -> list[list[float]]:
    """`Checkpoint.latent_rgb` by least squares: n 4 h w latents, n 3 8h 8w images in [-1, 1] -> 5 x 3."""
    pooled = torch.nn.functional.adaptive_avg_pool2d(images.float(), latents.shape[-2:])
    known = latents.float().movedim(1, -1).reshape(-1, latents.shape[1])
    known = torch.cat([known, torch.ones(len(known), 1)], dim=1)  # (n h w) 5
    return torch.linalg.lstsq(known, pooled.movedim(1, -1).reshape(-1, 3)).solution.tolist()
