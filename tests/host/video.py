"""Reading back the videos that ComfyUI saved."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np


@dataclass(frozen=True)
class Video:
    """`frames`: uint8 [F, H, W, 3] RGB; `fps`: frames per second; `codec`: for example "h264"."""

    frames: np.ndarray
    fps: Fraction | None
    codec: str


def decode(content: bytes) -> Video:
    """All frames of a video file; av.error.InvalidDataError when it is none."""
    with av.open(io.BytesIO(content), mode="r") as container:
        stream = container.streams.video[0]
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])
        return Video(frames, stream.average_rate, stream.codec_context.name)
