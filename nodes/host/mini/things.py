"""What a prompt shows, as it travels in conditioning from the CLIP to the model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....stunet_core.mini.poses.drafter import Drafter
from ....stunet_core.mini.poses.places import placed

THINGS = "stunet_things"  # in a conditioning: `Things`
PLACES = "stunet_places"  # in a conditioning: `Places`


@dataclass(frozen=True)
class Things:
    """`words`: 1 p, pooled, without what pictures add; `pictures`: 1 2 9 12 12; `shown`: 1 2, which slots show one.

    `context`: 1 n c, the prompt as it was encoded, to tell whether a node has changed it since. `again`: the same prompt with a picture
    of the user's own or a style (`reading.Own`, `reading.Styled`) -> context, pooled text, and what else travels in its conditioning.
    """

    words: Tensor
    pictures: Tensor
    shown: Tensor
    context: Tensor | None = None
    again: Callable[[Any], tuple[Tensor, Tensor, dict[str, Any]]] | None = None

    def changed(self, context: Tensor) -> bool:
        """Whether a node has changed the encoded prompt since."""
        return self.context is None or self.context.shape != context.shape or not torch.equal(self.context.to(context), context)


@dataclass(frozen=True)
class Places:
    """The poses (f 5) of the first and the second thing that a user told, and how surely, 0 to 1."""

    first: Tensor
    second: Tensor | None
    strength: float


def draft(drafter: Drafter, things: Things | None, places: Places | None, times: Tensor, height: int, width: int) -> Tensor | None:
    """The pictures of the prompt's things drawn where they are at `times` (f; NaN: not known) : f 18 h w; None if it shows nothing."""
    if things is None or not things.shown.any():
        return None
    poses = drafter.guess(things.words, times)
    if places is not None:
        poses = placed(poses, places.first.to(poses), None if places.second is None else places.second.to(poses),
                       bool(things.shown[0, 1]), places.strength)
    return drafter.drawn(poses, things.pictures[0], things.shown[0], height, width)
