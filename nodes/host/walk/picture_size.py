"""Pictures of users brought to the size of the model that will see them, and refused where no memory could hold the clip."""

from typing import Any

import comfy.model_management as mm
import torch

from ....stunet_core.editing.model_size import KEEP, Margins, ModelSize, Sizing, grown, sizing
from ..runtime.notices import say

MINI_CELL = 16  # pixels; those of all other models are 8
MINI = ModelSize(256, least=0.6, most=1.6)  # at 1.5 times its side it draws streaks
OTHERS = {768: ModelSize(512, 0.0, 2.25), 1024: ModelSize(768, 0.0, 2.25), 2048: ModelSize(1024, 0.0, 2.25)}  # by the width of a prompt
BYTES = 40  # of main memory that a pixel of a clip takes: what is given, what is made of it, what Composite returns, and their masks


def known_size(vae: Any, conditioning: list) -> ModelSize | None:
    """The size of the model that `vae` and prompt belong to: the mini model, SD1.5, SD2.x or SDXL; None for any other."""
    if getattr(vae, "latent_dim", 2) == 2 and vae.spacial_compression_encode() == MINI_CELL:
        return MINI
    return OTHERS.get(conditioning[0][0].shape[-1]) if conditioning else None


def brought(name: str, pictures: torch.Tensor, choice: str, vae: Any, conditioning: list, frames: int) -> Sizing:
    """How `pictures` [F, H, W, 3] of the input `name` are brought to the model for a clip of so many frames; said if anything changes.

    Raises ValueError for a choice that is none, and for a clip that no memory holds.
    """
    found = sizing(pictures.shape[2], pictures.shape[1], choice, known_size(vae, conditioning))
    tell(name, found)
    check_memory(name, frames, *found.target)
    return found


def brought_with_margins(name: str, pictures: torch.Tensor, margins: Margins, choice: str, vae: Any,
                         conditioning: list) -> tuple[Sizing, Margins]:
    """The same for a clip that gets `margins`: it and they, both brought to the model."""
    found, new = grown(pictures.shape[2], pictures.shape[1], margins, choice, known_size(vae, conditioning))
    tell(name, found)
    check_memory(name, len(pictures), found.target[0] + new[0] + new[2], found.target[1] + new[1] + new[3])
    return found, new


def tell(name: str, found: Sizing) -> None:
    """Say what becomes of the pictures, unless they stay as they are."""
    (width, height), (new_width, new_height) = found.source, found.target
    if found.scaled:
        say(f"{name}: {width}x{height} pixels become {new_width}x{new_height}, about the size that the model draws best; with size: {KEEP} "
            "they stay.")
    elif found.source != found.target:
        say(f"{name}: {width}x{height} pixels become {new_width}x{new_height}, since videos have even sides: an edge is left out.")


def check_memory(name: str, frames: int, width: int, height: int) -> None:
    """Raises ValueError for a clip whose frames alone take more main memory than is free."""
    need, free = frames * width * height * BYTES, mm.get_free_memory(torch.device("cpu"))
    if need > free:
        raise ValueError(f"{name}: {frames} frames of {width}x{height} pixels take about {need / 2**30:.0f} GiB of memory, "
                         f"{free / 2**30:.0f} are free. Set size to fit the model, scale the picture down (Scale Image), or make "
                         "fewer frames")
