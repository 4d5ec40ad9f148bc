"""A clip that is made anew keeps another's layout and motion: what is coarse in each prediction is put back, what is fine is free.

Noising a clip and denoising it under another prompt (SDEdit, 2108.01073) trades one for the other: little noise keeps the look, much
loses the motion. Conditioning on the low frequencies of a reference (ILVR, 2108.02938), here of every frame, keeps where things are
and lets look and texture change. Colours are coarse too, so a new look must have the last steps for itself; what changes over time
says little of the colours, and can be followed to the end.
"""

import torch.nn.functional as F
from torch import Tensor


def check_cells(cells: int) -> None:
    """Raises ValueError below 1."""
    if cells < 1:
        raise ValueError(f"cells: {cells}; give at least 1 (everything is followed)")


def coarse(x: Tensor, cells: int) -> Tensor:
    """What is left of f c h w when `cells` x `cells` of it are averaged: as large as before, smooth. 1: all of it.

    Raises ValueError for `cells` below 1.
    """
    check_cells(cells)
    if cells == 1:
        return x
    small = F.interpolate(x, size=[-(-side // cells) for side in x.shape[-2:]], mode="area")
    return F.interpolate(small, size=x.shape[-2:], mode="bilinear", align_corners=False)


def follow(clean: Tensor, source: Tensor, cells: int, strength: float = 1.0) -> Tensor:
    """Predicted clean latents f c h w with what is coarse in `source` (the same shape) instead of their own, as far as `strength` says."""
    return clean + strength * coarse(source - clean, cells)


def follow_motion(clean: Tensor, source: Tensor, cells: int, strength: float = 1.0) -> Tensor:
    """The same, but only of what changes over time: the mean over all frames of what is coarse stays `clean`'s own."""
    missing = coarse(source - clean, cells)
    return clean + strength * (missing - missing.mean(dim=0, keepdim=True))
