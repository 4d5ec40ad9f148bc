"""The embedded model as one file, in the key layout of a Stable Diffusion checkpoint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..checkpoints.weights import RECORD, built, read, told, write
from .autoencoder import LATENT_CHANNELS, Autoencoder
from .config import MiniConfig
from .picture_encoder import PictureEncoder
from .poses.pose_head import PoseHead
from .text import TextEncoder
from .tokenizer import Tokenizer
from .unet import UNet

CONFIG = "mini_config"  # metadata key
GENERATION = 2  # of the model: other inputs, other latents, other text
UNET, AUTOENCODER, TEXT, PICTURES, POSES = (
    "model.diffusion_model.", "first_stage_model.", "cond_stage_model.", "picture_encoder.", "pose_head.")
MOST_WORDS = 50_000

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Checkpoint:
    """The embedded model: all its parts ready to run but the U-Net, which is tensors (ComfyUI builds its own).

    `latent_rgb` (9 x 3): the colour in [-1, 1] that each latent channel stands for, and the one of zero, for previews.
    """

    config: MiniConfig
    tokenizer: Tokenizer
    text: TextEncoder
    pictures: PictureEncoder
    pose_head: PoseHead
    autoencoder: Autoencoder
    unet: dict[str, Tensor]
    latent_rgb: list[list[float]]


def save_checkpoint(path: Path, model: Checkpoint, record: Mapping[str, Any] | None = None) -> None:
    """Write the embedded model to `path` in bf16. `record` says how it was trained and on what."""
    parts = ((AUTOENCODER, model.autoencoder), (TEXT, model.text), (PICTURES, model.pictures), (POSES, model.pose_head))
    tensors = {UNET + name: tensor for name, tensor in model.unet.items()}
    for prefix, module in parts:
        tensors |= {prefix + name: tensor for name, tensor in module.state_dict().items()}
    described = {"generation": GENERATION, "config": model.config.to_dict(), "words": model.tokenizer.words,
                 "latent_rgb": [list(row) for row in model.latent_rgb]}
    write(path, tensors, {CONFIG: described, RECORD: dict(record or {})})


def load_checkpoint(path: Path) -> Checkpoint:
    """The embedded model at `path`, in float32.

    Raises:
        ValueError: naming the file, when it is missing, damaged, of the first generation, or holds something else.
    """
    described, tensors = read(path, CONFIG, "mini model")
    config, tokenizer, latent_rgb = told(path, lambda: _described(described))

    def part(prefix: str, build: Callable[[], M]) -> M:
        own = {name.removeprefix(prefix): t.float() for name, t in tensors.items() if name.startswith(prefix)}
        return built(build, own, path)

    return Checkpoint(
        config, tokenizer, part(TEXT, lambda: TextEncoder(config, len(tokenizer))), part(PICTURES, lambda: PictureEncoder(config)),
        part(POSES, lambda: PoseHead(config)), part(AUTOENCODER, Autoencoder), dict(part(UNET, lambda: UNet(config)).state_dict()),
        latent_rgb)


def _described(described: Mapping[str, Any]) -> tuple[MiniConfig, Tokenizer, list[list[float]]]:
    """What the metadata say. Raises ValueError saying what is wrong with them."""
    if not isinstance(described.get("config"), dict):
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
    if not isinstance(rgb, list) or not _is_table(rgb, config.latent_channels + 1, 3):
        raise ValueError(f"latent_rgb: it must be {config.latent_channels + 1} rows of 3 numbers")
    return config, Tokenizer(words), rgb


def _is_table(value: Any, rows: int, columns: int) -> bool:
    """Whether `value` is a list of `rows` lists of `columns` numbers."""
    return (isinstance(value, list) and len(value) == rows and all(isinstance(row, list) and len(row) == columns for row in value)
            and all(isinstance(number, int | float) and isfinite(number) for row in value for number in row))


def colours(latents: Tensor, images: Tensor) -> list[list[float]]:
    """`Checkpoint.latent_rgb` by least squares: n c h w latents, n 3 16h 16w images in [-1, 1] -> (c + 1) x 3."""
    pooled = torch.nn.functional.adaptive_avg_pool2d(images.float(), latents.shape[-2:])
    known = latents.float().movedim(1, -1).reshape(-1, latents.shape[1])
    known = torch.cat([known, torch.ones(len(known), 1)], dim=1)  # (n h w) c+1
    return torch.linalg.lstsq(known, pooled.movedim(1, -1).reshape(-1, 3)).solution.tolist()
