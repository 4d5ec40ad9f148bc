"""The embedded model for ComfyUI: MODEL, CLIP and VAE from one checkpoint, ComfyUI's own U-Net inside."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

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

from ....stunet_core.mini.autoencoder import SCALE
from ....stunet_core.mini.checkpoint import Checkpoint, load_checkpoint
from ....stunet_core.mini.config import MiniConfig
from ....stunet_core.mini.frame_time import TIME_CHANNELS, with_time
from ....stunet_core.mini.inputs import beside_clip
from ....stunet_core.mini.poses.drafter import Drafter, PromptThings
from ....stunet_core.mini.poses.places import in_holes
from ....stunet_core.model.precision import cpu_multiplies_bfloat16
from ..runtime.notices import say
from ..runtime.weight_cache import WeightCache
from ..walk.apply import SAID
from .conds import PerFrame, of_window
from .reading import reading
from .sampling import CIRCLE, DRAFTED, FRAMES, TIMES, told_times, wrap
from .text import make_clip
from .things import PLACES, THINGS, Things, draft
from .vae import MiniVAE


def load_mini(weight_cache: WeightCache, path: Path) -> tuple[ModelPatcher, CLIP, VAE]:
    """MODEL, CLIP and VAE of the checkpoint at `path`; parts already in use elsewhere are shared, not loaded again.

    Raises ValueError naming the file when it is truncated or not a mini checkpoint.
    """
    read: Callable[[], Checkpoint] = functools.cache(lambda: load_checkpoint(path))
    model = weight_cache.take(path, "model", lambda: make_model(read()))
    clip = weight_cache.take(path, "clip", lambda: make_clip(read(), reading(weight_cache, read())))
    vae = weight_cache.take(path, "vae", lambda: MiniVAE(read().autoencoder))
    copy = clip.clone()
    copy.patcher.set_attachments("stunet", clip)  # a CLIP's clone does not know the one in the cache otherwise
    return model.clone(), copy, vae


class MiniLatent(comfy.latent_formats.LatentFormat):
    """Latents as the autoencoder makes them: already of unit variance. `rgb`: see `Checkpoint.latent_rgb`."""

    scale_factor = 1.0
    latent_channels = 8
    spacial_downscale_ratio = SCALE  # newer ComfyUIs' name for it: they fit an empty latent to it

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
    """The image model: what stands beside the noisy latents (`stunet_core.mini.inputs`), pooled text and the frame's time as `y`."""

    shows_drafts = True  # it has an input for where things are

    def __init__(self, config: MiniSupported, drafter: Drafter, device: torch.device | None = None):
        super().__init__(config, comfy.model_base.ModelType.V_PREDICTION, device=device)
        self.concat_keys = ("mask", "masked_image")
        self.drafter = drafter  # no submodule: the VAE's weights go where the VAE goes, the small pose head stays where it is

    def blank_inpaint_image_like(self, latent: Tensor) -> Tensor:
        return torch.zeros_like(latent)

    def concat_cond(self, **kwargs: Any) -> Tensor:
        """b 29 h w: the mask (1 = generate; all ones unless the conditioning has one), what is given, coordinates and drafts.

        As in training, a cell of a mask in pixels counts as given only if all its pixels are; core would take one of them. All of
        it is of the whole picture: ComfyUI cuts out of it the area that a conditioning is for, as it does with the latents.
        """
        noise, mask = kwargs["noise"], kwargs.get("concat_mask")
        size = noise.shape[-2], noise.shape[-1]
        if mask is not None and mask.shape[-2] >= size[0] and mask.shape[-1] >= size[1]:
            kwargs["concat_mask"] = F.adaptive_max_pool2d(mask.reshape(-1, 1, *mask.shape[-2:]), size)
        given = kwargs.get("concat_latent_image")
        if given is not None and given.shape[1] != noise.shape[1]:
            raise ValueError(f"conditioning: what is given has {given.shape[1]} latent channels, the mini model's have {noise.shape[1]}. "
                             "It was encoded with another model's VAE: use the VAE output of STUNetLoadMini.")
        cond = super().concat_cond(**kwargs)
        mask, given = cond[:, :1], cond[:, 1:]
        untold = torch.full((len(mask),), torch.nan)
        times, places = kwargs.get(DRAFTED, kwargs.get(TIMES, untold)), kwargs.get(PLACES)
        frames, loop = kwargs.get(FRAMES, 1), kwargs.get(CIRCLE, False)
        things = kwargs.get(THINGS)
        if (mask >= 0.5).all():
            drawn = draft(self.drafter, things, places, times, *size)
        else:
            drawn = None if times.isnan().any() else self.beside_given(things, mask[:, 0], given, times, frames > 1, loop)
        return beside_clip(mask, given, frames, None if drawn is None else drawn.to(given), loop)

    def beside_given(self, things: Things | None, mask: Tensor, given: Tensor, times: Tensor, clip: bool, loop: bool) -> Tensor | None:
        """What is drafted in pictures, or frames of a `clip`, of which something is given (mask: f h w): `Drafter.beside_given`.

        Frames that are no clip have nothing to do with one another.
        """
        if things is None or (not clip and in_holes(mask) is None):
            return None
        shown = PromptThings(things.words, things.pictures[0], things.shown[0])
        drawn, nothing = self.drafter.beside_given(shown, mask.cpu(), given.cpu(), times, loop)
        if nothing:
            say("no thing stands out in what is given, so the mini model cannot tell what moves, and soon draws what the prompt names. It "
                "knows drawings of single things on a background; for photographs and footage take SD1.5 or SDXL")
        return drawn

    def encode_adm(self, **kwargs: Any) -> Tensor:
        """1 y: the pooled text, zeros for conditioning that carries none, and no time."""
        return self.told(kwargs.get("pooled_output"), torch.full((1,), torch.nan))

    def told(self, pooled: Tensor | None, times: Tensor) -> Tensor:
        """Pooled text (1 p) and the times of f frames as `y`: f (p + 14)"""
        pooled = torch.zeros(1, self.pooled_channels) if pooled is None else pooled
        return with_time(pooled[:1].expand(len(times), -1), times.to(pooled.device))

    @property
    def pooled_channels(self) -> int:
        return self.adm_channels - TIME_CHANNELS

    def extra_conds(self, **kwargs: Any) -> dict[str, Any]:
        widths = {"cross_attn": self.model_config.unet_config["context_dim"], "pooled_output": self.pooled_channels}
        for name, width in widths.items():
            text = kwargs.get(name)
            if text is not None and text.shape[-1] != width:
                raise ValueError(f"conditioning: its {name} is {text.shape[-1]} wide, the mini model's is {width}. It "
                                 "comes from another model's CLIP: encode the prompt with the CLIP output of "
                                 "STUNetLoadMini.")
        kwargs = without_zeroed(kwargs)
        out = super().extra_conds(**kwargs)
        concat, pooled = out["c_concat"].cond, kwargs.get("pooled_output")
        times = told_times(kwargs, concat[:, :1])
        said = kwargs.get(SAID, pooled)  # always passed, or conditionings with and without a style would be run one by one
        return {**out, "c_concat": PerFrame(concat), "y": PerFrame(self.told(pooled, times)), SAID: PerFrame(self.told(said, times))}

    def _apply_model(self, x: Tensor, t: Tensor, c_concat: Tensor | None = None, c_crossattn: Tensor | None = None,
                     control: Any = None, transformer_options: dict[str, Any] | None = None, **kwargs: Any) -> Tensor:
        options = {} if transformer_options is None else transformer_options
        here = {name: of_window(value, len(x), options) for name, value in kwargs.items()}
        return super()._apply_model(x, t, of_window(c_concat, len(x), options), c_crossattn, control, options, **here)


