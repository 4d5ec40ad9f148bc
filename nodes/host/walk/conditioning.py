"""A task as what samplers understand: SD-inpainting conditioning, and a latent with a noise mask."""

from collections.abc import Callable
from typing import Any

import comfy.model_management as mm
import torch
from einops import rearrange
from torch import Tensor

from ....stunet_core.editing.keep_mask import CELL, MINI_CELL, cells, padded
from ....stunet_core.editing.steps import Step, nothing
from ....stunet_core.editing.tasks import Task
from ..runtime.progress import progress

ENCODE_FRAMES = 16  # pictures per VAE call: bounds memory and the wait on cancel
GREY = 0.5  # SD-inpainting models were trained with the masked part of the picture grey (zero in [-1, 1])


def conditioned(positive: list, negative: list, vae: Any, task: Task) -> tuple[list, list, dict[str, Any]]:
    """`positive` and `negative` with the task's frames, and the latent to sample from; all have exactly F entries.

    As core's InpaintModelConditioning does it, with three differences. The mask is that of the latent's cells, so that
    no later resizing rounds it, and a cell counts as given only if all its pixels are. In given cells the model sees the
    frame encoded whole, in all others the frame with grey for what is to be made. Sides that are no multiple of a cell
    are padded, not cropped.

    Raises ValueError when the VAE is none of images with cells of 8x8 or 16x16 pixels.
    """
    keep = cells(task.keep, check_vae(vae))  # f h w, in cells
    step = progress(2 * len(keep))
    whole = encode(vae, len(keep), lambda i: task.given[i], step)
    hidden = encode(vae, len(keep), lambda i: torch.where(task.keep[i, ..., None], task.given[i], GREY), step)
    seen = torch.where(keep[:, None].to(whole.device), whole, hidden)  # f c h w
    mask = 1 - rearrange(keep, "f h w -> f 1 h w").float()
    extra = {"concat_latent_image": seen, "concat_mask": mask}
    told = [[[text, {**values, **extra}] for text, values in conditioning] for conditioning in (positive, negative)]
    return told[0], told[1], {"samples": whole, "noise_mask": mask}


def check_vae(vae: Any) -> int:
    """How many pixels a cell is wide. Raises ValueError for a VAE of videos, or of another cell size; nothing is loaded for it."""
    if vae.latent_dim != 2:
        raise ValueError("vae: it encodes clips, not single images; connect the VAE of the mini model, SD1.5, SD2.x or "
                         "SDXL.")
    cell = int(vae.spacial_compression_encode())
    if cell not in (CELL, MINI_CELL):
        raise ValueError(f"vae: its cells are {cell} pixels wide, {CELL} or {MINI_CELL} are needed; connect the VAE of the mini model, "
                         "SD1.5, SD2.x or SDXL.")
    return cell


def encode(vae: Any, frames: int, frame: Callable[[int], Tensor], step: Step = nothing) -> Tensor:
    """`frame(i)` (H W 3) for all i -> F c h/cell w/cell; frames equal to the one before are encoded once, and few are held."""
    latents: list[Tensor] = []
    waiting: list[Tensor] = []
    index: list[int] = []
    last = None

    def flush() -> None:
        mm.throw_exception_if_processing_interrupted()
        pixels = padded(rearrange(waiting, "f h w c -> f c h w"), check_vae(vae))
        latents.append(vae.encode(rearrange(pixels, "f c h w -> f h w c")))
        waiting.clear()

    for i in range(frames):
        picture = frame(i)
        new = last is None or not torch.equal(picture, last)
        if new and len(waiting) == ENCODE_FRAMES:
            flush()
        if new:
            waiting.append(picture)
        index.append((index[-1] if index else -1) + new)
        last = picture
        step()
    flush()
    return torch.cat(latents)[index]
