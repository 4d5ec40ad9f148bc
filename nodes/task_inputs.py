"""Inputs and outputs that the nodes for given pictures have in common."""

from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..stunet_core.editing.clip import frame_count
from ..stunet_core.editing.model_size import CHOICES, FIT
from ..stunet_core.editing.pictures import check_pictures
from ..stunet_core.editing.tasks import LISTED
from .clip import LONGEST, check
from .host.runtime.notices import say

CATEGORY = "STUNet/tasks"


def prompts() -> list[Any]:
    """positive, negative, vae"""
    return [
        io.Conditioning.Input("positive", tooltip="What the clip shows."),
        io.Conditioning.Input("negative", tooltip="What it does not show; encode an empty prompt for plain guidance."),
        io.Vae.Input("vae", tooltip="The model's VAE, to encode what is given: that of the mini model, SD1.5, SD2.x or "
                                    "SDXL."),
    ]


def duration(tooltip: str) -> list[Any]:
    """seconds, fps; `tooltip` says what the seconds are."""
    return [
        io.Float.Input("seconds", default=5.0, min=0.01, max=LONGEST, step=0.05, round=0.001, tooltip=tooltip),
        io.Float.Input("fps", default=16.0, min=1.0, max=120.0, step=1.0, round=0.001,
                       tooltip="Frames per second, 1 to 120. The mini model was trained at 16. For a clip that was loaded, connect the "
                               "fps output of Get Video Components."),
    ]


def outputs() -> list[Any]:
    """positive, negative, latent, original, mask"""
    return [
        io.Conditioning.Output(display_name="positive", tooltip="The prompt and what is given, for any sampler."),
        io.Conditioning.Output(display_name="negative", tooltip="The same for the negative prompt."),
        io.Latent.Output(display_name="latent", tooltip="The clip to sample, one row per frame, with its noise mask."),
        io.Image.Output(display_name="original", tooltip="What is given, frame by frame, for Composite; where nothing is "
                                                         "known, a first guess."),
        io.Mask.Output(display_name="mask", tooltip="One mask per frame, white where pixels will be generated, for "
                                                    "Composite."),
    ]


def size() -> Any:
    """size. Added later, so optional: workflows in the API form that do not name it still run."""
    return io.Combo.Input("size", options=list(CHOICES), default=FIT, optional=True,
                          tooltip="fit the model: pictures of a size that the model does not draw well (the mini model: 256x256 pixels) "
                                  "are scaled to about its own; for other models only those far too large. keep: they stay as they are. "
                                  "Videos have even sides: an odd row or column is left out.")


def check_clip(name: str, clip: Tensor) -> None:
    """Raises ValueError for pixels that are none, and doubts a clip of one frame where it can be seen."""
    check_pictures(name, clip)
    if len(clip) == 1:
        say(f"{name}: has one frame, so a picture is made of it, and no clip{LISTED}.")


def rate() -> Any:
    """fps"""
    return io.Float.Output(display_name="fps", tooltip="The clip's frames per second, for Create Video: so it is typed once.")


def frames(seconds: float, fps: float) -> int:
    """The clip's frames; values that arrive through links were not validated. Raises ValueError."""
    problem = check(None, None, seconds, fps)
    if problem:
        raise ValueError(problem)
    return frame_count(seconds, fps)
