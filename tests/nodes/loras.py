"""LoRAs of random weights in kohya's layout, as core's LoraLoader reads them."""

from __future__ import annotations

import importlib
from typing import Any

import torch

RANK = 2


def tensors(model: Any, seed: int, part: str = "attn1.to_q") -> dict[str, torch.Tensor]:
    """One pair for every weight of the U-Net whose name has `part` in it."""
    generator = torch.Generator().manual_seed(seed)
    out: dict[str, torch.Tensor] = {}
    for key, weight in model.model.state_dict().items():
        if part in key and key.endswith(".weight"):
            name = "lora_unet_" + key.removeprefix("diffusion_model.").removesuffix(".weight").replace(".", "_")
            out[f"{name}.lora_up.weight"] = torch.randn(weight.shape[0], RANK, generator=generator) * 0.3
            out[f"{name}.lora_down.weight"] = torch.randn(RANK, weight.shape[1], generator=generator) * 0.3
            out[f"{name}.alpha"] = torch.tensor(float(RANK))
    return out


def load(model: Any, lora: dict[str, torch.Tensor], strength: float = 1.0) -> Any:
    """What core's LoraLoader makes of `model`."""
    return importlib.import_module("comfy.sd").load_lora_for_models(model, None, lora, strength, 0)[0]


def weights(model: Any) -> dict[str, torch.Tensor]:
    """The U-Net's weights as they are when ComfyUI samples with `model`."""
    mm = importlib.import_module("comfy.model_management")
    mm.load_models_gpu([model])
    return {name: weight.clone() for name, weight in model.model.diffusion_model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
