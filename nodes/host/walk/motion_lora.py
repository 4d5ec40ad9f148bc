"""A motion LoRA on the temporal layers of a clip model: patches of their weights, as ComfyUI's own LoRAs are of the U-Net's."""

from pathlib import Path

import comfy.lora
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ....stunet_core.checkpoints.motion_lora import load_motion_lora
from .apply import KEY


def add_motion_lora(model: ModelPatcher, path: Path, strength: float) -> ModelPatcher:
    """A clone of `model` with the motion LoRA at `path`; those already there stay. At strength 0 a plain clone.

    Raises ValueError when the model has no temporal layers, or others than the LoRA was made for.
    """
    patchers = model.get_additional_models_with_key(KEY)
    if not patchers:
        raise ValueError("model: it has no motion module, which a motion LoRA would change; connect the MODEL output of Apply STUNet")
    lora, skeleton = load_motion_lora(path), patchers[0].model
    try:
        changes = lora.changes(skeleton.config, {name: tuple(t.shape) for name, t in skeleton.state_dict().items()})
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    out = model.clone()
    if strength == 0:
        return out
    tensors: dict[str, Tensor | None] = {}
    for name, pair in changes.items():
        tensors |= {f"{name}.lora_up.weight": pair.up, f"{name}.lora_down.weight": pair.down}
        if pair.alpha is not None:
            tensors[f"{name}.alpha"] = pair.alpha
    changed = patchers[0].clone()
    changed.add_patches(comfy.lora.load_lora(tensors, {name: name for name in changes}), strength)
    out.set_additional_models(KEY, [changed])
    return out
