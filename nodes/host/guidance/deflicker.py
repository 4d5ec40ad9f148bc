"""A MODEL whose predicted clean latents are made steady in time: one of ComfyUI's functions after guidance, for any sampler."""

from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from comfy.model_base import BaseModel
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ....stunet_core.editing.static_background import stand_still, stood_still
from ....stunet_core.guidance.deflicker import bell, check_difference, steady
from ..runtime.step_range import check_part, check_time, during
from ..walk.apply import is_loop


@dataclass(frozen=True)
class DeflickerSettings:
    """`frames`, `difference`: see `stunet_core.guidance.deflicker`. `start`, `end`: when in sampling, 0 to 1. `still`: the difference of
    `stunet_core.editing.static_background`, 0: what stands still is not looked for.
    """

    frames: float
    difference: float
    start: float
    end: float
    still: float = 0.0

    def __post_init__(self) -> None:
        bell(self.frames)
        check_difference(self.difference)
        if self.still:
            check_difference(self.still, "still_background")
        check_part(self.start, self.end)


def make_steady(model: ModelPatcher, settings: DeflickerSettings) -> ModelPatcher:
    """A clone of `model` that averages, and keeps still what stood still; with 0 of both a plain clone.

    Raises ValueError when the model's batch cannot be the frames of a clip.
    """
    check_time(model)
    out = model.clone()
    if settings.frames or settings.still:
        out.set_model_sampler_post_cfg_function(Steady(settings))
    return out


class Steady:
    """What ComfyUI calls after guidance: the batch is a clip."""

    def __init__(self, settings: DeflickerSettings):
        self.settings = settings

    def __call__(self, args: dict[str, Any]) -> Tensor:
        clean = args["denoised"]
        if not during(args["model"].model_sampling, args["sigma"], self.settings.start, self.settings.end):
            return clean
        clean = steady(clean, self.settings.frames, self.settings.difference, loop=is_loop(args["model_options"]))
        found = known(args["cond"], args["model"], clean) if self.settings.still else None
        return clean if found is None else stand_still(clean, *stood_still(*found), self.settings.still)


def known(cond: list[dict[str, Any]], model: BaseModel, like: Tensor) -> tuple[Tensor, Tensor] | None:
    """The given latents f c h w as the model sees them, and where they are given, bool f 1 h w; None where no clip is given.

    They stand in conditioning of SD-inpainting's kind, for any model; one picture for all frames proves nothing of what stands still.
    """
    for each in cond:
        latents, mask = each.get("concat_latent_image"), each.get("concat_mask")
        if latents is not None and mask is not None and latents.shape == like.shape and len(mask) in (1, len(like)):
            generate = F.adaptive_max_pool2d(mask.to(like).reshape(-1, 1, *mask.shape[-2:]), like.shape[-2:])
            return model.process_latent_in(latents.to(like)), (generate < 0.5).expand(len(like), -1, -1, -1)
    return None
