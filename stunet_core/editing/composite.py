"""Given pixels back into what a model made of them, exactly."""

import cv2
import numpy as np
import torch
from torch import Tensor

from .keep_mask import CELL, MINI_CELL, cells
from .pictures import check_pictures
from .seams import close
from .static_background import Plate
from .steps import Step, nothing


def composite(made: Tensor, given: Tensor, keep: Tensor, *, feather: int = 0, match: bool = False,
              joint: int = 0, still: bool = False, loop: bool = False, step: Step = nothing) -> Tensor:
    """The given pixels where `keep` is True, bit for bit; elsewhere the made ones, [F, H, W, 3].

    Within `feather` pixels of the seam, on the made side only, the made ones are shifted by what differs at the nearest
    given pixel, less and less: the seam disappears, and nothing of what was there before shines through.

    Args:
        made: [F, H', W', 3]; H', W' are those of `given`, or padded to multiples of 8 or 16 below and on the right.
        given: [F or 1, H, W, 3].
        keep: bool [F or 1, H, W].
        feather: pixels, 0 or more.
        match: shift the made colours by what the model changed on average where it should have changed nothing. A clip
            that is extended step by step would else drift by as much with every step.
        joint: frames after a given frame, and before one, over which what jumps there fades; with `match`, colours that drift
            are put right in all of a gap (`seams`). 0: joints in time stay as they are.
        still: made pixels that nearly show what stood still there while it was given show exactly that (`static_background.Plate`).
        loop: the first frame follows on the last one, and that joint is closed too. Joints are closed where frames are made in part as
            well: what moves in a cinemagraph begins and ends as the still shows it.
        step: called after each frame of each pass, at most `passes` times.

    Raises:
        ValueError: numbers or sizes disagree; it names the input.
    """
    check_pictures("frames", made)
    check_pictures("original", given)
    height, width = given.shape[1:3]
    if tuple(made.shape[1:3]) not in ((height + -height % cell, width + -width % cell) for cell in (1, CELL, MINI_CELL)):
        raise ValueError(f"frames: are {made.shape[2]}x{made.shape[1]} pixels, original {width}x{height}; they must be "
                         f"as large, or padded to multiples of {CELL} or {MINI_CELL}. Scale both alike, or neither")
    frames = len(made)
    for name, batch in (("original", given), ("mask", keep)):
        if len(batch) not in (1, frames):
            raise ValueError(f"{name}: has {len(batch)} frames, the generated clip {frames}; give 1 or {frames}")
    if tuple(keep.shape[1:]) != (height, width):
        raise ValueError(f"mask: is {keep.shape[2]}x{keep.shape[1]} pixels, original {width}x{height}; connect the "
                         "mask output of the node that the original comes from")
    out = made[:, :height, :width].clamp(0, 1)
    given, keep = given.to(out).expand(frames, -1, -1, -1), keep.expand(frames, -1, -1).to(out.device)
    if loop:  # once round: the first frame stands at the end too, and is taken off again
        out, given, keep = (torch.cat([part, part[:1]]) for part in (out, given, keep))
    if match:
        out = (out + drift(given - out, keep)).clamp(0, 1)
    if joint > 0 or still:
        finished, there, known = out.cpu().float().numpy(), given.cpu().float().numpy(), keep.cpu().numpy()
        plate = Plate(there, known, step) if still else None
        finished = plate.behind(finished, step) if plate else finished
        if joint > 0:
            finished = close(finished, there, known, joint, colours=match, partly=loop, step=step)
            finished = plate.behind(finished, step) if plate else finished  # what fades in leaves traces
        out = torch.from_numpy(finished).to(out)
    if feather > 0:
        out = (out + seam(given - out, keep, feather, step)).clamp(0, 1)
    return torch.where(keep[..., None], given, out)[:frames]


def passes(frames: int, *, feather: int, joint: int, still: bool, loop: bool) -> int:
    """How often `composite` calls its `step` at most, for as many frames."""
    return (frames + loop) * ((feather > 0) + 2 * (joint > 0) + (still and 3 + (joint > 0)))


def drift(difference: Tensor, keep: Tensor) -> Tensor:
    """f h w 3 -> 3: the mean difference in cells that are given whole, in the largest that there are; zero without any."""
    for cell in (MINI_CELL, CELL):
        sure = cells(keep, cell).repeat_interleave(cell, 1).repeat_interleave(cell, 2)[:, : keep.shape[1], : keep.shape[2]]
        if sure.any():
            return difference[sure].mean(dim=0)
    return difference.new_zeros(3)


def seam(difference: Tensor, keep: Tensor, feather: int, step: Step = nothing) -> Tensor:
    """f h w 3 -> f h w 3: on the made side the difference at the nearest given pixel, fading out over `feather`."""
    out = torch.zeros_like(difference)
    for i, frame in enumerate(keep.cpu().numpy()):
        step()
        if frame.all() or not frame.any():
            continue
        distance, label = cv2.distanceTransformWithLabels((~frame).astype(np.uint8), cv2.DIST_L2, 5,
                                                          labelType=cv2.DIST_LABEL_PIXEL)
        nearest = np.zeros(label.max() + 1, np.int64)  # label -> index of its given pixel
        nearest[label[frame]] = np.flatnonzero(frame)
        fade = torch.from_numpy(np.clip(1 - distance / (feather + 1), 0, 1)).to(difference)
        out[i] = difference[i].flatten(0, 1)[torch.from_numpy(nearest[label]).to(out.device)] * fade[..., None]
    return out
