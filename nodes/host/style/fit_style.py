"""A LoRA fitted to pictures of a style inside ComfyUI (StyleDrop: Sohn et al., 2306.00983): weights W + up @ down."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import comfy.model_management as mm
import comfy.sd
import comfy.utils
import folder_paths
import torch
from comfy.model_patcher import ModelPatcher
from safetensors.torch import save_file
from torch import Tensor, nn

from ....stunet_core.checkpoints.checks import check_numbers
from ....stunet_core.checkpoints.lora import Lora, targets
from ....stunet_core.checkpoints.tensor_file import open_tensors
from .descent import Descent
from .fitting import Loss, Task, half, prepared, shower

FOLDER = "stunet"  # inside ComfyUI's own folder of LoRAs, so that LoraLoader lists what was fitted
RECORD = "stunet_fit"  # metadata key
SHOW_EVERY = 10  # steps between previews
SAMPLED = 64  # values of each weight by which a model is told from another
CLIPPED = 1.0  # norm of the gradient at most

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitStyleSettings:
    """`batch`: noised pictures per step. `seed` decides everything that is random."""

    steps: int
    rank: int
    learning_rate: float
    seed: int
    layers: str
    batch: int = 4

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("rank", 1), ("batch", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: {getattr(self, name)}; give {least} or more")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate: {self.learning_rate:g}; give more than 0")


def fit_style(model: ModelPatcher, clip: Any, vae: Any, pixels: Tensor, caption: str, name: str,
              settings: FitStyleSettings) -> tuple[ModelPatcher, str]:
    """`model` with a LoRA fitted to `pixels` [F, H, W, 3], and the LoRA's name for LoraLoader.

    The same inputs have the same file: where it is there already nothing is fitted.

    Raises ValueError naming the input that is wrong.
    """
    check_name(name)
    kept, task, _ = prepared(model, clip, vae, pixels, caption, settings.batch)
    own = folder()
    file = f"{name}_{fingerprint(kept, task, settings)}.safetensors"
    if not (own / file).is_file():
        lora, before, after = fitted(kept, task, settings)
        log.info("STUNet: fitted %s to %d picture(s): loss %.4f -> %.4f", file, len(pixels), before, after)
        save(own / file, lora.file(), asdict(settings) | {"caption": caption, "loss_before": before, "loss_after": after})
    tensors = fitted_before(own / file)
    return comfy.sd.load_lora_for_models(model, None, tensors, 1.0, 0.0)[0], f"{FOLDER}/{file}"


def check_name(name: str) -> None:
    """Raises ValueError when `name` is no file's."""
    if not name.strip() or Path(name).name != name or name.startswith(".") or "\\" in name:
        raise ValueError(f"name: {name!r}; give a file name without folders, such as watercolour")


def folder() -> Path:
    """Where LoRAs are saved: `stunet` in the first of ComfyUI's folders for them."""
    own = Path(folder_paths.get_folder_paths("loras")[0]) / FOLDER
    own.mkdir(parents=True, exist_ok=True)
    return own


def fitted_before(path: Path) -> dict[str, Tensor]:
    """The tensors of a file that was saved here. Raises ValueError saying what to do when it was damaged since."""
    try:
        tensors = open_tensors(path).tensors()
        check_numbers(tensors, path)
    except ValueError as error:
        raise ValueError(f"{error}; or delete the file, and the style is fitted again") from error
    return tensors


def fitted(model: ModelPatcher, task: Task, settings: FitStyleSettings) -> tuple[Lora, float, float]:
    """The LoRA after all steps, and the loss on the same noise before and after. A cancel in ComfyUI ends it."""
    generator = torch.Generator().manual_seed(settings.seed)
    bar = comfy.utils.ProgressBar(settings.steps)
    show = shower(model)
    with torch.inference_mode(False), torch.enable_grad(), half(model.load_device):
        loss = Loss(model, task)
        lora = Lora({name: loss.weights[name] for name in targets(loss.net, settings.layers)}, settings.rank, generator)
        lora.to(model.load_device)
        adam = torch.optim.AdamW(lora.parameters(), lr=settings.learning_rate, weight_decay=0.0)
        before, descent = loss.checked(loss.weights), Descent(settings.batch)

        def value(*drawn: Tensor) -> tuple[Tensor, Tensor]:
            return loss(lora.changed(loss.weights), loss.inputs, *drawn)

        for step in range(settings.steps):
            mm.throw_exception_if_processing_interrupted()
            rows = torch.randint(len(task.latents), (settings.batch,), generator=generator)
            times = (torch.rand(settings.batch, generator=generator) * len(loss.sigmas)).long()
            noise = torch.randn(settings.batch, *task.latents.shape[1:], generator=generator)
            clean = descent.gradients(list(lora.parameters()), value, rows, times, noise)
            nn.utils.clip_grad_norm_(lora.parameters(), CLIPPED)
            adam.step()
            bar.update_absolute(step + 1, settings.steps, show(clean) if step % SHOW_EVERY == 0 else None)
        after = loss.checked(lora.changed(loss.weights))
    return lora, before, after


def fingerprint(model: ModelPatcher, task: Task, settings: FitStyleSettings) -> str:
    """Eight characters that differ for other weights, pictures, captions or settings."""
    digest = hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode())
    weights: Mapping[str, Tensor] = model.get_model_object("diffusion_model").state_dict()
    for name, weight in sorted(weights.items()):
        flat = weight.detach().flatten()
        some = flat[:: max(1, flat.numel() // SAMPLED)]
        digest.update(f"{name} {tuple(weight.shape)}".encode() + raw(some))
    for tensor in (task.latents, *(task.inputs[name] for name in sorted(task.inputs))):
        digest.update(raw(tensor))
    digest.update(raw(model.get_model_object("model_sampling").sigmas))
    return digest.hexdigest()[:8]


def raw(tensor: Tensor) -> bytes:
    """Its numbers, as float32."""
    return tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes()


def save(path: Path, tensors: dict[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write a file that is either whole or not there."""
    partial = path.with_suffix(".partial")
    save_file(tensors, str(partial), {RECORD: json.dumps(dict(record)), "format": "pt"})
    partial.replace(path)
