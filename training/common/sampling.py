"""Sampling in plain torch, for contact sheets and figures: Euler steps (= DDIM) with classifier-free guidance."""

from collections.abc import Callable

import torch
from torch import Tensor

from stunet_core.guidance.deflicker import steady
from stunet_core.mini.schedule import TIMESTEPS, alphas_bar

Predict = Callable[[Tensor, Tensor], Tensor]  # (latent rows, timesteps per row) -> v
STEADY = 4.0  # frames over which clips are averaged while they are made, and how much these may differ, as in the templates
DIFFERENCE = 0.7


def guided(conditional: Predict, unconditional: Predict, scale: float) -> Predict:
    """v_uncond + scale (v_cond - v_uncond) (Ho & Salimans, 2207.12598)"""

    def predict(x: Tensor, t: Tensor) -> Tensor:
        base = unconditional(x, t)
        return base + scale * (conditional(x, t) - base)

    return predict


@torch.no_grad()
def sample(predict: Predict, noise: Tensor, steps: int = 24, *, clips: int = 0, averaged: float = 0.0) -> Tensor:
    """From unit noise to latents, over `steps` evenly spaced timesteps, as ComfyUI's euler with the `normal` scheduler.

    Rows that are the frames of `clips` clips are averaged over `averaged` frames (`stunet_core.guidance.deflicker`) at each step.
    """
    bars = alphas_bar()
    times = torch.linspace(TIMESTEPS - 1, 0, steps).round().long()
    x = noise
    for i, t in enumerate(times):
        bar = bars[t]
        v = predict(x, t.expand(x.shape[0]))
        clean = bar.sqrt() * x - (1 - bar).sqrt() * v
        if clips and averaged:
            clean = torch.cat([steady(clip, averaged, DIFFERENCE) for clip in clean.chunk(clips)])
        eps = (x - bar.sqrt() * clean) / (1 - bar).sqrt()
        if i + 1 == steps:
            return clean
        x = bars[times[i + 1]].sqrt() * clean + (1 - bars[times[i + 1]]).sqrt() * eps
    return x
