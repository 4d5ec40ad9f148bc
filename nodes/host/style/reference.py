"""A style reference that rides along with sampling: its features once per step, seen by the self-attention of every frame.

Three wrappers share one `Reference`: one encodes its pictures before sampling, one runs them through the image U-Net and
lets the frames look at what their self-attention saw, one gives the clean prediction their palette. Nothing else of the
model is touched: the reference's rows are a call of their own, without temporal layers, ControlNet or other packs' patches.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_management as mm
import torch
from comfy.ldm.modules.attention import optimized_attention
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_base import BaseModel
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from einops import repeat
from torch import Tensor, nn

from ....stunet_core.editing.fit_pictures import fit
from ....stunet_core.guidance.style import Seen, palette, repaint, shared
from ....stunet_core.model.layout import read_layout
from ..runtime.step_range import check_part, during
from ..walk.conditioning import check_vae
from ..walk.unet_call import conditionings

KEY = "stunet_reference"
NOISE_SEED = 0  # the references' noise is the same at every step and for every clip
MOST = 16  # references that attention can look at
ATTENTION, STATISTICS, BOTH = MODES = ("attention", "statistics", "attention and statistics")
ALL, FINE, COARSE = LEVELS = ("all", "fine", "coarse")
OURS = ("patches", "patches_replace", "wrappers", "callbacks")  # what other packs hang on the frames is for the frames

Place = tuple[str, int, int]  # block's kind and index, transformer in it: core's name of an attention
Attention = Callable[[Tensor, Tensor, Tensor, dict[str, Any]], Tensor]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReferenceSettings:
    """`strength`: 0 nothing to 2, 1 as published. `start`, `end`: of sampling, 0 to 1. `weights` sum to 1."""

    mode: str
    strength: float
    start: float
    end: float
    levels: str
    fit: str
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        check_part(self.start, self.end)


def add_reference(model: ModelPatcher, vae: Any, pictures: Tensor, settings: ReferenceSettings) -> ModelPatcher:
    """A clone of `model` whose pictures take on the style of `pictures` [R, H, W, 3]; at strength 0 a plain clone.

    Raises ValueError when the VAE is not the model's, or attention is asked of a model that is no U-Net.
    """
    check_vae(vae)
    expected = model.model.latent_format.latent_channels
    if vae.latent_channels != expected:
        raise ValueError(f"vae: its latents have {vae.latent_channels} channels, the model's {expected}; connect the VAE that "
                         "belongs to the model")
    net = model.get_model_object("diffusion_model")
    if settings.mode != STATISTICS:
        check_attention(model, net, len(pictures))
    out = model.clone()
    if settings.strength == 0 or settings.start > settings.end:
        return out
    reference = Reference(pictures, vae, settings, () if settings.mode == STATISTICS else places(net, settings.levels))
    out.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, KEY, reference.prepare)
    if settings.mode != STATISTICS:
        out.add_wrapper_with_key(WrappersMP.APPLY_MODEL, KEY, reference.attend)
    if settings.mode != ATTENTION:
        out.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, KEY, reference.repaint)
    return out


def check_attention(model: ModelPatcher, net: nn.Module, references: int) -> None:
    """Raises ValueError when there is no self-attention of a U-Net to share, or too much of it."""
    if not isinstance(net, UNetModel):
        raise ValueError(f"model: found {type(model.model).__name__} ({type(net).__name__}), whose attention is not that of a "
                         f"U-Net; connect SD1.5, SD2.x, SDXL or the mini model, or choose the mode {STATISTICS!r}")
    if references > MOST:
        raise ValueError(f"image: has {references} pictures; attention looks at {MOST} at most. Give fewer, for example with "
                         f"ImageFromBatch, or choose the mode {STATISTICS!r}, which takes any number")


class Reference:
    """Pictures and how they act. What is kept between calls: their latents, and the clip's size for which they were made."""

    def __init__(self, pictures: Tensor, vae: Any, settings: ReferenceSettings, shared_at: Sequence[Place]):
        self.pictures, self.vae, self.settings, self.places = pictures, vae, settings, shared_at
        self.encoded: Tensor | None = None
        self.size: tuple[int, int] | None = None

    def prepare(self, executor: Any, model: ModelPatcher, noise_shape: Sequence[int], *args: Any, **kwargs: Any) -> Any:
        """PREPARE_SAMPLING wrapper: encode before ComfyUI makes room for the U-Net."""
        self.encode(model.model, noise_shape[-2], noise_shape[-1])
        if self.settings.mode != ATTENTION:
            log.info("STUNet: style by statistics: the predicted clean latents take on the mean and covariance of %d "
                     "reference picture(s), at strength %g.", len(self.pictures), self.settings.strength)
        return executor(model, noise_shape, *args, **kwargs)

    def encode(self, model: BaseModel, height: int, width: int) -> None:
        """Keep r c h w, as the model sees latents, for a clip of height x width cells."""
        if (height, width) == self.size:
            return
        cell = check_vae(self.vae)
        pixels = fit(self.pictures, height * cell, width * cell, self.settings.fit, cell)
        latents = torch.cat([self.vae.encode(part) for part in pixels.split(MOST)])
        self.encoded, self.size = model.process_latent_in(latents), (height, width)

    def latents(self, model: BaseModel, x: Tensor) -> Tensor:
        """The references, r c h w, for a batch of the clip or of a part of it."""
        if self.encoded is None:  # the model was called without a sampler
            self.encode(model, x.shape[-2], x.shape[-1])
        assert self.encoded is not None
        return self.encoded.to(x)

    def acts(self, model: BaseModel, sigma: Tensor) -> bool:
        """Whether this step is between start and end."""
        return during(model.model_sampling, sigma, self.settings.start, self.settings.end)

    def repaint(self, executor: Any, x: Tensor, timestep: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """PREDICT_NOISE wrapper: the clean prediction, after guidance, in the references' palette."""
        clean, model = executor(x, timestep, *args, **kwargs), executor.class_obj.inner_model
        if not self.acts(model, timestep):
            return clean
        wanted = palette(self.latents(model, x), self.settings.weights)
        return repaint(clean, wanted, min(1.0, self.settings.strength))

    def attend(self, executor: Any, x: Tensor, t: Tensor, c_concat: Tensor | None = None, c_crossattn: Tensor | None = None,
               control: Any = None, transformer_options: dict[str, Any] | None = None, **kwargs: Any) -> Tensor:
        """APPLY_MODEL wrapper: the references once for each conditioning, then the frames, which see them."""
        options = {} if transformer_options is None else transformer_options
        if self.acts(executor.class_obj, t):
            seen = self.look(executor, x, t, c_concat, c_crossattn, options, kwargs)
            options = self.sharing(options, seen)
        return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)

    def look(self, executor: Any, x: Tensor, t: Tensor, c_concat: Tensor | None, c_crossattn: Tensor | None,
             options: dict[str, Any], extra: dict[str, Any]) -> dict[Place, Seen]:
        """Run the references, noised to this step, through the image model; -> what each self-attention saw."""
        mm.throw_exception_if_processing_interrupted()
        model: BaseModel = executor.class_obj
        conds = conditionings(options, len(x))
        clean = self.latents(model, x)
        references = len(clean)
        row = torch.arange(conds, device=x.device).repeat_interleave(references) * (len(x) // conds)  # a conditioning's first
        clean = repeat(clean, "r c h w -> (b r) c h w", b=conds)
        noise = torch.randn(clean[:references].shape, generator=torch.Generator().manual_seed(NOISE_SEED))
        noise = repeat(noise.to(x), "r c h w -> (b r) c h w", b=conds)
        noisy = model.model_sampling.noise_scaling(t[row], noise, clean)
        concat = None if c_concat is None else model.concat_cond(noise=noisy, latent_image=clean, device=x.device)
        text = None if c_crossattn is None else c_crossattn[row]
        rows = {key: value[row] if isinstance(value, Tensor) and len(value) == len(x) else value for key, value in extra.items()}

        seen: dict[Place, Seen] = {}

        def note(place: Place, q: Tensor, k: Tensor, v: Tensor, own: dict[str, Any]) -> Tensor:
            seen[place] = Seen.of(q, k, v, references)
            return attention(q, k, v, own)

        alone = {key: value for key, value in options.items() if key not in OURS}
        alone["cond_or_uncond"] = [c for c in options.get("cond_or_uncond") or [0] for _ in range(references)]
        alone["patches_replace"] = {"attn1": {place: functools.partial(note, place) for place in self.places}}
        executor.original(noisy, t[row], concat, text, None, alone, **rows)
        return seen

    def sharing(self, options: dict[str, Any], seen: dict[Place, Seen]) -> dict[str, Any]:
        """`options` in which self-attention also sees the references; what replaces it already does so too."""
        replaced = options.get("patches_replace", {})
        before = replaced.get("attn1", {})
        ours = {place: functools.partial(self.share, before.get(place) or before.get(place[:2]) or attention, what)
                for place, what in seen.items()}
        return {**options, "patches_replace": {**replaced, "attn1": {**before, **ours}}}

    def share(self, run: Attention, seen: Seen, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        """Attention of frames, (b f) n c: the mean over references of what it is with each, as far as strength says."""
        frames, strength = len(q) // len(seen.k), self.settings.strength
        out: Tensor | None = None
        for reference, weight in enumerate(self.settings.weights):
            if weight:
                part = run(*shared(q, k, v, seen.one(reference, frames)), options) * weight
                out = part if out is None else out + part
        assert out is not None
        return out if strength == 1 else torch.lerp(run(q, k, v, options), out, strength)


def attention(q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
    """Core's, as its own layers call it: b n (h d)."""
    return optimized_attention(q, k, v, options["n_heads"], attn_precision=options["attn_precision"], transformer_options=options)


def places(net: nn.Module, levels: str) -> tuple[Place, ...]:
    """Every self-attention of a U-Net at these levels; of the levels that have any, the finer half is "fine"."""
    level = {position.name: position.level for position in read_layout(net).positions}
    blocks = [("input", i, layers) for i, layers in enumerate(net.input_blocks)]  # type: ignore[arg-type]
    blocks += [("middle", 0, net.middle_block or ())] + [("output", i, layers) for i, layers in enumerate(net.output_blocks)]  # type: ignore
    found: list[tuple[int, Place]] = []
    for kind, i, layers in blocks:
        for layer in layers:
            if type(layer).__name__ == "SpatialTransformer":
                at = level["middle" if kind == "middle" else f"{kind}_{i}"]
                found += [(at, (kind, i, n)) for n in range(len(layer.transformer_blocks))]
    there = sorted({at for at, _ in found})
    chosen = {ALL: there, FINE: there[: len(there) // 2], COARSE: there[len(there) // 2:]}[levels]
    return tuple(place for at, place in found if at in chosen)
