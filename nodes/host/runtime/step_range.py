"""The part of sampling in which a node acts, and the models that it can act on."""

from typing import Any

from comfy.model_patcher import ModelPatcher
from torch import Tensor


def during(schedule: Any, sigma: Tensor, start: float, end: float) -> bool:
    """`schedule`: a model's `model_sampling`; `sigma`: of each row; `start`, `end`: parts of sampling, 0 to 1."""
    return schedule.percent_to_sigma(end) <= float(sigma.max()) <= schedule.percent_to_sigma(start)


def check_part(start: float, end: float) -> None:
    """Raises ValueError unless `start` to `end` is a part of sampling."""
    if not 0 <= start <= end <= 1:
        raise ValueError(f"start_percent, end_percent: {start} to {end} is no part of sampling; give 0 to 1, the start not after the end")


def check_time(model: ModelPatcher) -> None:
    """Raises ValueError when the model's batch cannot be the frames of a clip."""
    dimensions = getattr(model.model.latent_format, "latent_dimensions", 2)
    if dimensions != 2:
        raise ValueError(f"model: {type(model.model).__name__} has latents of {dimensions} dimensions, in which time is not the batch; "
                         "connect an image model that Apply STUNet made a clip model of")
