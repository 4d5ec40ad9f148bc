"""Progress on a node, and cancel, for work that is not a sampler's."""

from collections.abc import Callable

import comfy.model_management as mm
import comfy.utils


def progress(steps: int) -> Callable[[], None]:
    """A function to call after each of at most `steps` steps; it ends the work when the user has cancelled."""
    bar = comfy.utils.ProgressBar(max(1, steps))

    def step() -> None:
        mm.throw_exception_if_processing_interrupted()
        bar.update(1)

    return step
