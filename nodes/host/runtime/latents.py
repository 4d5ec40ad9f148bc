"""What kind of latents a model takes: how many channels, and how many pixels one of their cells is wide."""

from dataclasses import dataclass
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from .notices import say
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


def fitted(latent: dict[str, Any], model: ModelPatcher) -> Tensor:
    """The samples of `latent`; of an empty clip made for cells of another size, as an Empty Clip without a MODEL is, as many cells as
    `model` has in as many pixels. Newer ComfyUIs do the same.
    """
    samples, made_for = latent["samples"], latent.get("downscale_ratio_spacial")
    cell = getattr(model.get_model_object("latent_format"), "spacial_downscale_ratio", CELL)
    if samples.ndim != 4 or made_for in (None, cell) or samples.any():
        return samples
    height, width = (max(1, round(side * made_for / cell)) for side in samples.shape[-2:])
    say(f"latent: the empty clip is made for cells of {made_for} pixels, the model's are {cell}: it gets {width}x{height} of them, "
        f"{width * cell}x{height * cell} pixels. Connect the model to Empty Clip (STUNet), and set the size that it draws best there (the "
        "mini model: 256x256)")
    return samples.new_zeros(*samples.shape[:2], height, width)
