"""The embedded model for ComfyUI: MODEL, CLIP and VAE from one checkpoint, ComfyUI's own U-Net inside."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import comfy.conds
import comfy.latent_formats
import comfy.model_base
import comfy.model_management as mm
import comfy.supported_models_base
import torch
import torch.nn.functional as F
from comfy.cli_args import args
from comfy.model_patcher import ModelPatcher
from comfy.sd import CLIP, VAE
from torch import Tensor

from ....stunet_core.mini.checkpoint import Checkpoint, load_checkpoint
from ....stunet_core.mini.config import MiniConfig
from ..runtime.weight_cache import Shelf
from .text import make_clip
from .vae import MiniVAE

MASK, GIVEN = slice(0, 1), slice(1, 5)  # channels of the concat conditioning
SAID = "stunet_said"  # the pooled text as it was before a style was added to it: in conditioning, and among the U-Net's arguments


def load_mini(shelf: Shelf, path: Path) -> tuple[ModelPatcher, CLIP, VAE]:
    """MODEL, CLIP and VAE of the checkpoint at `path`; parts already in use elsewhere are shared, not loaded again.

    Raises ValueError naming the file when it is truncated or not a mini checkpoint.
    """
    read: Callable[[], Checkpoint] = functools.cache(lambda: load_checkpoint(path))
    model = shelf.take(path, "model", lambda: make_model(read()))
    clip = shelf.take(path, "clip", lambda: make_clip(read()))
    vae = shelf.take(path, "vae", lambda: MiniVAE(read().autoencoder))
    copy = clip.clone()
    copy.patcher.set_attachments("stunet", clip)  # a CLIP's clone does not know the one on the shelf otherwise
    return model.clone(), copy, vae


class MiniLatent(comfy.latent_formats.LatentFormat):
    """Latents as the autoencoder makes them: already of unit variance. `rgb`: see `Checkpoint.latent_rgb`."""

    scale_factor = 1.0
    latent_channels = 4

    def __init__(self, rgb: list[list[float]] | None = None):
        if rgb is not None:
            *self.latent_rgb_factors, self.latent_rgb_factors_bias = rgb  # for previews


class MiniSupported(comfy.supported_models_base.BASE):
    """Zero-terminal-SNR v-prediction on SD's schedule ("linear" is ComfyUI's name for it)."""

    unet_extra_config: dict[str, Any] = {}
    latent_format = MiniLatent
    sampling_settings = {"beta_schedule": "linear", "linear_start": 0.00085, "linear_end": 0.012, "zsnr": True}
    supported_inference_dtypes = [torch.bfloat16, torch.float16, torch.float32]
    memory_usage_factor = 0.2  # 64 channels at the finest level where SD1.5, factor 1, has 320


class MiniModel(comfy.model_base.BaseModel):
    """The image model: input channels as in SD-inpainting (noisy 4, mask 1, masked latent 4), pooled text as `y`."""

    def __init__(self, config: MiniSupported, device: torch.device | None = None):
        super().__init__(config, comfy.model_base.ModelType.V_PREDICTION, device=device)
        self.concat_keys = ("mask", "masked_image")

    def blank_inpaint_image_like(self, latent: Tensor) -> Tensor:
        return torch.zeros_like(latent)

    def concat_cond(self, **kwargs: Any) -> Tensor:
        """b 5 h w: the mask (1 = generate), all ones unless the conditioning has one, and what lies outside it.

        As in training, a cell of a mask in pixels counts as given only if all its pixels are; core would take one of them.
        """
        mask, size = kwargs.get("concat_mask"), kwargs["noise"].shape[-2:]
        if mask is not None and mask.shape[-2] >= size[0] and mask.shape[-1] >= size[1]:
            kwargs["concat_mask"] = F.adaptive_max_pool2d(mask.reshape(-1, 1, *mask.shape[-2:]), size)
        cond = super().concat_cond(**kwargs)
        return torch.cat([cond[:, MASK], cond[:, GIVEN] * (1 - cond[:, MASK])], dim=1)

    def encode_adm(self, **kwargs: Any) -> Tensor:
        """The pooled text, 1 x pooled; zeros for conditioning that carries none."""
        pooled = kwargs.get("pooled_output")
        return torch.zeros(1, self.adm_channels) if pooled is None else pooled

    def extra_conds(self, **kwargs: Any) -> dict[str, Any]:
        widths = {"cross_attn": self.model_config.unet_config["context_dim"], "pooled_output": self.adm_channels}
        for name, width in widths.items():
            text = kwargs.get(name)
            if text is not None and text.shape[-1] != width:
                raise ValueError(f"conditioning: its {name} is {text.shape[-1]} wide, the mini model's is {width}. It "
                                 "comes from another model's CLIP: encode the prompt with the CLIP output of "
                                 "STUNetLoadMini.")
        out = super().extra_conds(**kwargs)
        said = kwargs.get(SAID)  # always there, or conditionings with and without a style would be run one by one
        return {**out, SAID: out["y"] if said is None else comfy.conds.CONDRegular(said)}


def unet_config(config: MiniConfig) -> dict[str, Any]:
    """Arguments of ComfyUI's `UNetModel` for the same net as `stunet_core.mini.unet.UNet`."""
    depth = [int(a) for a in config.attention]
    n = config.num_res_blocks
    return {
        "image_size": 32, "in_channels": config.in_channels, "model_channels": config.model_channels,
        "out_channels": config.out_channels, "num_res_blocks": [n] * config.levels,
        "channel_mult": config.channel_mult, "use_spatial_transformer": True, "use_linear_in_transformer": True,
        "transformer_depth": [d for d in depth for _ in range(n)],
        "transformer_depth_output": [d for d in depth for _ in range(n + 1)],
        "transformer_depth_middle": 1, "context_dim": config.context_dim, "num_heads": -1,
        "num_head_channels": config.head_channels, "legacy": False,
        "num_classes": "sequential", "adm_in_channels": config.pooled_dim, "use_scale_shift_norm": config.scale_shift,
    }


