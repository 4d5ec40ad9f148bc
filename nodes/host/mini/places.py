"""A mini model that is told where the things of its prompt are."""

from typing import Any

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....stunet_core.mini.poses.places import check_fits, check_places, poses_of
from ..runtime.notices import say
from ..runtime.step_range import check_time
from .sampling import some_given
from .things import PLACES, THINGS, Places

KEY = "stunet_places"
LOUDEST = 4.0  # what old workflows may say; all above 1 counts as 1


def place(model: ModelPatcher, mask: Tensor, strength: float, second: Tensor | None = None) -> ModelPatcher:
    """A clone of `model` whose pictures or clips have their first thing where `mask` (f h w, or one for all) is white, the second one
    where `second` is, as far as the weights obey.

    `strength`, 0 to 1: how surely it is said; 1 is what the weights learned from.

    Raises ValueError for a mask that is none, is black or white everywhere, for another strength, and for another model than the mini
    model. Whether the masks fit the clip, each sampling says before it begins.
    """
    check_time(model)
    check_model(model)
    if not 0 <= strength <= LOUDEST:
        raise ValueError(f"strength: {strength}; give 0 (it is not told where things are) to 1")
    masks = [None if given is None else given.reshape(-1, *given.shape[-2:]) for given in (mask, second)]
    for name, given in zip(("mask", "second_mask"), masks, strict=True):
        if given is not None:
            check_places(name, given)
    out = model.clone()
    out.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)  # of two, the last one counts
    out.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, Placed(masks[0], masks[1], min(strength, 1.0)))  # type: ignore[arg-type]
    return out


def check_model(model: ModelPatcher) -> None:
    """Raises ValueError for a model that is shown no drafts."""
    if not getattr(model.model, "shows_drafts", False):
        raise ValueError(f"model of Place Things: {type(model.model).__name__} has no input for where things are; the mini model has. Use "
                         "Follow Clip, a ControlNet or Conditioning (Set Area) instead, which work with this one")


class Placed:
    """What ComfyUI calls before sampling: where things are in each frame, into the conditionings of this sampling."""

    def __init__(self, mask: Tensor, second: Tensor | None, strength: float):
        self.mask, self.second, self.strength = mask, second, strength

    def __call__(self, executor: Any, noise: Tensor, latent: Tensor, sampler: Any, sigmas: Tensor, denoise_mask: Tensor | None = None,
                 *args: Any, **kwargs: Any) -> Any:
        conds = [cond for group in executor.class_obj.conds.values() for cond in group or ()]
        if some_given(executor.class_obj.conds, denoise_mask):
            raise ValueError("mask of Place Things: some of the clip is given (a picture, or what is around a hole), and says itself where "
                             "things are; use the node where nothing is given: with CLIP Text Encode's conditioning and no noise mask. "
                             "For a second step that edits the clip, take the MODEL from before this node")
        size = len(noise), *noise.shape[-2:]
        first = self.poses("mask of Place Things", self.mask, size)
        second = None if self.second is None else self.poses("second_mask of Place Things", self.second, size)
        shown = [cond[THINGS].shown for cond in conds if cond.get(THINGS) is not None]
        if not any(slots.any() for slots in shown):
            say("Place Things: the prompt names nothing that the mini model has a picture of, so there is nothing to place")
        elif second is not None and not any(slots[:, 1].any() for slots in shown):
            say("second_mask of Place Things: the prompt names one thing, so both masks place that one")
        for cond in conds:
            cond[PLACES] = Places(first, second, self.strength)
        return executor(noise, latent, sampler, sigmas, denoise_mask, *args, **kwargs)

    @staticmethod
    def poses(name: str, mask: Tensor, size: tuple[int, ...]) -> Tensor:
        """f 5. Raises ValueError when the mask does not fit `size`, frames x height x width in cells."""
        frames, height, width = size
        check_fits(name, mask, frames, height, width)
        return poses_of(mask).expand(frames, -1)
