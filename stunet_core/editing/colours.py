"""How the colours of a made clip drift off those of a given picture, and how to put them right, whatever stands where.

A model and its VAE change some colours more than others: a red may brighten while the white beside it stays. So the change is held as
a table over the colours themselves (a coarse 3D lookup table, as in colour grading), found where clip and picture show the same.
"""

import cv2
import numpy as np

BINS = 8  # colours along each axis of the table
ROUNDS = 3
EVERY = 8  # frames from one table of colours to the next
ENOUGH = 65536  # pixels of a frame, from which a table is made
LARGEST = 0.2  # a pixel that differs by more is another thing, not another colour
NEARLY, WIDE = 0.1, 1 / 16  # what still differs by no more is put right over so much of the frame's side
BELL = np.array([1, 4, 6, 4, 1], np.float32) / 16  # over neighbouring colours of the table
DOUBT = 8.0  # pixels: a colour seen in fewer is corrected less


class Colours:
    """How the colours of some frames differ from those of a given picture, where both show the same at a place."""

    def __init__(self, side: np.ndarray, picture: np.ndarray):
        """side: F h w 3 going away from `picture` h w 3, all in [0, 1]; one table for every EVERY frames, and for the last."""
        self.times = sorted({*range(0, len(side), EVERY), len(side) - 1})
        step = max(1, round((picture[..., 0].size / ENOUGH) ** 0.5))
        self.tables = [smooth_table(side[i, ::step, ::step], picture[::step, ::step]) for i in self.times]
        self.clouds = [cloud(side[i] + look_up(table, side[i]), picture) for i, table in zip(self.times, self.tables, strict=True)]

    def undo(self, frame: np.ndarray, i: int) -> np.ndarray:
        """Frame `i` h w 3 with its colours put right; what was found at some times turns into the next evenly."""
        after = next(k for k, time in enumerate(self.times) if time >= i)
        before = max(0, after - 1)
        late = (i - self.times[before]) / max(1, self.times[after] - self.times[before])
        table, found = ((1 - late) * some[before] + late * some[after] for some in (self.tables, self.clouds))
        return frame + look_up(table, frame) + found


def cloud(frame: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """What is left of the drift, softly over the frame: h w 3; nothing where the two do not show the same."""
    change, wide = picture - frame, min(frame.shape[:2]) * WIDE
    alike = (np.abs(change).max(-1, keepdims=True) <= NEARLY).astype(np.float32)
    return cv2.GaussianBlur(change * alike, (0, 0), wide)


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
