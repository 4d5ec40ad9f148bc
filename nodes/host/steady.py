"""A MODEL whose predicted clean latents are made steady in time: one of ComfyUI's functions after guidance, for any sampler."""

from dataclasses import dataclass
from typing import Any

from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...stunet_core.steady import bell, steady
from .apply import is_loop
from .when import check_part, check_time, during


@dataclass(frozen=True)
class Settings:
    """`frames`, `difference`: see `stunet_core.steady`. `start`, `end`: when in sampling, 0 to 1."""

    frames: float
    difference: float
    start: float
    end: float

    def __post_init__(self) -> None:
        bell(self.frames)
        if not self.difference > 0:
            raise ValueError(f"difference: {self.difference} lets no two frames be alike; give more than 0")
        check_part(self.start, self.end)


def make_steady(model: ModelPatcher, settings: Settings) -> ModelPatcher:
    """A clone of `model` that averages; with 0 frames a plain clone.

    Raises ValueError when the model's batch cannot be the frames of a clip.
    """
    check_time(model)
    out = model.clone()
    if settings.frames:
        out.set_model_sampler_post_cfg_function(Steady(settings))
    return out


class Steady:
    """What ComfyUI calls after guidance: the batch is a clip."""

    def __init__(self, settings: Settings):
        self.settings = settings

    def __call__(self, args: dict[str, Any]) -> Tensor:
        clean = args["denoised"]
        if not during(args["model"].model_sampling, args["sigma"], self.settings.start, self.settings.end):
            return clean
        return steady(clean, self.settings.frames, self.settings.difference, loop=is_loop(args["model_options"]))
