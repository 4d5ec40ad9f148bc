"""Core's Context Windows along the batch, where a clip's frames are."""

import copy
import functools
from typing import Any

from comfy.context_windows import IndexListContextHandler
from torch import Tensor

HANDLER = "context_handler"  # in the model options, where core's nodes put it


def mend_windows(model_options: dict[str, Any]) -> None:
    """Let the windows of this sampling find their step: all frames are at one.

    ComfyUI 0.3.75 compares the noise levels of all steps with those of all frames, and stops ("The size of tensor a must match the size
    of tensor b"). `model_options` are this sampling's own; the handler on the user's MODEL stays as it is.
    """
    handler = model_options.get(HANDLER)
    if isinstance(handler, IndexListContextHandler) and "set_step" not in vars(handler):
        mended = copy.copy(handler)
        mended.set_step = functools.partial(_set_step, mended)
        model_options[HANDLER] = mended


def _set_step(handler: IndexListContextHandler, timestep: Tensor, model_options: dict[str, Any]) -> None:
    type(handler).set_step(handler, timestep[:1], model_options)
