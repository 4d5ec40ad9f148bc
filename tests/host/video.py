"""Reading back the videos and pictures that ComfyUI saved."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from launch.client import Client, Run


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


def pictures(client: Client, run: Run, node: str) -> np.ndarray:
    """The PNGs that a node saved: uint8 [F, H, W, 3]."""
    saved = [Image.open(io.BytesIO(client.download(file))) for file in run.files(node)]
    return np.stack([np.asarray(picture.convert("RGB")) for picture in saved])
