"""The book's drawings in a style, for prompts that name none."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ....stunet_core.mini.book import STYLES
from .reading import Styled
from .things import THINGS


def styled(context: Tensor, options: dict[str, Any], style: str) -> tuple[Tensor, dict[str, Any]]:
    """An entry of a conditioning whose things are drawn in `style`, where its prompt names none; as it is where it is no prompt of the
    mini model as CLIP Text Encode made it.
    """
    things = options.get(THINGS)
    if things is None or things.again is None or things.changed(context):
        return context, options
    said, pooled, told = things.again(Styled(style))
    return said.to(context), options | {"pooled_output": pooled.to(context)} | told


def nearest_style(conditioning: list, loss: Callable[[list], float]) -> str | None:
    """Of the book's styles the one in which the things of a prompt lower `loss` of its conditioning most.

    None where there is nothing to choose: of another model, or when the prompt names a style.
    """
    losses = {style: loss([list(styled(context, options, style)) for context, options in conditioning]) for style in STYLES}
    return None if len(set(losses.values())) == 1 else min(losses, key=lambda style: losses[style])
