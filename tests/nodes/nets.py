"""Small models of random weights in the shapes that ComfyUI loads: SD1.5, its inpainting form, SD2.x, SDXL, and others."""

from __future__ import annotations

import copy
import functools
import importlib
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F

LEVELS = {"SD15": (32, 64, 128, 128), "SD20": (32, 64, 128, 128), "SDXL": (32, 64, 128), "SDXLRefiner": (32, 64, 128, 128)}
CONTEXT = 64  # width of the text
HEAD = 16  # channels of an attention head where the family fixes them
NOT_U_NETS: dict[str, dict[str, Any]] = {
    "Flux": {"image_model": "flux", "in_channels": 16, "out_channels": 16, "vec_in_dim": 8, "context_in_dim": 8,
             "hidden_size": 16, "mlp_ratio": 2.0, "num_heads": 2, "depth": 1, "depth_single_blocks": 1, "patch_size": 2,
             "axes_dim": [2, 2, 4], "theta": 10000, "qkv_bias": True, "guidance_embed": False},
    "SD3": {"in_channels": 16, "patch_size": 2, "depth": 1, "input_size": None, "adm_in_channels": 8, "context_embedder_config":
            {"target": "torch.nn.Linear", "params": {"in_features": 8, "out_features": 64}}, "num_patches": 16,
            "pos_embed_max_size": 4, "pos_embed_scaling_factor": None},
    "WAN21_T2V": {"image_model": "wan2.1", "model_type": "t2v", "dim": 48, "ffn_dim": 48, "num_heads": 2, "num_layers": 1,
                  "in_dim": 16, "out_dim": 16, "text_dim": 8, "freq_dim": 16},
}


def config(family: str, in_channels: int = 4) -> dict[str, Any]:
    """Arguments of ComfyUI's `UNetModel`: the family's shape with few channels."""
    channels = LEVELS[family]
    depth, middle = {"SDXL": ([0, 0, 1, 1, 2, 2], 2), "SDXLRefiner": ([0, 0, 1, 1, 1, 1, 0, 0], 1)}.get(
        family, ([1, 1, 1, 1, 1, 1, 0, 0], 1))
    out: dict[str, Any] = {
        "image_size": 32, "in_channels": in_channels, "out_channels": 4, "model_channels": 32, "num_res_blocks": [2] * len(channels),
        "channel_mult": tuple(c // 32 for c in channels), "use_spatial_transformer": True, "legacy": False,
        "transformer_depth": depth, "transformer_depth_output": [d for d in depth[::2] for _ in range(3)],
        "transformer_depth_middle": middle, "context_dim": CONTEXT, "use_linear_in_transformer": family != "SD15",
        "use_temporal_attention": False, "dtype": torch.float32,
    }
    if family.startswith("SDXL"):
        out |= {"num_classes": "sequential", "adm_in_channels": 2816 if family == "SDXL" else 2560}
    return out


def supported(family: str, unet_config: dict[str, Any]) -> Any:
    """ComfyUI's description of a model of this family, such as it makes when it loads a checkpoint."""
    description = getattr(importlib.import_module("comfy.supported_models"), family)(unet_config)
    if description.unet_config.get("num_head_channels", -1) > 0:
        description.unet_config["num_head_channels"] = HEAD
    description.set_inference_dtype(torch.float32, None)
    return description


def patcher(model: Any) -> Any:
    cpu = torch.device("cpu")
    return importlib.import_module("comfy.model_patcher").ModelPatcher(model, load_device=cpu, offload_device=cpu)


def randomise(module: torch.nn.Module) -> None:
    """Every parameter at random, of a size that keeps the signal's; ComfyUI's layers hold whatever was in memory."""
    generator = torch.Generator().manual_seed(11)
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1:
            parameter.data = 0.05 * noise + float(name.endswith("weight"))  # of a norm
        else:
            parameter.data = noise * parameter[0].numel() ** -0.5


def made(family: str, in_channels: int) -> torch.nn.Module:
    """The whole of a model of this family with weights that can be trained against, wherever it is asked for."""
    with torch.inference_mode(False):
        model = supported(family, config(family, in_channels)).get_model({}, "")
        randomise(model.diffusion_model)
        return model.requires_grad_(False)


@functools.cache
def weights(family: str, in_channels: int) -> torch.nn.Module:
    """One for all tests: nodes change nothing in them. (ComfyUI puts back what it patched as tensors of inference mode.)"""
    return made(family, in_channels)


def model(family: str, in_channels: int = 4) -> Any:
    """A MODEL with a U-Net of this family."""
    return patcher(weights(family, in_channels))


def transformer(family: str) -> Any:
    """A MODEL that is no U-Net."""
    told = NOT_U_NETS[family]
    if family == "Flux" and "txt_ids_dims" in importlib.import_module("comfy.ldm.flux.model").FluxParams.__annotations__:
        told = told | {"txt_ids_dims": []}  # newer ComfyUIs ask for it
    return patcher(supported(family, told).get_model({}, ""))


@functools.cache
def streamed_kind() -> Any:
    """A MODEL's class as newer ComfyUIs have it on a GPU. `whole`: the weights, None where nobody knows how to load them again."""
    plain = importlib.import_module("comfy.model_patcher").ModelPatcher

    class Streamed(plain):  # type: ignore[misc, valid-type]
        whole: Any = None

        def is_dynamic(self) -> bool:
            return True

        def clone(self, disable_dynamic: bool = False, **kwargs: Any) -> Any:
            out = super().clone(**kwargs)
            out.whole = self.whole
            if disable_dynamic:
                if out.whole is None:
                    raise RuntimeError("Cannot create non-dynamic delegate: cached_patcher_init is not initialized.")
                out.__class__, out.model = plain, out.whole
            return out

    return Streamed


def streamed(model: Any, known: bool = True) -> Any:
    """`model` with weights that are not there (NaN); a clone without streaming has them, if it is `known` how to load it."""
    empty = copy.copy(model.model)
    empty._modules = {**empty._modules, "diffusion_model": copy.deepcopy(model.model.diffusion_model)}
    for parameter in empty.diffusion_model.parameters():
        parameter.fill_(torch.nan)
    out = streamed_kind()(empty, load_device=model.load_device, offload_device=model.offload_device)
    out.model_options, out.whole = model.model_options, model.model if known else None
    out.wrappers = {kind: {key: list(each) for key, each in keys.items()} for kind, keys in model.wrappers.items()}
    return out


def vae() -> Any:
    """What stands for SD1.5's VAE: means of 8x8 pixels, and their brightness."""
    def encode(pixels: torch.Tensor) -> torch.Tensor:
        colour = F.avg_pool2d(pixels.movedim(-1, 1), 8)
        return torch.cat([colour, colour.mean(dim=1, keepdim=True)], dim=1)

    return SimpleNamespace(latent_dim=2, latent_channels=4, spacial_compression_encode=lambda: 8, encode=encode)


def prompt(seed: int) -> list:
    """CONDITIONING as an encoder of the right width gives it."""
    generator = torch.Generator().manual_seed(seed)
    pooled = torch.randn(1, 1280, generator=generator)
    return [[torch.randn(1, 77, CONTEXT, generator=generator), {"pooled_output": pooled}]]
