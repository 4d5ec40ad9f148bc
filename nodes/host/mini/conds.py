"""Conditioning that is different for each frame, as ComfyUI batches it."""

from typing import Any

import comfy.conds
import comfy.utils
from torch import Tensor

WINDOW = "context_window"  # in the transformer options, while core's context windows run the model on some of the frames


class PerFrame(comfy.conds.CONDNoiseShape):
    """One row per frame of the clip: n c or n c h w, of which an area is cut out as it is cut out of the latents.

    Where the model is run on fewer frames at once, core would take the first ones; all are passed on, and `of_window` picks.
    """

    def process_cond(self, batch_size: int, area: Any = None, **kwargs: Any) -> Any:
        data = self.cond if self.cond.ndim < 4 else super().process_cond(len(self.cond), area=area).cond
        return self._copy_with(data if batch_size < len(data) else comfy.utils.repeat_to_batch_size(data, batch_size))


def of_window(value: Any, rows: int, options: dict[str, Any]) -> Any:
    """`value` (conditionings frames) ... for a batch of `rows` (conditionings fewer): the frames of the context window at hand.

    Raises ValueError when the batch is a part of the clip and no window says which.
    """
    if not isinstance(value, Tensor) or len(value) <= rows:
        return value
    conds = len(options.get("cond_or_uncond") or [0])
    index = getattr(options.get(WINDOW), "index_list", None)
    if index is None or len(index) * conds != rows:
        raise ValueError(f"model: {rows // conds} of the clip's {len(value) // conds} frames are sampled at once, and no one says which: a "
                         "node cuts the batch in parts. Remove that node, or use core's Context Windows")
    return value.unflatten(0, (conds, -1))[:, list(index)].flatten(0, 1)
