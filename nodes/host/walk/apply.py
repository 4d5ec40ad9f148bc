"""A Skeleton attached to a MODEL: clones, wrappers and an additional model, nothing else, so it is still any MODEL."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import comfy.conds
import comfy.model_management as mm
import torch
import torch.nn.functional as F
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_base import BaseModel, SDXLRefiner
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor, nn

from ....stunet_core.checkpoints.weights import load_skeleton
from ....stunet_core.model import strides
from ....stunet_core.model.chunks import Chunks
from ....stunet_core.model.layout import read_layout
from ....stunet_core.model.skeleton import Skeleton
from ....stunet_core.model.walk import Clip, check_loop, walk
from ..runtime.clip_preview import show_clip
from ..runtime.notices import say
from ..runtime.weight_cache import WeightCache
from .context_windows import mend_windows
from .mask_input import tell
from .motion_schedule import use_schedule
from .spatial import ComfyHost
from .unet_call import UNetCall, conditionings, embed

KEY = "stunet"
SHOWN = "stunet_preview"
SAID = "stunet_said"  # among the U-Net's arguments: `y` as temporal layers hear it, where image layers hear another (a style's words)
WHERE = "stunet_where"  # the same: how much of the strength acts in each cell, (b f) 1 h w
SPLIT = "multigpu"  # core's key for a model's clones on further GPUs
CHUNK = 8  # frames of the finest level at once in layers that treat each frame alone, at most; more where they take little
COUNTED = ("a node before or behind Apply STUNet patches the MODEL in a way that needs all frames at once (Self-Attention Guidance, or "
           "another pack's), and they did not fit into memory: what it does is wrong in some frames. Remove that node, or make a shorter "
           "or smaller clip")
LITTLE = 2**28  # bytes that a chunk may take without being counted: small clips need fewer chunks, and ComfyUI keeps more free
SPARE = 0.5  # of the free memory, what a chunk may take
# Of the memory ComfyUI reckons for a frame (measured: tests/nodes/test_memory.py), what the walk takes at its peak:
BUSY = 1.55  # of each frame of a chunk, in a motion module at the finest level
HELD = 0.18  # of each other frame: the skips


def applied(model_options: dict[str, Any]) -> "SpaceTime | None":
    """What makes clips of the model that is sampled with these options; None for an image model."""
    chain = model_options.get("transformer_options", {}).get("wrappers", {}).get(WrappersMP.DIFFUSION_MODEL, {})
    return next(iter(chain.get(KEY, ())), None)


def is_loop(model_options: dict[str, Any]) -> bool:
    """Whether time is a circle for the clip model that is sampled with these options."""
    found = applied(model_options)
    return found is not None and found.clip.loop


class WholePatcher(ModelPatcher):
    """Temporal layers are plain torch modules: ComfyUI cannot stream them in parts, so they are loaded whole."""

    def load(self, *args: Any, **kwargs: Any) -> Any:
        return super().load(*args, **{**kwargs, "full_load": True})


def apply_skeleton(weight_cache: WeightCache, model: ModelPatcher, path: Path, *, loop: bool = False, strength: float = 1.0,
                   time_strides: str | None = None, positions: str = "window", where: Tensor | None = None,
                   own_schedule: bool = False) -> ModelPatcher:
    """A clone of `model` that treats its batch as the frames of one clip, with the temporal layers at `path`.

    `time_strides` names one of `strides.PRESETS`, None: as the weights were trained. `positions` and `where` (f h w):
    see `Clip`. With `own_schedule` the model keeps its noise schedule where the weights were trained on another.

    Raises ValueError when the model is no U-Net or on several GPUs, the file is no skeleton, or the two do not belong together.
    """
    net = unet(model)
    if model.additional_models.get(SPLIT):
        raise ValueError("model: its conditionings are split over several GPUs; a clip's temporal layers are on one. Remove the node "
                         "MultiGPU CFG Split")
    layout, name = read_layout(net), architecture(model)
    ratios = None if time_strides is None else strides.ratios(time_strides, layout.levels - 1)
    clip = Clip(1, 1, loop=loop, strength=strength, ratios=ratios, positions=positions, where=where)
    dtype = model.get_model_object("manual_cast_dtype") or model.model_dtype()
    patcher = weight_cache.take(path, f"skeleton {dtype} {model.load_device}", lambda: make_patcher(load_skeleton(path), dtype, model))
    try:
        patcher.model.config.check_fits(layout, name)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    if name.startswith("SD2") and patcher.model.config.motion is not None:
        say(f"{path.name} was trained for {patcher.model.config.model}; on {name}, whose layers have the same sizes but "
            "mean other things, expect little sensible motion")
    out = model.clone()
    out.set_additional_models(KEY, [patcher.clone()])
    motion = patcher.model.config.motion
    use_schedule(out, None if motion is None or own_schedule else motion.betas)
    for kind in (WrappersMP.DIFFUSION_MODEL, WrappersMP.PREPARE_SAMPLING):
        out.remove_wrappers_with_key(kind, KEY)  # applied twice, the last one counts
    for kind, wrapper in ((WrappersMP.DIFFUSION_MODEL, SpaceTime(model.model, patcher.model, clip)),
                          (WrappersMP.PREPARE_SAMPLING, Prepare(clip, ratios or patcher.model.config.ratios)),
                          (WrappersMP.PREPARE_SAMPLING, tell)):
        out.add_wrapper_with_key(kind, KEY, wrapper)
    out.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, SHOWN)
    out.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, SHOWN, show_clip)
    return out


def unet(model: ModelPatcher) -> nn.Module:
    """The model's U-Net. Raises ValueError naming the architecture when it is something else."""
    net = model.get_model_object("diffusion_model")
    found = f"{architecture(model)} ({type(net).__name__})"
    if not isinstance(net, UNetModel):
        raise ValueError(f"model: found {found}, which is no U-Net; STUNet adds time to the U-Nets of SD1.5, SD2.x, "
                         "SDXL and the mini model. Load one of these.")
    if net.use_temporal_resblocks or net.default_num_video_frames is not None:
        raise ValueError(f"model: found {found}, which has temporal layers of its own; STUNet needs an image model.")
    if isinstance(model.model, SDXLRefiner):
        raise ValueError("model: found SDXL's refiner. It only finishes pictures that the base model began, frame by frame, "
                         "and would undo what was made to agree between them. Load the SDXL base model instead.")
    return net


