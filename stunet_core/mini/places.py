"""A mask as the image model is shown it: how much of each cell things cover, as it is shown the clock's guess (`clock.py`)."""

import torch.nn.functional as F
from torch import Tensor

LOUDEST = 4


def check_places(name: str, mask: Tensor) -> None:
    """Raises ValueError for a mask of 0 (background) to 1 (a thing) that is none, or that places nothing."""
    if not mask.numel():
        raise ValueError(f"{name}: is empty {tuple(mask.shape)}; give one mask, or one per frame")
    low, high = float(mask.min()), float(mask.max())
    if not (low >= 0 and high <= 1):  # NaN is in neither
        raise ValueError(f"{name}: its values run from {low:g} to {high:g}; give 0 (background) to 1 (a thing)")
    if high < 0.5:
        raise ValueError(f"{name}: is black everywhere, so there is no thing anywhere; white is where a thing is")
    if low >= 0.5:
        raise ValueError(f"{name}: is white everywhere; white is where a thing is. If it shows the background, put InvertMask before it")


def check_strength(strength: float) -> None:
    """Raises ValueError outside 0 to LOUDEST."""
    if not 0 <= strength <= LOUDEST:
        raise ValueError(f"strength: {strength}; give 0 (no thing is said to be anywhere) to {LOUDEST}")


def covered(mask: Tensor, height: int, width: int, strength: float) -> Tensor:
    """f H W in pixels -> f 1 height width in cells, times `strength`: 1 is as loud as the clock's guess."""
    return strength * F.adaptive_avg_pool2d(mask[:, None].float(), (height, width))
