"""Pictures and clips that users bring: [F, H, W, 3], finite, about 0 to 1."""

import torch
from torch import Tensor

OVERSHOOT = 0.25  # resizing with a sharp filter leaves [0, 1] by a little; other scales ([-1, 1], [0, 255]) by more


def check_pictures(name: str, pictures: Tensor) -> None:
    """Raises ValueError naming the input when `pictures` is no [F, H, W, 3] in [0, 1]."""
    if pictures.ndim != 4 or 0 in pictures.shape:
        raise ValueError(f"{name}: is {tuple(pictures.shape)}; pictures are frames x height x width x 3, at least one")
    if pictures.shape[-1] != 3:
        raise ValueError(f"{name}: has {pictures.shape[-1]} channels; pictures have 3 (red, green, blue). Split off an "
                         "alpha channel with SplitImageWithAlpha")
    low, high = (float(value) for value in torch.aminmax(pictures))
    if not (torch.isfinite(torch.tensor([low, high])).all()):  # a NaN or an infinity anywhere is in them
        raise ValueError(f"{name}: has pixels that are no numbers (NaN or infinite); look at the node that made it")
    if low < -OVERSHOOT or high > 1 + OVERSHOOT:
        raise ValueError(f"{name}: its values are {low:.3g} to {high:.3g}; pixels go from 0 to 1")


def one_picture(name: str, picture: Tensor) -> None:
    """Raises ValueError when `picture` is not a single one."""
    check_pictures(name, picture)
    if len(picture) != 1:
        raise ValueError(f"{name}: has {len(picture)} frames; give one picture, for example with ImageFromBatch")


def check_alike(name: str, pictures: Tensor, other_name: str, other: Tensor) -> None:
    """Raises ValueError when the two differ in size: nothing is resized behind the user's back."""
    (h, w), (oh, ow) = pictures.shape[1:3], other.shape[1:3]
    if (h, w) != (oh, ow):
        raise ValueError(f"{name}: is {w}x{h} pixels, {other_name} {ow}x{oh}; resize or crop one of them first, for "
                         "example with ImageScale")
