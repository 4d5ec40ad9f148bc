"""A LoRA fitted to pictures of a style inside ComfyUI (StyleDrop: Sohn et al., 2306.00983), on the model's own loss.

The U-Net is called as it is, without temporal layers, with weights W + up @ down put in its place for the call
(`torch.func.functional_call`): nothing in the model is changed, and nothing is left behind by a cancel.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import comfy.model_management as mm
import comfy.sampler_helpers
import comfy.samplers
import comfy.sd
import comfy.utils
import folder_paths
import latent_preview
import torch
import torch.nn.functional as F
from comfy.cli_args import args
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_patcher import ModelPatcher
from einops import rearrange
from safetensors.torch import save_file
from torch import Tensor, nn

from ...stunet_core.attention import attend
from ...stunet_core.lora import Lora, targets
from .conditioned import check_vae
from .mini import cpu_multiplies_bfloat16
from .streamed import unstreamed

FOLDER = "stunet"  # inside ComfyUI's own folder of LoRAs, so that LoraLoader lists what was fitted
RECORD = "stunet_fit"  # metadata key
CHECKS = 8  # noise levels at which the loss is compared before and after
SHOW_EVERY = 10  # steps between previews
SAMPLED = 64  # values of each weight by which a model is told from another
CLIPPED = 1.0  # norm of the gradient at most

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
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


@dataclass(frozen=True)
class Task:
    """What is to be fitted: n c h w latents as the model sees them, and the arguments of the U-Net for one of them."""

    latents: Tensor
    concat: Tensor | None    # n c h w, behind the noisy latents
    inputs: dict[str, Tensor]    # context, y, each n ...


def fit_style(model: ModelPatcher, clip: Any, vae: Any, pixels: Tensor, caption: str, name: str,
              settings: Settings) -> tuple[ModelPatcher, str]:
    """`model` with a LoRA fitted to `pixels` [F, H, W, 3], and the LoRA's name for LoraLoader.

    The same inputs have the same file: where it is there already nothing is fitted.

    Raises ValueError naming the input that is wrong.
    """
    check(model, vae, caption, name)
    kept = unstreamed(model, "a fit")
    latents = model.model.process_latent_in(vae.encode(pixels))
    conditioning = clip.encode_from_tokens_scheduled(clip.tokenize(caption))
    mm.load_models_gpu([kept], memory_required=kept.memory_required([settings.batch * 4, *latents.shape[1:]]), force_full_load=True)
    task = described(kept, conditioning, latents)
    own = folder()
    file = f"{name}_{fingerprint(kept, task, settings)}.safetensors"
    if not (own / file).is_file():
        lora, before, after = fitted(kept, task, settings)
        log.info("STUNet: fitted %s to %d picture(s): loss %.4f -> %.4f", file, len(pixels), before, after)
        save(own / file, lora.file(), asdict(settings) | {"caption": caption, "loss_before": before, "loss_after": after})
    tensors = comfy.utils.load_torch_file(str(own / file), safe_load=True)
    return comfy.sd.load_lora_for_models(model, None, tensors, 1.0, 0.0)[0], f"{FOLDER}/{file}"


def check(model: ModelPatcher, vae: Any, caption: str, name: str) -> None:
    """Raises ValueError naming the input that cannot be used."""
    check_vae(vae)
    net = model.get_model_object("diffusion_model")
    if not isinstance(net, UNetModel):
        raise ValueError(f"model: found {type(model.model).__name__} ({type(net).__name__}); a style is fitted to U-Nets: SD1.5, "
                         "SD2.x, SDXL or the mini model")
    if vae.latent_channels != model.model.latent_format.latent_channels:
        raise ValueError(f"vae: its latents have {vae.latent_channels} channels, the model's "
                         f"{model.model.latent_format.latent_channels}; connect the VAE that belongs to the model")
    if not caption.strip():
        raise ValueError("caption: is empty; say what the pictures show, such as 'a rocket on a yellow background', so that only "
                         "what the words do not say is learned as style")
    if not name.strip() or Path(name).name != name or name.startswith(".") or "\\" in name:
        raise ValueError(f"name: {name!r}; give a file name without folders, such as watercolour")


def folder() -> Path:
    """Where LoRAs are saved: `stunet` in the first of ComfyUI's folders for them."""
    own = Path(folder_paths.get_folder_paths("loras")[0]) / FOLDER
    own.mkdir(parents=True, exist_ok=True)
    return own


def described(model: ModelPatcher, conditioning: list, latents: Tensor) -> Task:
    """The pictures and their mirror images, with the caption as samplers give it to the model."""
    device = model.load_device
    latents = torch.cat([latents, latents.flip(-1)]).to(device)
    conds = comfy.samplers.encode_model_conds(
        model.model.extra_conds, comfy.sampler_helpers.convert_cond(conditioning[:1]), torch.zeros_like(latents), device, "positive",
        latent_image=latents)
    values = {key: cond.process_cond(batch_size=len(latents), device=device, area=None).cond
              for key, cond in conds[0]["model_conds"].items()}
    concat = values.pop("c_concat", None)
    inputs = {{"c_crossattn": "context"}.get(key, key): value for key, value in values.items() if isinstance(value, Tensor)}
    return Task(latents, None if concat is None else concat.to(device), {key: value.to(device) for key, value in inputs.items()})


