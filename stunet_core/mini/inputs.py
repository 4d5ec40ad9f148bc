"""What stands beside the noisy latents in the U-Net's input: the same for training and for ComfyUI.

Channels, in this order: noisy latents | mask 1 (1: to be generated, 0: given) | given | coordinates 2 | places 2.
"""

import torch
from torch import Tensor

from .nearest_given import nearest_given

MASK, COORDINATES, PLACES = 1, 2, 2  # channels
BESIDE = MASK + COORDINATES + PLACES  # and as many as the latents have, for what is given
EDGE = 1.5  # coordinates run from -EDGE to EDGE


def coordinates(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Where each cell is in its frame, x before y: 2 h w, from -EDGE (left, top) to EDGE (right, bottom)"""
    y, x = (EDGE * torch.linspace(-1, 1, size, device=device) for size in (height, width))
    return torch.stack([x.expand(height, -1), y[:, None].expand(-1, width)])


def beside(mask: Tensor, given: Tensor, places: Tensor | None = None) -> Tensor:
    """All input channels but the noisy latents, for frames that are whole: n (5 + c) h w

    Args:
        mask: n 1 h w, 1 where to generate.
        given: n c h w, known latents, and what `nearest_given` fills in elsewhere.
        places: n 2 h w from `shown`: where the first and the second thing are. None: it is not told.
    """
    n, _, h, w = mask.shape
    if places is None:
        places = torch.zeros(n, PLACES, h, w, device=mask.device)
    at = coordinates(h, w, mask.device).expand(n, -1, -1, -1)
    return torch.cat([mask.to(given), given, at.to(given), places.to(given)], dim=1)


def beside_clip(mask: Tensor, given: Tensor, frames: int, places: Tensor | None = None) -> Tensor:
    """`beside` for clips, standing in the batch as (rows frames), with what is given filled in from the nearest frame that has it.

    mask: (rows frames) 1 h w; given: (rows frames) c h w, of any value where the mask is 1.
    """
    return beside(mask, nearest_given(given * (1 - mask.to(given)), mask < 0.5, frames), places)


def shown(covered: Tensor) -> Tensor:
    """How much of each cell a thing covers, 0 to 1, as a place channel has it: -1 nowhere, 1 all of the cell. 0 is kept for "not told"."""
    return covered * 2 - 1


def alone(mask: Tensor, frames: int) -> Tensor:
    """Which frames belong to a clip of which nothing is given: (rows frames) 1 h w -> bool (rows frames)"""
    rows = (mask >= 0.5).unflatten(0, (-1, frames)).flatten(1).all(dim=1)
    return rows.repeat_interleave(frames)
