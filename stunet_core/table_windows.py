"""Windows along time for layers that know only so many frames; in a loop they run across its end.

Neighbours overlap and fade into one another. `windows.py` has those of whole clips, to compare with.
"""

import torch
from torch import Tensor


def windows(frames: int, length: int, overlap: int, loop: bool = False) -> tuple[Tensor, Tensor]:
    """Windows of `length` frames over a clip of `frames`, neighbours sharing at least `overlap`.

    A window counts most in its middle and least at its ends, so that one fades into the next. In a `loop` they run
    across the end of the clip, and there are at least two: the seam of one is the middle of the other.

    Returns:
        (k length) frame numbers, (k length) weights that sum to 1 on every frame

    Raises:
        ValueError: a length outside 1 to `frames`, or an overlap that leaves no step forward.
    """
    if not (1 <= length <= frames and 0 <= overlap < length):
        raise ValueError(f"windows of {length} frames that overlap by {overlap} over {frames} frames: the length must "
                         "be 1 to the number of frames, the overlap less than the length")
    step = length - overlap
    if loop:
        count = max(2, -(-frames // step))
        starts = torch.arange(count) * frames // count
    else:
        count = 1 + -(-(frames - length) // step)
        starts = (torch.arange(count) * (frames - length)) // max(1, count - 1)
    index = (starts[:, None] + torch.arange(length)) % frames  # k length
    up = torch.arange(1, length + 1, dtype=torch.float32)
    weight = torch.minimum(up, up.flip(0)).expand(count, -1)   # k length
    total = torch.zeros(frames).index_add(0, index.flatten(), weight.flatten())
    return index, weight / total[index]