def fitted(model: ModelPatcher, task: Task, settings: Settings) -> tuple[Lora, float, float]:
    """The LoRA after all steps, and the loss on the same noise before and after. A cancel in ComfyUI ends it."""
    generator = torch.Generator().manual_seed(settings.seed)
    bar = comfy.utils.ProgressBar(settings.steps)
    show = shower(model)
    with torch.inference_mode(False), torch.enable_grad(), half(model.load_device):
        loss = Loss(model, task)
        lora = Lora({name: loss.weights[name] for name in targets(loss.net, settings.layers)}, settings.rank, generator)
        lora.to(model.load_device)
        adam = torch.optim.AdamW(lora.parameters(), lr=settings.learning_rate, weight_decay=0.0)
        before = loss.checked(lora)
        for step in range(settings.steps):
            mm.throw_exception_if_processing_interrupted()
            rows = torch.randint(len(task.latents), (settings.batch,), generator=generator)
            times = (torch.rand(settings.batch, generator=generator) * len(loss.sigmas)).long()
            value, clean = loss(lora, rows, times, torch.randn(settings.batch, *task.latents.shape[1:], generator=generator))
            adam.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(lora.parameters(), CLIPPED)
            adam.step()
            bar.update_absolute(step + 1, settings.steps, show(clean) if step % SHOW_EVERY == 0 else None)
        after = loss.checked(lora)
    return lora, before, after


class Loss:
    """The model's own: the mean square error of what it predicts (noise, v, flow), at noise levels drawn evenly."""

    def __init__(self, model: ModelPatcher, task: Task):
        self.net = model.get_model_object("diffusion_model")
        self.sampling = model.get_model_object("model_sampling")
        # Tensors made in inference mode, as all of a node's are, cannot be differentiated through: copies can.
        self.sigmas = self.sampling.sigmas.detach().clone().float()
        self.weights = {name: weight.detach().to(model.load_device, torch.float32, copy=True)
                        for name, weight in self.net.state_dict().items()}
        self.latents = task.latents.detach().clone().float()
        self.concat = None if task.concat is None else task.concat.detach().clone().float()
        self.inputs = {name: value.detach().clone().float() for name, value in task.inputs.items()}

    def __call__(self, lora: Lora, rows: Tensor, times: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """rows: b, of the latents; times: b, of the schedule; noise: b c h w -> the loss, and the clean prediction b c h w.

        A clean prediction is an affine function of what the model predicts, which gives the prediction to aim for.
        """
        device = self.latents.device
        rows, sigma, noise = rows.to(device), self.sigmas[times.to(self.sigmas.device)].to(device), noise.to(device)
        clean = self.latents[rows]
        noisy = self.sampling.noise_scaling(sigma, noise, clean)
        x = self.sampling.calculate_input(sigma, noisy)
        if self.concat is not None:
            x = torch.cat([x, self.concat[rows]], dim=1)
        inputs = {name: value[rows] for name, value in self.inputs.items()}
        options = {"optimized_attention_override": explicit, "cond_or_uncond": [0]}
        out = torch.func.functional_call(self.net, lora.changed(self.weights), (x, self.sampling.timestep(sigma).float()),
                                         inputs | {"transformer_options": options}).float()
        nothing, one = (self.sampling.calculate_denoised(sigma, out.new_full(out.shape, v), noisy) for v in (0.0, 1.0))
        return F.mse_loss(out, (clean - nothing) / (one - nothing)), (nothing + (one - nothing) * out).detach()

    @torch.no_grad()
    def checked(self, lora: Lora) -> float:
        """The loss on noise that is always the same, over all noise levels."""
        generator = torch.Generator().manual_seed(0)
        times = torch.linspace(0, len(self.sigmas) - 1, CHECKS + 2)[1:-1].long()
        rows = torch.arange(CHECKS) % len(self.latents)
        return float(self(lora, rows, times, torch.randn(CHECKS, *self.latents.shape[1:], generator=generator))[0])


def explicit(function: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
    """Attention (b n (h d)) that can be differentiated, and quickly on a CPU, whatever ComfyUI samples with."""
    q, k, v = (rearrange(t, "b n (h d) -> b h n d", h=heads) for t in (q, k, v))
    return rearrange(attend(q, k, v), "b h n d -> b n (h d)")


@contextmanager
def half(device: torch.device) -> Iterator[None]:
    """Compute in bfloat16 where that is faster, and keep weights and gradients in float32."""
    told = args.fp32_unet or args.force_fp32
    fast = cpu_multiplies_bfloat16() if mm.is_device_cpu(device) else mm.should_use_bf16(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=bool(fast and not told)):
        yield


def shower(model: ModelPatcher) -> Callable[[Tensor], Any]:
    """A function from clean latents b c h w to a preview for the progress bar; None where previews are off."""
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
    if previewer is None:
        return lambda clean: None
    return lambda clean: previewer.decode_latent_to_preview_image("JPEG", clean[:1])


def fingerprint(model: ModelPatcher, task: Task, settings: Settings) -> str:
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