def without_zeroed(conditioning: dict[str, Any]) -> dict[str, Any]:
    """A conditioning without what ConditioningZeroOut, which zeroes what it knows, has left in it: its things, and how they move.

    Style words may have been put into it before (then the pooled text is zero) or after (then what was said before them is).
    """
    pooled = conditioning.get("pooled_output")
    silent, was_silent = (told is None or not told.any() for told in (pooled, conditioning.get(SAID, pooled)))
    dropped = ({SAID, THINGS} if silent else {THINGS}) if silent or was_silent else set()
    return {name: value for name, value in conditioning.items() if name not in dropped}


def unet_config(config: MiniConfig) -> dict[str, Any]:
    """Arguments of ComfyUI's `UNetModel` for the same net as `stunet_core.mini.unet.UNet`."""
    per_block = list(zip((int(a) for a in config.attention), config.num_res_blocks, strict=True))
    return {
        "image_size": 32, "in_channels": config.in_channels, "model_channels": config.model_channels,
        "out_channels": config.latent_channels, "num_res_blocks": list(config.num_res_blocks),
        "channel_mult": config.channel_mult, "use_spatial_transformer": True, "use_linear_in_transformer": True,
        "transformer_depth": [depth for depth, n in per_block for _ in range(n)],
        "transformer_depth_output": [depth for depth, n in per_block for _ in range(n + 1)],
        "transformer_depth_middle": 1, "context_dim": config.context_dim, "num_heads": -1,
        "num_head_channels": config.head_channels, "legacy": False,
        "num_classes": "sequential", "adm_in_channels": config.y_channels, "use_scale_shift_norm": True,
    }


def make_model(checkpoint: Checkpoint) -> ModelPatcher:
    """The checkpoint's U-Net as a MODEL, on ComfyUI's initial device for it."""
    device = mm.get_torch_device()
    config = MiniSupported(unet_config(checkpoint.config))
    config.latent_format = MiniLatent(checkpoint.latent_rgb)
    parameters = sum(t.numel() for t in checkpoint.unet.values())
    dtype, cast = dtypes(device, parameters)
    config.set_inference_dtype(dtype, cast)
    drafter = Drafter(checkpoint.pose_head.eval().requires_grad_(False), checkpoint.autoencoder)
    model = MiniModel(config, drafter, device=mm.unet_inital_load_device(parameters, dtype))
    # Newer ComfyUIs' layers keep the type of what is loaded into them, whatever type they were made for.
    model.load_model_weights({f"unet.{key}": tensor.to(dtype) for key, tensor in checkpoint.unet.items()}, "unet.")
    patcher = ModelPatcher(model, load_device=device, offload_device=mm.unet_offload_device())
    wrap(patcher)
    return patcher


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
