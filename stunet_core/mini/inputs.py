"""What stands beside the noisy latents in the U-Net's input: the same for training and for ComfyUI.

Channels, in this order: noisy latents | mask 1 (1: to be generated, 0: given) | given | coordinates 2 | drafts 2 (c + 1).
"""

import torch
from torch import Tensor

from .nearest_given import nearest_given

SLOTS = 2  # pictures beside a prompt: slot k shows its k-th thing, the left one first
MASK, COORDINATES = 1, 2  # channels
EDGE = 1.5  # coordinates run from -EDGE to EDGE


def beside_channels(latent: int) -> int:
    """How many channels stand beside noisy latents of `latent` channels: 29 beside 8."""
    return MASK + latent + COORDINATES + draft_channels(latent)


def draft_channels(latent: int) -> int:
    """How many of them are drafts: latents and coverage of each slot."""
    return SLOTS * (latent + 1)


def coordinates(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Where each cell is in its frame, x before y: 2 h w, from -EDGE (left, top) to EDGE (right, bottom)"""
    y, x = (EDGE * torch.linspace(-1, 1, size, device=device) for size in (height, width))
    return torch.stack([x.expand(height, -1), y[:, None].expand(-1, width)])


def beside(mask: Tensor, given: Tensor, drafts: Tensor | None = None) -> Tensor:
    """All input channels but the noisy latents, for frames that are whole: n `beside_channels` h w

    Args:
        mask: n 1 h w, 1 where to generate.
        given: n c h w, known latents, and what `nearest_given` fills in elsewhere.
        drafts: n 2(c+1) h w from `draft.drafts`: the pictures of the prompt's things, drawn where they are. None: there are none.
    """
    n, _, h, w = mask.shape
    if drafts is None:
        drafts = torch.zeros(n, draft_channels(given.shape[1]), h, w, device=mask.device)
    at = coordinates(h, w, mask.device).expand(n, -1, -1, -1)
    return torch.cat([mask.to(given), given, at.to(given), drafts.to(given)], dim=1)


def beside_clip(mask: Tensor, given: Tensor, frames: int, drafts: Tensor | None = None, loop: bool = False) -> Tensor:
    """`beside` for clips, standing in the batch as (rows frames), with what is given filled in from the nearest frame that has it.

    mask: (rows frames) 1 h w; given: (rows frames) c h w, of any value where the mask is 1. In a `loop` the nearest is counted round.
    """
    return beside(mask, nearest_given(given * (1 - mask.to(given)), mask < 0.5, frames, loop), drafts)


def alone(mask: Tensor, frames: int) -> Tensor:
    """Which frames belong to a clip of which nothing is given: (rows frames) 1 h w -> bool (rows frames)"""
    rows = (mask >= 0.5).unflatten(0, (-1, frames)).flatten(1).all(dim=1)
    return rows.repeat_interleave(frames)
