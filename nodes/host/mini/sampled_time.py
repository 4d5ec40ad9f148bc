"""What the clock hears and shows of a sampled clip (`stunet_core.mini.clock`) is settled once for all steps."""

from typing import Any

import torch
from torch import Tensor

from ....stunet_core.mini.clock import drawn, evenly

LATE = "stunet_late"  # in the transformer options: frames, or None where the clock says nothing
PLACES = "stunet_places"  # in the transformer options: where things are instead of the clock's guess, f 1 h w (`places.py`)
KNOWN = 900  # of 1000 time steps: sampling that begins below has a clip to go on from, which says itself when it is


def draw_time(executor: Any, guider: Any, sigmas: Tensor, extra_args: dict[str, Any], callback: Any, noise: Tensor, *args: Any,
              **kwargs: Any) -> Any:
    """SAMPLER_SAMPLE wrapper: how late in its motion the clip is, drawn with the noise, for every step of this sampling."""
    begun = float(guider.inner_model.model_sampling.timestep(sigmas[0])) < KNOWN
    options = extra_args["model_options"].setdefault("transformer_options", {})  # ComfyUI's copy for this sampling
    options[LATE] = None if begun else float(drawn(noise[None])[0])
    return executor(guider, sigmas, extra_args, callback, noise, *args, **kwargs)


def told(options: dict[str, Any], rows: int, frames: int, device: torch.device) -> dict[str, Any]:
    """The fields of a `Clip` that say when its frames are (a whole clip's times where nothing was drawn), and where things are."""
    late, places = options.get(LATE, 0.0), options.get(PLACES)
    if late is None and places is None:
        return {"clock": False}
    return {"times": evenly(rows, frames, device) + (late or 0.0), "places": places}  # which were learned of frames that know their time
