"""Which kind of checkpoint a file is."""

from pathlib import Path

import torch

from . import comfyui as user
from . import mini
from .image_model import Encoders, ImageModel


def load(checkpoint: Path, comfyui: Path, dtype: torch.dtype, *, encoders: bool,
         vae: Path | None = None) -> tuple[ImageModel, Encoders | None]:
    """The image model of a checkpoint, in `dtype`, and what encodes for it if asked for. Raises ValueError saying what is wrong."""
    if not mini.recognised(checkpoint):
        return user.load(checkpoint, comfyui, dtype, encoders, vae)
    if vae is not None:
        raise ValueError("vae: the mini model has its own; leave --vae out")
    return mini.load(checkpoint, dtype, encoders)
