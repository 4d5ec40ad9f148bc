"""A MODEL that is shown where things are, instead of what the clock of its temporal layers guesses from the words."""

from collections.abc import Sequence
from typing import Any

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....stunet_core.editing.keep_mask import CELL, fitting
from ....stunet_core.mini.places import check_places, check_strength, covered
from ..runtime.step_range import check_time
from ..walk.apply import SpaceTime, applied
from .sampled_time import PLACES as KEY


def place(model: ModelPatcher, mask: Tensor, strength: float) -> ModelPatcher:
    """A clone of `model` whose clips have things where `mask` (f h w, or one for all frames) is white, as far as the weights obey.

    `strength`, 0 to 4: how loudly it is shown; 1 is as loud as the clock's own guess.

    Raises ValueError for a mask that is none, is black or white everywhere, for another strength, and when the model's batch cannot be
    the frames of a clip. Whether it fits the clip and the weights, each sampling says before it begins.
    """
    check_time(model)
    check_places("mask", mask)
    check_strength(strength)
    out = model.clone()
    out.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)  # of two, the last one counts
    out.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, Placed(mask, strength))
    return out


class Placed:
    """What ComfyUI calls before sampling: how much of each cell the mask covers, into the options of this sampling."""

    def __init__(self, mask: Tensor, strength: float):
        self.mask, self.strength = mask, strength

    def __call__(self, executor: Any, noise: Tensor, latent: Tensor, sampler: Any, sigmas: Tensor, denoise_mask: Tensor | None = None,
                 *args: Any, **kwargs: Any) -> Any:
        guider = executor.class_obj
        shown = self.fitted(noise.shape, applied(guider.model_options))
        parts = [cond["concat_mask"] for group in guider.conds.values() for cond in group if cond.get("concat_mask") is not None]
        if any((mask < 0.5).any() for mask in (*parts, *([] if denoise_mask is None else [denoise_mask]))):
            raise ValueError("mask of Place Things: some of the clip is given (a picture, or what is around a hole), and says itself where "
                             "things are; use the node where nothing is given: with CLIP Text Encode's conditioning and no noise mask")
        guider.model_options.setdefault("transformer_options", {})[KEY] = shown  # ComfyUI's copy for this sampling
        return executor(noise, latent, sampler, sigmas, denoise_mask, *args, **kwargs)

    def fitted(self, shape: Sequence[int], clip_model: SpaceTime | None) -> Tensor:
        """How much of each cell is covered, f 1 h w, times the strength, for latents of `shape`.

        Raises ValueError when mask, clip and weights do not fit.
        """
        if clip_model is None:
            raise ValueError("model of Place Things: it makes pictures, not clips; put Apply STUNet before or after this node")
        if clip_model.skeleton.clock is None:
            raise ValueError("model of Place Things: its temporal layers have no clock, so they never learned to look at where things are; "
                             "use the bundled weights, or Follow Clip, which works with any")
        frames, height, width = shape[0], shape[-2], shape[-1]
        if frames == 1:
            raise ValueError("latent: has one frame, which the image model makes by itself and without a clock; Place Things needs a clip")
        mask = fitting("mask of Place Things", self.mask, frames, height * CELL, width * CELL)
        return covered(mask, height, width, self.strength)
