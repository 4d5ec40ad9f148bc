"""Where given frames end and made ones begin: the joint in time, closed on the made side.

What a model makes of the next frame differs from the last given one: its VAE softens, outlines are drawn anew, and from then on its
colours drift. All of it at once is seen as a jump. Two things take it away, and leave given frames alone:

- colours: what colours become is undone, colour by colour, all through the gap (`Colours`);
- the rest: the frames after the joint are bent to where things stood, and what then still differs is added to them, both less and less
  and carried along by optical flow. The first one shows the given frame, moved on as it moved before.
"""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from .flow import both_ways, flow, grey, warp

BINS = 8  # colours along each axis of the table
ROUNDS = 3
EVERY = 8  # frames from one table of colours to the next
ENOUGH = 65536  # pixels of a frame, from which a table is made
LARGEST = 0.2  # a pixel that differs by more is another thing, not another colour
BELL = np.array([1, 4, 6, 4, 1], np.float32) / 16  # over neighbouring colours of the table
SOFT = 4.0  # pixels over which trust in the flow ends
DOUBT = 8.0  # pixels: a colour seen in fewer is corrected less


class Colours:
    """How the colours of some frames differ from those of a given picture, where both show the same at a place."""

    def __init__(self, side: np.ndarray, picture: np.ndarray):
        """side: F h w 3 going away from `picture` h w 3, all in [0, 1]; one table for every EVERY frames, and for the last."""
        self.times = sorted({*range(0, len(side), EVERY), len(side) - 1})
        step = max(1, round((picture[..., 0].size / ENOUGH) ** 0.5))
        self.tables = np.stack([smooth_table(side[i, ::step, ::step], picture[::step, ::step]) for i in self.times])

    def undo(self, frame: np.ndarray, i: int) -> np.ndarray:
        """Frame `i` h w 3 with its colours put right; the tables turn into one another evenly."""
        after = next(k for k, time in enumerate(self.times) if time >= i)
        before = max(0, after - 1)
        late = (i - self.times[before]) / max(1, self.times[after] - self.times[before])
        return frame + look_up((1 - late) * self.tables[before] + late * self.tables[after], frame)


def smooth_table(made: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The change from one picture's colours to the other's; each round finds what smoothing took from the one before."""
    entries = np.stack(np.meshgrid(*[np.linspace(0, 1, BINS, dtype=np.float32)] * 3, indexing="ij"), -1).reshape(BINS, -1, 3)
    there = entries
    for _ in range(ROUNDS):
        table = table_of(made, wanted - made)
        made, there = made + look_up(table, made), there + look_up(table, there)
    return (there - entries).reshape(BINS, BINS, BINS, 3)


def table_of(made: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The mean change of each colour: BINS BINS BINS 3"""
    alike = np.abs(change).max(-1) <= LARGEST
    place = np.rint(made[alike].clip(0, 1) * (BINS - 1)).astype(int) @ (BINS * BINS, BINS, 1)
    columns = [*np.moveaxis(change[alike], -1, 0), np.ones(len(place))]
    total = np.stack([np.bincount(place, column, BINS**3) for column in columns], -1).reshape(BINS, BINS, BINS, 4)
    for axis in range(3):
        total = blur(total, axis)
    return (total[..., :3] / (total[..., 3:] + DOUBT * BELL[len(BELL) // 2] ** 3)).astype(np.float32)


def look_up(table: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """The table at a frame's colours h w 3, between its entries on straight lines."""
    at = frame.clip(0, 1) * (BINS - 1)
    low = np.minimum(at.astype(int), BINS - 2)
    part, start = (at - low).astype(np.float32), low @ (BINS * BINS, BINS, 1)
    out, flat = np.zeros_like(frame), table.reshape(-1, 3)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), axis=-1)
        out += weight[..., None] * flat[start + np.dot(corner, (BINS * BINS, BINS, 1))]
    return out


def blur(table: np.ndarray, axis: int) -> np.ndarray:
    """Each entry as a weighted mean of its neighbours along `axis`."""
    reach = len(BELL) // 2
    edges = [(reach, reach) if i == axis else (0, 0) for i in range(table.ndim)]
    grown, length = np.pad(table, edges), table.shape[axis]
    return sum((weight * grown.take(range(i, i + length), axis) for i, weight in enumerate(BELL)), np.zeros_like(table))


def close(made: np.ndarray, given: np.ndarray, keep: np.ndarray, frames: int) -> np.ndarray:
    """The made frames F h w 3 in [0, 1], joined in time to the given ones on both sides of every gap.

    Args:
        made, given: float32, F h w 3 in [0, 1].
        keep: bool F h w: the given pixels. Only frames that are made whole are changed, next to ones that are given whole: in
            others, what was there before need not be what is to be there.
        frames: over how many what differs at a joint fades; a gap shorter than twice that is shared by its two joints.
    """
    out, share = made.copy(), keep.mean(axis=(1, 2))
    whole = share == 1
    for start, stop in gaps(share == 0):
        part = out[start:stop]  # a view
        sides = [(part, given[:start][::-1], whole[:start][::-1]), (part[::-1], given[stop:], whole[stop:])]
        sides = [(side, there, known) for side, there, known in sides if known[:1].any()]
        put_right(part, [(Colours(side, there[0]), side is not part) for side, there, _ in sides])
        for side, there, known in sides:
            reach = min(frames, len(part) // len(sides))
            side[:reach] = fade(side[:reach], going_on(there[0], there[1] if known[1:2].any() else there[0]))
    return out


def put_right(part: np.ndarray, ends: Sequence[tuple[Colours, bool]]) -> None:
    """Put the colours of a gap's frames right in place; between two ends (with the second one time runs `backwards`) on a straight line."""
    for i, frame in enumerate(part):
        late = (i + 1) / (len(part) + 1)
        shares = [1 - late, late] if len(ends) == 2 else [1.0] * len(ends)
        right = [share * (end.undo(frame, len(part) - 1 - i if backwards else i) - frame)
                 for share, (end, backwards) in zip(shares, ends, strict=True)]
        part[i] = np.clip(frame + sum(right), 0, 1)


def gaps(made: np.ndarray) -> list[tuple[int, int]]:
    """Runs of true values, [start, stop)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], made, [False]]).astype(int)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def going_on(picture: np.ndarray, before: np.ndarray) -> np.ndarray:
    """`picture` moved on by a frame as it moved since `before`."""
    return warp(picture, believed(picture, before))


def believed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Flow a -> b, going to 0 where it cannot be believed."""
    there, sure = both_ways(*greys(a, b))
    return there * cv2.GaussianBlur(sure.astype(np.float32), (0, 0), SOFT)[..., None]


def fade(side: np.ndarray, wanted: np.ndarray) -> np.ndarray:
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
    return np.stack(out).clip(0, 1)


def greys(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Two frames in [0, 1] as the flow sees them."""
    return grey((np.stack([a, b]) * 255).round().astype(np.uint8))
