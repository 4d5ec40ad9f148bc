"""Masks that were painted on one frame in a mask editor."""

from torch import Tensor

from .pictures import check_pictures

ALIKE = 8 / 255  # files are rounded to bytes, and browsers may add noise; another frame differs by more somewhere
SHARE = 0.002    # of the pixels that may differ by more than that


def frame_of(name: str, clip: Tensor, number: int) -> Tensor:
    """Frame `number` of a clip F h w 3, as 1 h w 3; -1 is the last one.

    Raises ValueError when the clip has no such frame.
    """
    check_pictures(name, clip)
    last = len(clip) - 1
    if not -len(clip) <= number <= last:
        one = "1 frame, 0" if not last else f"{len(clip)} frames, 0 to {last}"
        raise ValueError(f"frame {number}: the {name} has {one}; -1 is the last one, {-len(clip)} the first")
    number %= len(clip)
    return clip[number:number + 1]


def painted_mask(painted: Tensor, frame: Tensor) -> Tensor | None:
    """Where a picture h w 4 was painted on: h w, 1 where its alpha is 0. None when it is another picture than `frame` h w 3."""
    if painted.shape[:2] != frame.shape[:2]:
        return None
    differs = (painted[..., :3] - frame.clamp(0, 1)).abs().amax(dim=-1) > ALIKE
    return None if float(differs.float().mean()) > SHARE else 1 - painted[..., 3]
