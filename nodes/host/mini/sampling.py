"""What a sampling of the mini model begins with, settled once for all its steps.

Image models take a batch for unrelated pictures. Where Apply STUNet made the mini model a clip model, its frames share much of their
noise, each is told its time, and what is given of one frame fills in the others. Loops have no time; their things are drafted forth and
back.
"""

from typing import Any

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ....stunet_core.mini.frame_time import drawn, evenly, there_and_back
from ....stunet_core.mini.inputs import alone
from ....stunet_core.mini.noise import ALONE, TRAINED, share
from ..runtime.notices import say
from ..walk.apply import applied, is_loop

KEY = "stunet_mini"
FRAMES = "stunet_frames"  # in a conditioning: how many rows of the batch are one clip
CIRCLE = "stunet_circle"  # in the same: whether that clip's first frame follows on its last
TIMES = "stunet_times"  # in a conditioning: the time of each row of the batch (f), NaN where it is not told
DRAFTED = "stunet_drafted"  # in a conditioning: the time at which each row's things are drafted (f), NaN where they are not
KNOWN = 900  # of 1000 time steps: sampling that begins below has something to go on from, which says itself when it is
SIDE = 16  # cells along each side of the pictures that are trained on
LARGE = 1.6  # times as long a side is worth a word


def begin(executor: Any, noise: Tensor, latent: Tensor, sampler: Any, sigmas: Tensor, denoise_mask: Tensor | None = None, *args: Any,
          **kwargs: Any) -> Any:
    """OUTER_SAMPLE wrapper: this sampling's noise and its frames' times, whatever the sampler; both follow from the seed."""
    guider = executor.class_obj
    check_size(latent)
    clip_model = applied(guider.model_options)
    frames = 1 if clip_model is None else len(noise)
    begun = float(guider.model_patcher.get_model_object("model_sampling").timestep(sigmas[0])) < KNOWN
    if frames > 1:
        noise = share(noise, TRAINED if begun or some_given(guider.conds, denoise_mask) else ALONE)
    times = torch.zeros(len(noise)) if frames == 1 else evenly(1, frames)[0] + float(drawn(noise[None])[0])
    loop = is_loop(guider.model_options) and frames > 1
    drafted = there_and_back(frames) if loop else times
    if begun or loop:
        times = torch.full_like(times, torch.nan)
    drafted = times if begun else drafted
    for cond in (cond for group in guider.conds.values() for cond in group or ()):  # ComfyUI's copies for this sampling
        cond[FRAMES], cond[TIMES], cond[DRAFTED], cond[CIRCLE] = frames, times, drafted, loop
    return executor(noise, latent, sampler, sigmas, denoise_mask, *args, **kwargs)


def some_given(conds: dict[str, Any], denoise_mask: Tensor | None) -> bool:
    """Whether a noise mask, or the mask of one of a sampling's conditionings, says that something is given."""
    masks = [cond.get("concat_mask") for group in conds.values() for cond in group or ()]
    return any(mask is not None and bool((mask < 0.5).any()) for mask in (*masks, denoise_mask))


def check_size(latent: Tensor) -> None:
    """Say it when an empty latent is much larger than what the model was trained on, as one made for cells of 8 pixels is."""
    height, width = latent.shape[-2:]
    if max(height, width) > LARGE * SIDE and not latent.any():
        say(f"latent: {width}x{height} cells are {width * 16}x{height * 16} pixels; the mini model was trained on 256x256 and repeats "
            "things on larger ones. Its cells are 16 pixels wide: connect its MODEL to Empty Clip (STUNet), which then makes the "
            "size that it says")


def told_times(conditioning: dict[str, Any], mask: Tensor) -> Tensor:
    """When each row of `mask` (n 1 h w, 1 = generate) is, as the model is told it: n. Of what something is given, it is not told (NaN)."""
    times = conditioning.get(TIMES)
    if times is None:
        return torch.full((len(mask),), torch.nan)
    return torch.where(alone(mask, conditioning.get(FRAMES, 1)).cpu(), times.cpu(), torch.nan)


def wrap(model: Any) -> None:
    """Give `model`, a ModelPatcher, the wrapper; its clones have it too."""
    model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, begin)
