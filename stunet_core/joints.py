"""Where given frames end and made ones begin: the joint in time, closed on the made side.

What a model makes of the next frame differs a little from the last given one: its colours drift, its VAE softens, outlines are drawn
anew. All of it at once is seen as a jump. Two things take the jump away, and leave given frames alone:

- colours: what colours became at the joint is undone in all frames of the gap, colour by colour (`Colours`);
- the rest: what then still differs at the joint is added to the frames after it, less and less, carried along by optical flow.
"""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from .flow import both_ways, flow, grey, warp

BINS = 8  # colours along each axis of the table
ROUNDS = 3
LARGEST = 0.2  # a pixel that differs by more is another thing, not another colour
BELL = np.array([1, 4, 6, 4, 1], np.float32) / 16  # over neighbouring colours of the table
AROUND = 5  # pixels that must all be alike for a place to stand still
SOFT = 1.5  # pixels over which trust in the flow ends
DOUBT = 8.0  # pixels: a colour seen in fewer is corrected less


class Colours:
    """How colours changed, as a table over the colours themselves; what stood where does not count."""

    def __init__(self, made: np.ndarray, wanted: np.ndarray):
        """From two pictures h w 3 in [0, 1] of nearly the same: the mean change of each colour, and of its neighbours in the table."""
        self.tables: list[np.ndarray] = []
        for _ in range(ROUNDS):  # each finds what neighbours in the table smoothed away in the one before
            self.tables.append(table_of(made, wanted - made))
            made = made + look_up(self.tables[-1], made)

    def undo(self, frame: np.ndarray) -> np.ndarray:
        """A made frame h w 3 with its colours put right."""
        for table in self.tables:
            frame = frame + look_up(table, frame)
        return frame


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
        sides = [(part, given[start - 1])] if start and whole[start - 1] else []
        sides += [(part[::-1], given[stop])] if stop < len(whole) and whole[stop] else []
        if sides:
            put_right(part, [Colours(side[0], picture) for side, picture in sides])
        for side, picture in sides:
            reach = min(frames, len(part) // len(sides))
            side[:reach] = fade(side[:reach], picture)
    return out


def put_right(part: np.ndarray, ends: Sequence[Colours]) -> None:
    """Undo, in place, what colours became at the ends of a gap: in between on a straight line, with one end alike everywhere."""
    for i, frame in enumerate(part):
        late = (i + 1) / (len(part) + 1)
        shares = [1 - late, late] if len(ends) == 2 else [1.0]
        part[i] = np.sum([share * end.undo(frame) for share, end in zip(shares, ends, strict=True)], axis=0).clip(0, 1)


def gaps(made: np.ndarray) -> list[tuple[int, int]]:
    """Runs of true values, [start, stop)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], made, [False]]).astype(int)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def towards(picture: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """`picture` moved to where `frame` shows the same. Where the flow between them cannot be believed it stands still, and where it then
    shows something else it is `frame` itself.
    """
    there, sure = both_ways(*greys(frame, picture))
    moved = np.where(sure[..., None], warp(picture, there), picture)
    still = cv2.erode((np.abs(picture - frame).max(-1) <= LARGEST).astype(np.uint8), np.ones((AROUND, AROUND), np.uint8)) > 0
    trust = (sure | still).astype(np.float32)
    return frame + cv2.GaussianBlur(trust, (0, 0), SOFT)[..., None] * (moved - frame)


def fade(side: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Frames going away from a given picture: what differs at the first is added to all, less and less, moving as they do."""
    if not len(side):
        return side
    left = towards(picture, side[0]) - side[0]
    out = [side[0] + left]
    for i, (a, b) in enumerate(pairwise(side), start=1):
        left = warp(left, flow(*greys(b, a)))
        out.append(b + left * (1 - i / len(side)))
    return np.stack(out).clip(0, 1)


def greys(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Two frames in [0, 1] as the flow sees them."""
    return grey((np.stack([a, b]) * 255).round().astype(np.uint8))
