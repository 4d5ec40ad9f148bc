"""The embedded model as one file, in the key layout of a Stable Diffusion checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checkpoints.weights import RECORD, fill, read, write
from .autoencoder import LATENT_CHANNELS, Autoencoder
from .config import MiniConfig
from .picture_encoder import PictureEncoder
from .text import TextEncoder
from .tokenizer import Tokenizer
from .unet import UNet

CONFIG = "mini_config"  # metadata key
GENERATION = 2  # of the model: other inputs, other latents, other text
UNET, AUTOENCODER, TEXT, PICTURES = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.", "picture_encoder."
MOST_WORDS = 50_000


@dataclass(frozen=True)
class Checkpoint:
    """The embedded model: text encoder, picture encoder and autoencoder ready to run, the U-Net as tensors (ComfyUI builds its own).

    `latent_rgb` (9 x 3): the colour in [-1, 1] that each latent channel stands for, and the one of zero, for previews.
    """

    config: MiniConfig
    tokenizer: Tokenizer
    text: TextEncoder
    pictures: PictureEncoder
    autoencoder: Autoencoder
    unet: dict[str, Tensor]
    latent_rgb: list[list[float]]


def save_checkpoint(path: Path, config: MiniConfig, tokenizer: Tokenizer, text: TextEncoder, pictures: PictureEncoder,
                    autoencoder: Autoencoder, unet: UNet, *, latent_rgb: Sequence[Sequence[float]],
                    record: Mapping[str, Any] | None = None) -> None:
    """Write the embedded model to `path` in bf16. `record` says how it was trained and on what."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in ((UNET, unet), (AUTOENCODER, autoencoder), (TEXT, text), (PICTURES, pictures)):
        tensors |= {prefix + name: tensor for name, tensor in module.state_dict().items()}
    described = {"generation": GENERATION, "config": config.to_dict(), "words": tokenizer.words,
                 "latent_rgb": [list(row) for row in latent_rgb]}
    write(path, tensors, {CONFIG: described, RECORD: dict(record or {})})


def load_checkpoint(path: Path) -> Checkpoint:
    """The embedded model at `path`, in float32.

    Raises:
        ValueError: naming the file, when it is missing, damaged, of the first generation, or holds something else.
    """
    described, tensors = read(path, CONFIG, "mini model")
    try:
        config, tokenizer, latent_rgb = _described(described)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error

    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t.float() for name, t in tensors.items() if name.startswith(prefix)}

    with torch.device("meta"):  # the file's tensors are taken as they are
        text, pictures, autoencoder, unet = TextEncoder(config, len(tokenizer)), PictureEncoder(config), Autoencoder(), UNet(config)
    for module, prefix in ((text, TEXT), (pictures, PICTURES), (autoencoder, AUTOENCODER), (unet, UNET)):
        fill(module, part(prefix), path, assign=True)
    return Checkpoint(config, tokenizer, text, pictures, autoencoder, dict(unet.state_dict()), latent_rgb)


def _described(described: Any) -> tuple[MiniConfig, Tokenizer, list[list[float]]]:
    """What the metadata say. Raises ValueError saying what is wrong with them."""
    if not isinstance(described, dict) or not isinstance(described.get("config"), dict):
        raise ValueError(f"its {CONFIG!r} describes no mini model; the file was altered: copy or download it again")
    generation = described.get("generation", 1)
    if generation == 1:
        raise ValueError("this is a mini model of the first generation (128 pixels, 4 latent channels), which this version does not run. "
                         "Choose the mini.safetensors that comes with the pack (a file of that name in models/stunet hides it: move it "
                         "away), or train it anew with `run.py train`")
    if generation != GENERATION:
        raise ValueError(f"this is a mini model of generation {generation!r}, unknown to this version: update the pack")
    words, rgb = described.get("words"), described.get("latent_rgb")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words) or not 1 <= len(words) <= MOST_WORDS:
        raise ValueError(f"words: its vocabulary is no list of 1 to {MOST_WORDS} words")
    config = MiniConfig.from_dict(described["config"])
    if config.latent_channels != LATENT_CHANNELS:
        raise ValueError(f"latent_channels: {config.latent_channels}; the autoencoder has {LATENT_CHANNELS}")
    if not _is_table(rgb, config.latent_channels + 1, 3):
        raise ValueError(f"latent_rgb: it must be {config.latent_channels + 1} rows of 3 numbers")
    return config, Tokenizer(words), rgb


def _is_table(value: Any, rows: int, columns: int) -> bool:
    """Whether `value` is a list of `rows` lists of `columns` numbers."""
    return (isinstance(value, list) and len(value) == rows and all(isinstance(row, list) and len(row) == columns for row in value)
            and all(isinstance(number, int | float) for row in value for number in row))


def colours(latents: Tensor, images: Tensor) -> list[list[float]]:
    """`Checkpoint.latent_rgb` by least squares: n c h w latents, n 3 16h 16w images in [-1, 1] -> (c + 1) x 3."""
    pooled = torch.nn.functional.adaptive_avg_pool2d(images.float(), latents.shape[-2:])
    known = latents.float().movedim(1, -1).reshape(-1, latents.shape[1])
    known = torch.cat([known, torch.ones(len(known), 1)], dim=1)  # (n h w) c+1
    return torch.linalg.lstsq(known, pooled.movedim(1, -1).reshape(-1, 3)).solution.tolist()
