"""The model's own loss on a few pictures, with a gradient, inside ComfyUI: what fits of a style have in common.

The U-Net is called as it is, without temporal layers, with weights put in its place for the call (`torch.func.functional_call`):
nothing in the model is changed, and nothing is left behind by a cancel.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import comfy.model_management as mm
import comfy.sampler_helpers
import comfy.samplers
import latent_preview
import torch
import torch.nn.functional as F
from comfy.cli_args import args
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_patcher import ModelPatcher
from einops import rearrange
from torch import Tensor

from ....stunet_core.model.attention import attend
from ....stunet_core.model.precision import cpu_multiplies_bfloat16
from ..runtime.streamed import unstreamed
from ..walk.apply import SAID
from ..walk.conditioning import check_vae

CHECKS = 8  # noise levels at which the loss is compared before and after


@dataclass(frozen=True)
class Task:
    """What is to be fitted: n c h w latents as the model sees them, and the arguments of the U-Net for one of them."""

    latents: Tensor
    concat: Tensor | None    # n c h w, behind the noisy latents
    inputs: dict[str, Tensor]    # context, y, each n ...


def check_fit(model: ModelPatcher, vae: Any, caption: str) -> None:
    """Raises ValueError naming the input that no style can be fitted with."""
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


def prepared(model: ModelPatcher, clip: Any, vae: Any, pixels: Tensor, caption: str, batch: int) -> tuple[ModelPatcher, Task, list]:
    """The model loaded whole for fitting `batch` noised pictures at once, what is to be fitted, and the caption's conditioning.

    Raises ValueError naming the input that no style can be fitted with.
    """
    check_fit(model, vae, caption)
    kept = unstreamed(model, "a fit")
    latents = model.model.process_latent_in(vae.encode(pixels))
    conditioning = clip.encode_from_tokens_scheduled(clip.tokenize(caption))
    mm.load_models_gpu([kept], memory_required=kept.memory_required([batch * 4, *latents.shape[1:]]), force_full_load=True)
    return kept, described(kept, conditioning, latents), conditioning


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
    values.pop(SAID, None)  # for clips
    inputs = {{"c_crossattn": "context"}.get(key, key): value for key, value in values.items() if isinstance(value, Tensor)}
    return Task(latents, None if concat is None else concat.to(device), {key: value.to(device) for key, value in inputs.items()})


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

    def __call__(self, weights: Mapping[str, Tensor], inputs: Mapping[str, Tensor], rows: Tensor, times: Tensor,
                 noise: Tensor) -> tuple[Tensor, Tensor]:
        """rows: b, of the latents; times: b, of the schedule; noise: b c h w -> the loss, and the clean prediction b c h w.

        `weights` and `inputs` are this loss's own, or changed ones that are to be fitted.

        A clean prediction is an affine function of what the model predicts, which gives the prediction to aim for.
        """
        device = self.latents.device
        rows, sigma, noise = rows.to(device), self.sigmas[times.to(self.sigmas.device)].to(device), noise.to(device)
        clean = self.latents[rows]
        noisy = self.sampling.noise_scaling(sigma, noise, clean)
        x = self.sampling.calculate_input(sigma, noisy)
        if self.concat is not None:
            x = torch.cat([x, self.concat[rows]], dim=1)
        told = {name: value[rows] for name, value in inputs.items()}
        options = {"optimized_attention_override": explicit, "cond_or_uncond": [0]}
        out = torch.func.functional_call(self.net, dict(weights), (x, self.sampling.timestep(sigma).float()),
                                         told | {"transformer_options": options}).float()
        nothing, one = (self.sampling.calculate_denoised(sigma, out.new_full(out.shape, v), noisy) for v in (0.0, 1.0))
        return F.mse_loss(out, (clean - nothing) / (one - nothing)), (nothing + (one - nothing) * out).detach()

    @torch.no_grad()
    def checked(self, weights: Mapping[str, Tensor], inputs: Mapping[str, Tensor] | None = None) -> float:
        """The loss on noise that is always the same, over all noise levels."""
        generator = torch.Generator().manual_seed(0)
        times = torch.linspace(0, len(self.sigmas) - 1, CHECKS + 2)[1:-1].long()
        rows = torch.arange(CHECKS) % len(self.latents)
        noise = torch.randn(CHECKS, *self.latents.shape[1:], generator=generator)
        return float(self(weights, self.inputs if inputs is None else inputs, rows, times, noise)[0])


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
