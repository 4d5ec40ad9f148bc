"""Sampling as core's KSampler does it, and decoding in chunks."""

from typing import Any

import comfy.model_management as mm
import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
import torch
from torch import Tensor

from ..runtime.latents import fitted
from ..runtime.progress import progress

DECODE_FRAMES = 16  # frames per VAE call: each frame is independent, so this only bounds memory and the wait on cancel

SAMPLERS = comfy.samplers.KSampler.SAMPLERS
SCHEDULERS = comfy.samplers.KSampler.SCHEDULERS


def sample(model: Any, latent: dict[str, Any], positive: list, negative: list, *, seed: int, steps: int, cfg: float,
           sampler: str, scheduler: str, denoise: float) -> dict[str, Any]:
    """`latent` denoised: the same latents as core's KSampler gives for the same settings, with progress and previews. An empty clip
    for cells of another size than the model's is made of as many pixels as it says.

    latent["samples"]: F C h w, one row per frame. Raises ValueError when it is not.
    """
    samples = latent["samples"]
    if samples.ndim != 4:
        raise ValueError(f"latent: has {samples.ndim} dimensions {tuple(samples.shape)}; a clip has four, frames x "
                         "channels x height x width. Make it with STUNetEmptyClip or VAEEncode.")
    samples = comfy.sample.fix_empty_latent_channels(model, fitted(latent, model))
    noise = comfy.sample.prepare_noise(samples, seed, latent.get("batch_index"))
    denoised = comfy.sample.sample(
        model, noise, steps, cfg, sampler, scheduler, positive, negative, samples, denoise=denoise,
        noise_mask=latent.get("noise_mask"), callback=latent_preview.prepare_callback(model, steps),
        disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED, seed=seed)
    return {key: value for key, value in latent.items() if key != "downscale_ratio_spacial"} | {"samples": denoised}


def decode(vae: Any, samples: Tensor) -> Tensor:
    """F C h w latents -> F H W 3 frames in [0, 1], a few at a time; a cancel in ComfyUI stops it in between."""
    frames, chunks = [], samples.split(DECODE_FRAMES)
    step = progress(len(chunks))
    for chunk in chunks:
        mm.throw_exception_if_processing_interrupted()
        frames.append(vae.decode(chunk))
        step()
    return torch.cat(frames)
