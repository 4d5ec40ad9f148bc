"""Scenes to frames, with the ground truth of every frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from training.world.backgrounds import background
from training.world.camera import view
from training.world.local import draw_local
from training.world.motion import CLIP_SECONDS, Poses, poses
from training.world.scene import Scene, Thing
from training.world.sprites import BOX, SMALLER, Sprite, composite, sprite

# A frame is drawn by many tiny OpenCV calls: their threads would only wait for each other, and a busy machine makes
# each wait last a time slice (measured beside a training process: 60 ms a frame with threads, 3 ms without).
cv2.setNumThreads(1)


@dataclass(frozen=True)
class Rendered:
    """What `render` made. F frames of size H = W, T things; positions in pixels, pixel i covering [i, i+1).

    frames uint8 [F, H, W, 3] RGB; masks bool [T, F, H, W], each thing's visible pixels; centres float [T, F, 2] (x,
    y), scales [T, F] (longer side as a fraction of the frame), angles [T, F] (radians, clockwise); local_mask bool
    [F, H, W], the part that moves in place (empty without one). `mask`, `centre`, `scale`, `angle` are those of
    things[0].
    """

    frames: np.ndarray
    masks: np.ndarray
    centres: np.ndarray
    scales: np.ndarray
    angles: np.ndarray
    local_mask: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        return self.masks[0]

    @property
    def centre(self) -> np.ndarray:
        return self.centres[0]

    @property
    def scale(self) -> np.ndarray:
        return self.scales[0]

    @property
    def angle(self) -> np.ndarray:
        return self.angles[0]


def render(
    scene: Scene,
    *,
    frames: int = 80,
    size: int = 128,
    fps: float = 16,
    start: float = 0.0,
    only: Sequence[int] | None = None,
) -> Rendered:
    """Render a scene: `frames` frames at `fps` from `start` seconds into the five-second clip, or of those only the
    indices `only`.

    ValueError for frames < 1, size < 16, fps <= 0, or an index outside 0..frames-1.
    """
    if frames < 1 or size < 16 or not fps > 0:
        raise ValueError(f"frames, size, fps: need at least 1, 16 and a positive rate, got {frames}, {size}, {fps}")
    index = np.arange(frames) if only is None else np.asarray(only, np.int64)
    if len(index) == 0 or index.min() < 0 or index.max() >= frames:
        raise ValueError(f"only: needs frame indices in 0..{frames - 1}, got {list(index)}")
    seconds = start + index / fps
    tracks = tracks_of(scene, seconds)
    drawings = [sprite(thing.object, thing.style, thing.colour, thing.variant) for thing in scene.things]
    out = np.empty((len(index), size, size, 3), np.uint8)
    masks = np.zeros((len(scene.things), len(index), size, size), bool)
    local_mask = np.zeros((len(index), size, size), bool)
    for n, second in enumerate(seconds):
        ripple = float(second) if scene.local == "water" else 0.0
        seen = view(scene.camera, float(second) - CLIP_SECONDS / 2)
        out[n] = background(scene.background, size, scene.seed, ripple, seen)
        if scene.local:
            draw_local(out[n], local_mask[n], scene, float(second))
        for k, (drawing, track) in enumerate(zip(drawings, tracks, strict=True)):
            stamp(out[n], masks[:k, n], masks[k, n], local_mask[n], drawing, track, n)
    return Rendered(
        out,
        masks,
        np.stack([track.centre * size for track in tracks]),
        np.stack([track.scale for track in tracks]),
        np.stack([track.angle for track in tracks]),
        local_mask,
    )


def tracks_of(scene: Scene, seconds: np.ndarray) -> list[Poses]:
    """Where each thing is in the frame at `seconds` [F] of the clip, as the camera sees it."""
    tracks = [poses(thing, seconds - CLIP_SECONDS / 2) for thing in scene.things]
    if scene.camera is not None:
        views = np.array([view(scene.camera, float(s) - CLIP_SECONDS / 2) for s in seconds])
        tracks = [seen_from(views, track) for track in tracks]
    return tracks


def seen_from(views: np.ndarray, track: Poses) -> Poses:
    """A track as a camera sees it; views [F, 3], as `camera.View`."""
    return replace(track, centre=(track.centre - views[:, :2]) * views[:, 2:] + 0.5, scale=track.scale * views[:, 2])


def stamp(
    frame: np.ndarray, under: np.ndarray, mask: np.ndarray, local: np.ndarray, drawing: Sprite, track: Poses, n: int
) -> None:
    """Draw one pose of a drawing into `frame` [H, W, 3] and `mask` [H, W], and take its pixels from the masks it
    hides.
    """
    size = frame.shape[0]
    wanted = track.scale[n] * size / BOX * SMALLER[0]  # the cell's side in the frame, px
    level = max(i for i, side in enumerate(SMALLER) if i == 0 or side >= wanted)
    cell = drawing.levels[level]
    factor = track.scale[n] * size / BOX * SMALLER[0] / SMALLER[level]
    cos, sin = math.cos(track.angle[n]), math.sin(track.angle[n])
    a = np.array([[cos, -sin], [sin, cos]]) @ np.diag(track.stretch[n] * factor)
    centre = track.centre[n] * size
    shift = centre - a @ (np.array(drawing.middle) * SMALLER[level] / SMALLER[0])  # continuous coordinates
    half = np.abs(a) @ np.full(2, SMALLER[level] / 2.0)
    box_middle = a @ np.full(2, SMALLER[level] / 2.0) + shift
    x0, y0 = np.maximum(np.floor(box_middle - half), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(box_middle + half), size).astype(int)
    if x1 <= x0 or y1 <= y0:
        return
    offset = a @ np.full(2, 0.5) + shift - 0.5 - (x0, y0)  # to pixel indices of the box
    matrix = np.column_stack([a, offset])
    patch = cv2.warpAffine(cell, matrix, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR)
    where = np.s_[y0:y1, x0:x1]
    composite(frame[where], patch)
    seen = patch[..., 3] > 127
    mask[where] = seen
    under[:, y0:y1, x0:x1] &= ~seen
    local[where] &= ~seen


def thing_span(thing: Thing, frames: int = 80, fps: float = 16) -> Poses:
    """The poses of a thing over a whole clip, without drawing it (the ground truth alone)."""
    return poses(thing, np.arange(frames) / fps - CLIP_SECONDS / 2)
