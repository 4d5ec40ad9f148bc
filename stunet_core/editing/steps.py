"""What a loop over frames calls after each: in ComfyUI progress and cancel, elsewhere nothing."""

from collections.abc import Callable

Step = Callable[[], None]


def nothing() -> None:
    """The default."""
