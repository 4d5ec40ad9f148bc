"""What is wrong with a clip, as numbers: flicker, change that no motion explains, drifting colours, visible joints.

Differences are in levels of 255, motion in pixels per frame. Adjacent-frame change alone rewards a frozen clip: read it
beside the mean flow. Frames are F H W 3 uint8 RGB unless said otherwise.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from ..editing.flow import both_ways, grey, warp
from ..editing.steps import Step, nothing

FIELD = 16  # cells per side of the coarse flow
SAME = 3  # levels of 255 that a still pixel may differ
AROUND = 16  # frames on each side of a joint that it is compared with
UNSEEN = 0.1  # levels, mean over the frame, that two frames may differ unseen


@dataclass(frozen=True)
class Motion:
    """Of each pair of neighbouring frames, F-1 values each. `warp_error`: the mean change between them that flow does not
    explain; `hidden`: the share of pixels left out of it because they are covered, uncovered or not matched; `speed`:
    mean length of the flow; `inside`, `outside`: that where the mask is white and where it is black (0 without one).
    Outside, a pixel whose surroundings stay as they are counts as still: smooth flow leaks from a thing over its edge.
    `field`: F-1 FIELD FIELD 2, the flow itself, averaged over a coarse grid.
    """

    warp_error: np.ndarray
    hidden: np.ndarray
    speed: np.ndarray
    inside: np.ndarray
    outside: np.ndarray
    field: np.ndarray


def motion(frames: np.ndarray, mask: np.ndarray | None = None, step: Step = nothing) -> Motion:
    """Follow the flow through a clip of at least 2 frames (Lai et al., 1808.00449, sec. 4.1; the flow is DIS).

    mask: F H W or 1 H W bool; a pair of frames is measured with the mask of its first. step: called after each pair, for
    progress and cancel.
    """
    pictures = grey(frames)
    rows, field = [], []
    for i, (a, b) in enumerate(pairwise(frames)):
        there, sure = both_ways(pictures[i], pictures[i + 1])
        off = np.abs(warp(b, there).astype(np.int16) - a).mean(axis=-1)
        speed = np.hypot(there[..., 0], there[..., 1])
        inside = outside = 0.0
        if mask is not None:
            white = mask[min(i, len(mask) - 1)]
            inside, outside = mean(speed[white]), mean((speed * moving(a, b))[~white])
        rows.append((mean(off[sure]), 1 - sure.mean(), speed.mean(), inside, outside))
        field.append(cv2.resize(there, (FIELD, FIELD), interpolation=cv2.INTER_AREA))
        step()
    warp_error, hidden, speeds, within, beyond = np.array(rows, np.float64).reshape(-1, 5).T
    return Motion(warp_error, hidden, speeds, within, beyond, np.array(field))


def moving(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where anything changes between two frames H W 3, within 3 x 3 pixels -> H W bool"""
    changed = (cv2.absdiff(a, b).max(axis=-1) > SAME).astype(np.uint8)
    return cv2.dilate(changed, np.ones((3, 3), np.uint8)) > 0


def alike(a: Motion, b: Motion) -> float | None:
    """How alike two clips move: the correlation of their flow about zero, over place and time; 1 is the same motion, -1
    its reverse. None when one of them does not move.
    """
    size = np.linalg.norm(a.field) * np.linalg.norm(b.field)
    return float((a.field * b.field).sum() / size) if size > 0 else None


def changes(frames: np.ndarray, where: np.ndarray | None = None, step: Step = nothing) -> np.ndarray:
    """Mean absolute difference of neighbouring frames -> F-1. frames: of any type; where: bool F H W or 1 H W, white on
    the first frame of a pair.
    """
    out = []
    for i, (a, b) in enumerate(pairwise(frames)):
        off = np.abs(b.astype(np.float32) - a)
        out.append(mean(off if where is None else off[where[min(i, len(where) - 1)]]))
        step()
    return np.array(out)


def flicker(frames: np.ndarray) -> float:
    """How far each frame's mean colour jumps off the line between its neighbours, in levels; 0 for under 3 frames.

    Whole frames that flash are seen here, steady fading is not; parts that boil are seen by the warp error.
    """
    colour = frames.mean(axis=(1, 2), dtype=np.float64)  # f 3
    return mean(np.abs(colour[2:] + colour[:-2] - 2 * colour[1:-1]) / 2)


def colour_drift(frames: np.ndarray, fps: float, where: np.ndarray | None = None) -> float:
    """The Lab difference (CIE76; about 2 is just visible) between the means of the first and of the last second.

    Of the pixels `where` (bool H W) their mean difference; without it that of the middle pixel, so that a thing which
    moves over less than half of a still background does not count. A moving camera makes it meaningless.
    """
    second = max(1, min(len(frames) // 2, round(fps)))
    first, last = lab(frames[:second]), lab(frames[len(frames) - second:])  # h w 3
    off = np.linalg.norm(first - last, axis=-1)
    return float(np.median(off)) if where is None else mean(off[where])


def lab(frames: np.ndarray) -> np.ndarray:
    """The mean of frames in CIE Lab -> H W 3 float, L in 0..100."""
    total = sum(cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float64) for frame in frames)
    return np.asarray(total) / len(frames)


def joint_error(frames: np.ndarray, joint: int) -> float:
    """The change from frame `joint` - 1 to `joint`, over the median change in the AROUND frames before it, or after it if that is more.

    1 is no visible joint, also where a clip moves fast up to it and slowly from then on. Where less than UNSEEN moves, that is what
    a joint is measured against. ValueError for a joint that is not between two frames.
    """
    if not 1 <= joint < len(frames):
        which = f"1 to {len(frames) - 1}" if len(frames) > 2 else "here only 1"
        raise ValueError(f"joints: {joint} is no joint of a clip of {len(frames)} frames; name the first frame after it, {which}")
    change = changes(frames[max(0, joint - AROUND - 1) : joint + AROUND + 1])
    at = min(joint - 1, AROUND)
    return float(change[at] / max(median(change[:at]), median(change[at + 1:]), UNSEEN))


def loop_error(frames: np.ndarray) -> float | None:
    """The change from the last frame back to the first, over the median change between neighbours: 1 is a clean loop."""
    return ratio(changes(frames[[-1, 0]])[0], median(changes(frames)))


def ratio(a: float, b: float) -> float | None:
    """a / b; of two zeros 0, and None where only b is zero."""
    if b == 0:
        return 0.0 if a == 0 else None
    return float(a / b)


def mean(values: np.ndarray) -> float:
    """The mean, 0 of nothing."""
    return float(values.mean()) if values.size else 0.0


def median(values: np.ndarray) -> float:
    """The median, 0 of nothing."""
    return float(np.median(values)) if values.size else 0.0
