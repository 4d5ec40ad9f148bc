"""From a video file to frames at one rate and of one size. PyAV: it knows when each frame was shown, so that files of
varying frame rate, such as phones record, keep their speed.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import av
import cv2
import numpy as np

from .videos import Video

EARLY = 1e-4  # seconds by which a frame may be shown too early: times in files are rounded


class Unreadable(ValueError):
    """The file is no video, damaged, or has no picture in it."""


def read_frames(video: Video, fps: float) -> Iterator[np.ndarray]:
    """Its frames upright, uint8 h w 3, `fps` of them for each of its seconds. Raises Unreadable."""
    return resample(_decoded(video), fps)


def _decoded(video: Video) -> Iterator[tuple[float, np.ndarray]]:
    """(time in seconds, frame), and last the time when the last one ends, with that frame again."""
    try:
        with av.open(video.open(), mode="r") as container:
            if not container.streams.video:
                raise Unreadable(f"{video.name}: has no picture in it")
            stream = container.streams.video[0]
            lasts = float(1 / (stream.average_rate or 24))
            frame = None
            for i, frame in enumerate(container.decode(stream)):
                time = i * lasts if frame.time is None else frame.time
                picture = upright(frame.to_ndarray(format="rgb24"), frame.rotation)
                yield time, picture
            if frame is None:
                raise Unreadable(f"{video.name}: no frame of it could be decoded")
            yield time + lasts, picture
    except av.FFmpegError as error:
        raise Unreadable(f"{video.name}: {error.strerror}") from error


def resample(shown: Iterable[tuple[float, np.ndarray]], fps: float) -> Iterator[np.ndarray]:
    """What is on the screen at 0, 1/fps, 2/fps, ... after the first frame; nothing is blended."""
    start, tick = None, 0
    for (time, frame), (until, _) in pairwise(shown):
        start = time if start is None else start
        while tick / fps < until - start - EARLY:
            yield frame
            tick += 1


def upright(frame: np.ndarray, degrees: int) -> np.ndarray:
    """Turned counterclockwise, as a phone held upright tells its player to."""
    return np.rot90(frame, round(degrees / 90) % 4)


def fit(frame: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scaled to cover width x height and cropped in the middle: uint8 h w 3 -> uint8 height width 3"""
    h, w = frame.shape[:2]
    scale = max(width / w, height / h)
    across, down = max(width, round(w * scale)), max(height, round(h * scale))
    small = cv2.resize(np.ascontiguousarray(frame), (across, down), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = (across - width) // 2, (down - height) // 2
    return small[top:top + height, left:left + width]
