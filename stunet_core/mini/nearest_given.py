"""Fill unknown cells of the conditioning with the nearest given frame's value.

Lumiere's masked clip (2401.12945, sec. 4.1) is empty where nothing is given, so that layers along time alone carry a first frame
to all others. Filled in, it stands before every frame's spatial layers, and the mask still tells what is given and what is filled.
"""

import torch
from torch import Tensor


def nearest_given(given: Tensor, keep: Tensor, frames: int, loop: bool = False) -> Tensor:
    """`given` where `keep`; elsewhere the same cell of the nearest frame that has it (of two, the earlier); 0 without any.

    given: (b f) c h w; keep: (b f) 1 h w, bool -> (b f) c h w. In a `loop` the first frame follows on the last one.
    """
    keep = keep.unflatten(0, (-1, frames))                                     # b f 1 h w
    rounds = torch.cat([keep] * 3, dim=1) if loop else keep                    # the round at hand between the one before and the one after
    at = torch.arange(rounds.shape[1], device=keep.device)[:, None, None, None]
    far = 4 * len(at)
    before = torch.where(rounds, at, -far).cummax(dim=1).values
    after = torch.where(rounds, at, far).flip(1).cummin(dim=1).values.flip(1)
    nearest = torch.where(at - before <= after - at, before, after)
    nearest = nearest[:, frames:2 * frames] % frames if loop else nearest.clamp(0, frames - 1)
    none = ~keep.any(dim=1, keepdim=True)                                      # b 1 1 h w
    given = given.unflatten(0, (-1, frames))
    out = given.gather(1, nearest.expand_as(given))
    return torch.where(none, 0.0, out).to(given.dtype).flatten(0, 1)
