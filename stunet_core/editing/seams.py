"""Where given frames end and made ones begin: the joint in time, closed on the made side.

What a model makes of the next frame differs from the last given one: its VAE softens, outlines are drawn anew, and from then on its
colours drift. All of it at once is seen as a jump. Two things take it away, and leave given frames alone:

- colours: what colours become is undone, colour by colour, all through the gap (`Colours`);
- the rest: the frames after the joint are bent to where things stood, and what then still differs is added to them, both less and less
  and carried along by optical flow. The first one shows the given frame, moved on as it moved before; of a single given frame, as the made
  ones move.
"""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from .colours import Colours
from .flow import both_ways, flow, grey, warp
from .steps import Step, nothing

SOFT = 4.0  # pixels over which trust in the flow ends


def close(made: np.ndarray, given: np.ndarray, keep: np.ndarray, frames: int, *, colours: bool = True,
          partly: bool = False, step: Step = nothing) -> np.ndarray:
    """The made frames F h w 3 in [0, 1], joined in time to the given ones on both sides of every gap.

    Args:
        made, given: float32, F h w 3 in [0, 1].
        keep: bool F h w: the given pixels. Only frames that are made whole are changed, next to ones that are given whole: in
            others, what was there before need not be what is to be there.
        frames: over how many what differs at a joint fades; a gap shorter than twice that is shared by its two joints.
        colours: whether colours are put right too.
        partly: frames that are made in part are changed too: what was there before is to be there, as in a region that is animated.
        step: called after each frame that is changed, once for its colours and once for the rest.
    """
    out, share = made.copy(), keep.mean(axis=(1, 2))
    whole = share == 1
    for start, stop in gaps(share < 1 if partly else share == 0):
        part = out[start:stop]  # a view
        sides = [(part, given[:start][::-1], whole[:start][::-1]), (part[::-1], given[stop:], whole[stop:])]
        sides = [(side, there, known) for side, there, known in sides if known[:1].any()]
        if colours:
            put_right(part, [(Colours(side, there[0]), side is not part) for side, there, _ in sides], step)
        for side, there, known in sides:
            reach = min(frames, len(part) // len(sides))
            before = there[:2] if known[1:2].any() else side[1::-1]  # one given picture says nothing of motion: what is made does
            side[:reach] = fade(side[:reach], warp(there[0], believed(before[0], before[-1])), step)
    return out


def put_right(part: np.ndarray, ends: Sequence[tuple[Colours, bool]], step: Step = nothing) -> None:
    """Put the colours of a gap's frames right in place; between two ends (with the second one time runs `backwards`) on a straight line."""
    for i, frame in enumerate(part):
        late = (i + 1) / (len(part) + 1)
        shares = [1 - late, late] if len(ends) == 2 else [1.0] * len(ends)
        right = [share * (end.undo(frame, len(part) - 1 - i if backwards else i) - frame)
                 for share, (end, backwards) in zip(shares, ends, strict=True)]
        part[i] = np.clip(frame + sum(right), 0, 1)
        step()


def gaps(made: np.ndarray) -> list[tuple[int, int]]:
    """Runs of true values, [start, stop)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], made, [False]]).astype(int)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def believed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Flow a -> b, going to 0 where it cannot be believed."""
    there, sure = both_ways(*greys(a, b))
    return there * cv2.GaussianBlur(sure.astype(np.float32), (0, 0), SOFT)[..., None]


def fade(side: np.ndarray, wanted: np.ndarray, step: Step = nothing) -> np.ndarray:
    """Frames h w 3 that go away from `wanted`: the first becomes it, the others less and less.

    How far things stand off at the first bends all, and what differs besides is added to all, both moving as the frames do.
    """
    if not len(side):
        return side
    off = believed(wanted, side[0])
    left = wanted - warp(side[0], off)
    out = [wanted]
    for i, (a, b) in enumerate(pairwise(side), start=1):
        came = flow(*greys(b, a))
        off, left, share = warp(off, came), warp(left, came), 1 - i / len(side)
        out.append(warp(b, share * off) + share * left)
        step()
    return np.stack(out).clip(0, 1)


def greys(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Two frames in [0, 1] as the flow sees them."""
    return grey((np.stack([a, b]) * 255).round().astype(np.uint8))