def make_model(checkpoint: Checkpoint) -> ModelPatcher:
    """The checkpoint's U-Net as a MODEL, on ComfyUI's initial device for it."""
    device = mm.get_torch_device()
    config = MiniSupported(unet_config(checkpoint.config))
    config.latent_format = MiniLatent(checkpoint.latent_rgb)
    parameters = sum(t.numel() for t in checkpoint.unet.values())
    dtype, cast = dtypes(device, parameters)
    config.set_inference_dtype(dtype, cast)
    model = MiniModel(config, device=mm.unet_inital_load_device(parameters, dtype))
    # Newer ComfyUIs' layers keep the type of what is loaded into them, whatever type they were made for.
    model.load_model_weights({f"unet.{key}": tensor.to(dtype) for key, tensor in checkpoint.unet.items()}, "unet.")
    return ModelPatcher(model, load_device=device, offload_device=mm.unet_offload_device())


def dtypes(device: torch.device, parameters: int) -> tuple[torch.dtype, torch.dtype | None]:
    """(weights, what to cast to when computing or None): ComfyUI's choice for the device and its start-up flags.

    On a CPU, where ComfyUI always says float32, bfloat16 if the CPU multiplies it natively: 2-4 times faster.
    """
    supported = MiniSupported.supported_inference_dtypes
    dtype = mm.unet_dtype(device, parameters, supported, torch.bfloat16)
    told = args.fp32_unet or args.force_fp32
    if dtype == torch.float32 and not told and mm.is_device_cpu(device) and cpu_multiplies_bfloat16():
        return torch.bfloat16, None
    return dtype, mm.unet_manual_cast(dtype, device, supported)


def cpu_multiplies_bfloat16() -> bool:
    """Whether this CPU has AMX or AVX-512 bf16 instructions (no: torch would emulate them, slowly)."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
