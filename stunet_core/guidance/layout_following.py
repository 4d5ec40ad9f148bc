"""A clip that is made anew keeps another's layout and motion: what is coarse in each prediction is put back, what is fine is free.

Noising a clip and denoising it under another prompt (SDEdit, 2108.01073) trades one for the other: little noise keeps the look, much
loses the motion. Conditioning on the low frequencies of a reference (ILVR, 2108.02938), here of every frame, keeps where things are
and lets look and texture change. Colours are coarse too, so a new look must have the last steps for itself; what changes over time
says less of the colours, and can be followed to the end, in the colours that the new look gives to what the clip shows.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SINGULAR = 1e-6  # of the largest variance: directions of colour that vary less are not asked


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


def follow_motion(clean: Tensor, source: Tensor, cells: int, strength: float = 1.0, recolour: bool = False) -> Tensor:
    """The same, but only of what changes over time: the mean over all frames of what is coarse stays `clean`'s own.

    With `recolour`, of `source` in the colours of `clean`: a black thing's motion is added to a yellow one as a yellow thing's.
    """
    missing = coarse((recoloured(source, clean, cells) if recolour else source) - clean, cells)
    return clean + strength * (missing - missing.mean(dim=0, keepdim=True))


def recoloured(source: Tensor, clean: Tensor, cells: int) -> Tensor:
    """`source` f c h w under the affine map of its channels that brings what is coarse in it nearest to what is coarse in `clean`.

    Least squares over all places and frames: what the two have nothing of in common becomes an even colour.
    """
    x, y = (coarse(t, cells).float().movedim(1, -1).flatten(0, 2) for t in (source, clean))  # n c
    middle, wanted = x.mean(0), y.mean(0)
    x = x - middle
    own, cross = ((x.mT @ t / len(x)).cpu().double() for t in (x, y - wanted))
    change = (torch.linalg.pinv(own, rtol=SINGULAR, hermitian=True) @ cross).to(x)
    moved = torch.einsum("fchw,cd->fdhw", source.float() - middle[:, None, None], change) + wanted[:, None, None]
    return moved.to(clean)
