"""The embedded model's noise schedule: SD's scaled-linear betas, rescaled to zero terminal SNR, and v-prediction.

The numbers are those of ComfyUI's `ModelSamplingDiscrete` with `zsnr` (Lin et al., "Common Diffusion Noise Schedules and
Sample Steps are Flawed", 2305.08891), so that what is trained here is what is sampled there.
"""

import torch
from torch import Tensor

TIMESTEPS = 1000
LINEAR_START, LINEAR_END = 0.00085, 0.012
LAST_ALPHA_BAR = 4.8973451890853435e-08  # keeps the last sigma finite


def alphas_bar() -> Tensor:
    """Cumulative signal power per timestep (1000), near 0 at the last."""
    betas = torch.linspace(LINEAR_START**0.5, LINEAR_END**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    root = torch.cumprod(1 - betas, dim=0).sqrt()
    first, last = root[0].clone(), root[-1].clone()
    root = (root - last) * first / (first - last)
    bar = root.square()
    bar[-1] = LAST_ALPHA_BAR
    return bar.float()


def add_noise(x: Tensor, noise: Tensor, bar: Tensor) -> Tensor:
    """sqrt(bar) x + sqrt(1 - bar) noise, with `bar` shaped to broadcast."""
    return bar.sqrt() * x + (1 - bar).sqrt() * noise


def velocity(x: Tensor, noise: Tensor, bar: Tensor) -> Tensor:
    """v = sqrt(bar) noise - sqrt(1 - bar) x (Salimans & Ho, 2202.00512)"""
    return bar.sqrt() * noise - (1 - bar).sqrt() * x
