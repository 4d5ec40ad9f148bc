"""A picture of the user's own in the place of a thing that a prompt names."""

from typing import Any

from torch import Tensor

from ....stunet_core.mini.pictures.own_picture import OwnPicture
from .reading import Own
from .things import THINGS, Things


def with_own(conditioning: list, picture: OwnPicture, which: str) -> list:
    """Conditioning whose thing is the one of `picture`, as CLIP Text Encode would have made it: words, pictures, drafts.

    Raises ValueError for conditioning that is not the mini model's, that was changed since it was encoded, or that names no such thing.
    """
    out = []
    for context, options in conditioning:
        again = check(context, options).again
        assert again is not None
        said, pooled, told = again(Own(picture, which))
        out.append([said.to(context), options | {"pooled_output": pooled.to(context)} | told])
    return out


def check(context: Tensor, options: dict[str, Any]) -> Things:
    """The things of an entry of a conditioning. Raises ValueError unless it is as CLIP Text Encode made it."""
    things = options.get(THINGS)
    if things is None or things.again is None:
        raise ValueError(f"conditioning: is another model's ({context.shape[-1]} wide) and shows no pictures of things; encode the prompt "
                         "with CLIP Text Encode and the CLIP output of Load Mini Model")
    if things.changed(context):
        raise ValueError("conditioning: was changed since CLIP Text Encode made it (style words were added, or it was averaged, joined or "
                         "zeroed); connect CLIP Text Encode to this node, and put the node that changes it behind this one")
    return things