def architecture(model: ModelPatcher) -> str:
    """What the model is: "SD15", "SD20", "SDXL", "Flux", ..."""
    plain = type(model.model) is BaseModel  # of several families, which only their configurations tell apart
    return type(model.model.model_config if plain else model.model).__name__


def make_patcher(skeleton: Skeleton, dtype: torch.dtype, model: ModelPatcher) -> ModelPatcher:
    """The skeleton as an additional model: ComfyUI loads and frees it with the U-Net."""
    skeleton.eval().requires_grad_(False).to(dtype)
    return WholePatcher(skeleton, load_device=model.load_device, offload_device=model.offload_device)


class SpaceTime:
    """DIFFUSION_MODEL wrapper: the space-time walk instead of the image forward, at the end of the wrapper chain.

    `clip` holds the settings; how many conditionings and frames there are, each call says.
    """

    def __init__(self, model: BaseModel, skeleton: Skeleton, clip: Clip):
        self.model, self.skeleton, self.clip = model, skeleton, clip
        self.fitted: dict[tuple[int, ...], float] = {}  # shape of a frame of all conditionings -> most frames at once

    def __call__(self, executor: Any, *args: Any, **kwargs: Any) -> Tensor:
        """Go on with the chain, with our forward at its end: wrappers added after this one still run."""
        image_forward, net = executor.original, executor.class_obj

        def forward(x: Tensor, timesteps: Tensor, context: Tensor | None = None, y: Tensor | None = None,
                    control: dict | None = None, transformer_options: dict[str, Any] | None = None,
                    **extra: Any) -> Tensor:
            options = {} if transformer_options is None else transformer_options
            rows = conditionings(options, x.shape[0])
            frames = x.shape[0] // rows
            if frames == 1:
                return image_forward(x, timesteps, context, y, control, options, **extra)
            where = extra.pop(WHERE, None)
            clip = replace(self.clip, rows=rows, frames=frames, where=self.clip.where if where is None else where[:, 0])
            return self.forward(net, UNetCall(x, timesteps, context, y, control, options, extra), clip)

        redirected = copy.copy(executor)
        redirected.original = forward
        return redirected(*args, **kwargs)

    def chunk(self, x: Tensor, rows: int) -> float:
        """Frames at once that fit into the free memory, by ComfyUI's own reckoning for the model."""
        frame = max(1.0, self.model.memory_required([rows, *x.shape[1:]]))  # bytes
        known = self.fitted.get((rows, *x.shape[1:]), max(CHUNK, LITTLE // frame))
        # Newer ComfyUIs stream weights and count those as free that would make room; core asks there too.
        free = getattr(self.model.current_patcher, "get_free_memory", mm.get_free_memory)(x.device)
        return min(known, max(1, int(free * SPARE / frame)))

    def forward(self, net: nn.Module, call: UNetCall, clip: Clip) -> Tensor:
        """The walk over a clip, in chunks that fit into memory."""
        dtype, x = next(self.skeleton.parameters()).dtype, call.x
        if x.dtype != dtype:
            raise ValueError(f"model: it now computes in {x.dtype}, but did in {dtype} when STUNet was applied. Put "
                             "the node that changes the precision before Apply STUNet.")
        emb = embed(net, call, clip.frames)
        host = ComfyHost(net, call, emb, clip.frames)
        chunks = Chunks(None if host.counted else self.chunk(x, clip.rows))
        tried = chunks.frames
        out = walk(net, x, emb, call.extra.get(SAID, call.y), self.skeleton, clip, host, chunks)
        if host.counted and chunks.frames is not None:
            say(COUNTED)
        elif chunks.frames != tried:  # the next steps need not fail first
            self.fitted[clip.rows, *x.shape[1:]] = chunks.frames or CHUNK
        return out


class Prepare:
    """PREPARE_SAMPLING wrapper: what can be known to go wrong is said now, and memory is reckoned as the walk uses it."""

    def __init__(self, clip: Clip, ratios: Sequence[int]):
        self.clip, self.ratios = clip, ratios

    def __call__(self, executor: Any, model: ModelPatcher, noise_shape: Sequence[int], conds: dict[str, list], *args: Any,
                 **kwargs: Any) -> Any:
        """ComfyUI reckons with all frames at once; the walk holds one chunk, and the skips."""
        frames = noise_shape[0]
        check_loop(replace(self.clip, frames=frames), self.ratios)
        mend_windows(kwargs.get("model_options") or {})
        if self.clip.where is not None:
            self.show(conds, noise_shape)
        return executor(model, [reckoned(frames), *noise_shape[1:]], conds, *args, **kwargs)

    def show(self, conds: dict[str, list], noise_shape: Sequence[int]) -> None:
        """Give each conditioning the strength mask in cells, so that ComfyUI cuts it to the conditioning's area as it cuts the latents.

        Raises ValueError when the mask has another number of frames than the clip.
        """
        where, frames = self.clip.where, noise_shape[0]
        assert where is not None
        if len(where) not in (1, frames):
            raise ValueError(f"strength_mask: it has {len(where)} frames, the clip {frames}; give 1 for all frames, or one for each")
        small = F.interpolate(where[:, None].float(), size=tuple(noise_shape[-2:]), mode="area").expand(frames, -1, -1, -1)
        for cond in (cond for group in conds.values() for cond in group or ()):
            cond["model_conds"] = {**cond.get("model_conds", {}), WHERE: comfy.conds.CONDNoiseShape(small)}


def reckoned(frames: int) -> int:
    """How many frames of the image model, all at once, take as much memory as a clip of `frames`."""
    if frames == 1:
        return 1
    chunk = min(frames, CHUNK)
    return round(chunk * BUSY + (frames - chunk) * HELD)
