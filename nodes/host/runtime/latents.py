"""What kind of latents a model takes: how many channels, and how many pixels one of their cells is wide."""

from dataclasses import dataclass
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher

from .step_range import check_time

CELL = 8  # pixels, of SD1.5, SD2.x and SDXL


@dataclass(frozen=True)
class Cells:
    """The latents of SD1.5, SD2.x and SDXL, unless a model says otherwise."""

    channels: int = 4
    pixels: int = CELL


def cells_of(model: ModelPatcher) -> Cells:
    """The latents that `model` takes. Raises ValueError for a video model, whose latents have time in them."""
    check_time(model)
    kind = model.get_model_object("latent_format")
    return Cells(kind.latent_channels, getattr(kind, "spacial_downscale_ratio", CELL))


def empty(cells: Cells, frames: int, height: int, width: int) -> dict[str, Any]:
    """A LATENT of `frames` empty frames of height x width pixels. Newer ComfyUIs fit it to another model by its cells."""
    samples = torch.zeros(frames, cells.channels, height // cells.pixels, width // cells.pixels)
    return {"samples": samples, "downscale_ratio_spacial": cells.pixels}
