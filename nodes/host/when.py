"""Whether a step of sampling lies between a node's start_percent and end_percent."""

from typing import Any

from torch import Tensor


def during(schedule: Any, sigma: Tensor, start: float, end: float) -> bool:
    """`schedule`: a model's `model_sampling`; `sigma`: of each row; `start`, `end`: parts of sampling, 0 to 1."""
    return schedule.percent_to_sigma(end) <= float(sigma.max()) <= schedule.percent_to_sigma(start)
