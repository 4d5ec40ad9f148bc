"""A MODEL that keeps the layout and motion of a clip: one of ComfyUI's functions after guidance, for any sampler."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....stunet_core.guidance.layout_following import check_cells, follow, follow_motion
from ..runtime.step_range import check_part, check_time, during

KEY = "stunet_follow"
ASPECT = 0.1  # by so much of it may the aspect of the followed clip be another: cells are rounded


@dataclass(frozen=True)
class FollowSettings:
    """`cells`, `strength` (0 to 1): see `guidance.layout_following`. `start`, `end`: when in sampling, 0 to 1; from there to `motion_end`,
    if that is later, only what changes over time is followed, with `recolour` in the prediction's own colours.
    """

    cells: int
    strength: float
    start: float
    end: float
    motion_end: float
    recolour: bool

    def __post_init__(self) -> None:
        check_cells(self.cells)
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength: {self.strength}; give 0 (nothing is followed) to 1")
        check_part(self.start, self.end)
        if not 0 <= self.motion_end <= 1:
            raise ValueError(f"motion_end_percent: {self.motion_end}; give 0 (not after end_percent) to 1 (to the end)")


def make_follow(model: ModelPatcher, source: Tensor, settings: FollowSettings) -> ModelPatcher:
    """A clone of `model` that follows `source`, latents f c h w as a VAE gives them; at strength 0 a plain clone.

    Raises ValueError when the model's batch cannot be the frames of a clip, or the latents are another model's.
    """
    check_time(model)
    channels = model.model.latent_format.latent_channels
    if source.ndim != 4 or source.shape[1] != channels:
        raise ValueError(f"latent: it is {tuple(source.shape)}; give frames x {channels} x height x width, as VAE Encode makes it of "
                         "the clip with the model's own VAE")
    out = model.clone()
    if settings.strength:
        followed = Follow(model.model.process_latent_in(source), settings)
        out.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, followed.check)
        out.set_model_sampler_post_cfg_function(followed)
    return out


class Follow:
    """What ComfyUI calls before sampling and after guidance: the batch is a clip, as long and large as `source`."""

    def __init__(self, source: Tensor, settings: FollowSettings):
        self.source, self.settings = source, settings

    def check(self, executor: Any, noise: Tensor, *args: Any, **kwargs: Any) -> Any:
        """OUTER_SAMPLE wrapper: another length or aspect is refused before anything is loaded."""
        self.fitted(noise.shape)
        return executor(noise, *args, **kwargs)

    def fitted(self, shape: Sequence[int]) -> Tensor:
        """The source as large as the clip that is sampled: a second pass works on a larger one.

        Raises ValueError for a clip of another length or aspect.
        """
        frames, (height, width) = shape[0], shape[-2:]
        own, wanted = self.source.shape[-1] / self.source.shape[-2], width / height
        if frames != len(self.source) or abs(own - wanted) > ASPECT * wanted:
            raise ValueError(f"latent of Follow Clip: {described(self.source.shape)}, the clip that is sampled has {described(shape)}; "
                             "give it the same clip, or one as long and of the same aspect. For a second pass, or another clip, take "
                             "the MODEL from before this node")
        if tuple(self.source.shape[-2:]) == (height, width):
            return self.source
        return F.interpolate(self.source.float(), (height, width), mode="bilinear", antialias=True).to(self.source)

    def __call__(self, args: dict[str, Any]) -> Tensor:
        clean, settings = args["denoised"], self.settings
        when = args["model"].model_sampling, args["sigma"]
        coarse, motion = during(*when, settings.start, settings.end), during(*when, settings.end, settings.motion_end)
        source = self.fitted(clean.shape).to(clean) if coarse or motion else clean
        if coarse:
            return follow(clean, source, settings.cells, settings.strength)
        if motion:
            return follow_motion(clean, source, settings.cells, settings.strength, settings.recolour)
        return clean


def described(shape: Sequence[int]) -> str:
    return f"{shape[0]} frames of {shape[-1]} x {shape[-2]} cells"
