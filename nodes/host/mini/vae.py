"""The embedded autoencoder as a ComfyUI VAE, so that core's encode and decode nodes run it."""

from typing import Any

import comfy.model_management as mm
import torch
from comfy.model_patcher import ModelPatcher
from comfy.sd import VAE

from ....stunet_core.mini.autoencoder import LATENT_CHANNELS, SCALE, Autoencoder

# Values held at the peak, with the convolutions' workspace: measured on a CPU as what 16 frames of 256 pixels add to the process.
DECODE_VALUES_PER_CELL = 10_500
ENCODE_VALUES_PER_PIXEL = 36


class MiniVAE(VAE):
    """IMAGE in [0, 1] <-> normalised LATENT with eight channels and a sixteenth of the sides."""

    def __init__(self, autoencoder: Autoencoder, device: torch.device | None = None, dtype: torch.dtype | None = None):
        # ComfyUI recognises VAEs by their keys. The smallest one it knows sets every attribute a VAE needs, in
        # whatever version is installed; then the layout below replaces its own.
        super().__init__(sd={"pixel_space_vae": torch.ones(())}, device=device, dtype=dtype)
        self.latent_channels = LATENT_CHANNELS
        self.downscale_ratio = self.upscale_ratio = SCALE
        self.memory_used_decode = memory_used(DECODE_VALUES_PER_CELL)
        self.memory_used_encode = memory_used(ENCODE_VALUES_PER_PIXEL)
        self.vae_dtype = dtype or mm.vae_dtype(self.device, self.working_dtypes)
        self.first_stage_model = autoencoder.eval().to(self.vae_dtype)
        self.size = None
        self.patcher = ModelPatcher(autoencoder, load_device=self.device, offload_device=mm.vae_offload_device())
        self.model_size()


def memory_used(values: int) -> Any:
    """ComfyUI's estimate of the bytes one frame takes: (shape b c h w, dtype) -> bytes."""
    return lambda shape, dtype: values * shape[2] * shape[3] * mm.dtype_size(dtype)
