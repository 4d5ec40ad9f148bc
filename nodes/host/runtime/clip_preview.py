"""The moving clip on its node while it is denoised, by any sampler: all frames in one picture, which the page plays.

Core's preview shows the first frame of a batch. This one is as much as 2% of the sampling's time is worth, and follows core's settings:
none with `--preview-method none`, TAESD where that was chosen.
"""

import base64
import io
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import latent_preview
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from .preview_target import target

log = logging.getLogger(__name__)
SHARE = 0.02    # of the time, at most, after the first one
PAUSE = 0.25    # seconds between previews, at least
COLUMNS = 10    # of frames in the picture
SIDES = 64, 96  # pixels of a frame's longer side, at least and at most
FRAMES = 120    # in one preview, at most; of longer clips every second or third
DECODED = 16    # the same, of previews that a network decodes frame by frame
QUALITY = 80    # of the JPEG

Rgb = Callable[[Tensor], Tensor]  # latents n c h w -> n 3 H W in [0, 1]


@dataclass(frozen=True)
class Strip:
    """Frames side by side in rows of COLUMNS, as a JPEG. `every`: one of so many frames of the clip is in it."""

    jpeg: bytes
    frames: int
    every: int
    width: int
    height: int


def show_clip(executor: Any, noise: Tensor, latent: Tensor, sampler: Any, sigmas: Tensor, mask: Tensor | None = None, callback: Any = None,
              *args: Any, **kwargs: Any) -> Tensor:
    """OUTER_SAMPLE wrapper: what the sampler takes for clean is sent to the page as well, now and then."""
    if callback is not None and noise.ndim == 4 and len(noise) > 1:
        callback = shown(callback, executor.class_obj.model_patcher, given_frames(mask, len(noise)))
    return executor(noise, latent, sampler, sigmas, mask, callback, *args, **kwargs)


def given_frames(mask: Tensor | None, frames: int) -> list[int]:
    """Frames that are given whole: those of which a mask, f ... or 1 ..., generates nothing."""
    if mask is None:
        return []
    rows = mask.flatten(1).amax(dim=1).expand(frames) if len(mask) == 1 else mask.flatten(1).amax(dim=1)
    return [number for number, most in enumerate(rows.tolist()) if most == 0]


def shown(callback: Any, model: Any, given: list[int]) -> Any:
    """A sampler's callback that shows the clip too, if somebody looks. An error in that is logged, and stops nothing."""
    try:
        to = target()
        rgb, most = (None, 0) if to is None else converter(model)
    except Exception:
        log.exception("STUNet: the clip is not previewed")
        return callback
    if to is None or rgb is None:
        return callback
    due = 0.0  # when the next one may be made

    def call(step: int, clean: Tensor, x: Tensor, steps: int) -> Any:
        nonlocal due
        begun = time.monotonic()
        if begun >= due:
            try:
                made = strip(clean, rgb, most)
                to.send({"step": step + 1, "steps": steps, "given": [number // made.every for number in given if number % made.every == 0],
                         "frames": made.frames, "every": made.every, "columns": COLUMNS, "width": made.width, "height": made.height,
                         "image": base64.b64encode(made.jpeg).decode()})
                took = time.monotonic() - begun
                due = begun + max(PAUSE, took / SHARE)
            except Exception:
                log.exception("STUNet: the clip is not previewed any more")
                due = float("inf")
        return callback(step, clean, x, steps)

    return call


def converter(model: Any) -> tuple[Rgb | None, int]:
    """How latents of a model become colours, and of how many frames at most; None where the user wants no previews."""
    format_ = model.model.latent_format
    previewer = latent_preview.get_previewer(model.load_device, format_)
    if previewer is None:
        return None, 0
    if type(previewer) is latent_preview.Latent2RGBPreviewer and getattr(format_, "latent_rgb_factors_reshape", None) is None:
        factors, bias = torch.tensor(format_.latent_rgb_factors), format_.latent_rgb_factors_bias
        return lambda z: colours(z, factors, torch.zeros(3) if bias is None else torch.tensor(bias)), FRAMES
    return lambda z: torch.stack([pixels(previewer.decode_latent_to_preview(z[k:k + 1])) for k in range(len(z))]), DECODED


def colours(z: Tensor, factors: Tensor, bias: Tensor) -> Tensor:
    """Latents n c h w by a model's factors c 3 and bias 3, which give [-1, 1] -> n 3 h w in [0, 1]"""
    factors, bias = factors.to(z), bias.to(z)
    return (torch.einsum("nchw,cd->ndhw", z, factors) + bias[:, None, None] + 1) / 2


def pixels(picture: Image.Image) -> Tensor:
    """-> 3 H W in [0, 1]"""
    return torch.from_numpy(np.asarray(picture.convert("RGB"))).movedim(-1, 0).float() / 255


def strip(clean: Tensor, rgb: Rgb, most: int) -> Strip:
    """Latents of a clip, f c h w, as a picture of at most `most` of its frames."""
    every = ceil(len(clean) / most)
    frames = rgb(clean[::every]).float().cpu()
    longer = max(frames.shape[-2:])
    scale = min(max(longer, SIDES[0]), SIDES[1]) / longer
    size = [max(1, round(side * scale)) for side in frames.shape[-2:]]
    if scale != 1:
        frames = F.interpolate(frames, size, mode="bicubic" if scale > 1 else "area")
    shown = (frames.clamp(0, 1) * 255).round().byte().movedim(1, -1).numpy()                       # f H W 3
    rows = ceil(len(shown) / COLUMNS)
    sheet = np.zeros((rows * COLUMNS, *shown.shape[1:]), np.uint8)
    sheet[: len(shown)] = shown
    sheet = sheet.reshape(rows, COLUMNS, *shown.shape[1:]).swapaxes(1, 2).reshape(rows * size[0], COLUMNS * size[1], 3)
    out = io.BytesIO()
    Image.fromarray(sheet).save(out, "JPEG", quality=QUALITY)
    return Strip(out.getvalue(), len(shown), every, size[1], size[0])
