"""Every video is decoded and encoded once. One safetensors file each: latents, and what its captions are to the U-Net.

A file is named after all that its content depends on, so that a changed setting, video or caption makes another one, and
an interrupted start goes on where it was. Of a file, training reads only the frames it needs.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from .buckets import nearest
from .decode import Unreadable, fit, read_frames
from .image_model import Encoders, Text
from .videos import Video

log = logging.getLogger(__name__)
ENCODED = 16  # frames at once
VERSION = "2"  # of what this file does with a video


@dataclass(frozen=True)
class Recipe:
    """What a cached clip depends on besides its video: `size` of a square one, and the files that encode it."""

    fps: float
    size: int
    encoders: str

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 120:
            raise ValueError(f"fps: {self.fps:g}; give the frames per second to train at, such as 8 or 16, at most 120")

    def file(self, folder: Path, video: Video) -> Path:
        told = "\n".join((VERSION, repr(self), video.name, video.stamp, *video.captions))
        return folder / f"{Path(video.name).stem}-{hashlib.sha256(told.encode()).hexdigest()[:16]}.safetensors"


@dataclass(frozen=True)
class CachedClip:
    """A file of the cache. The last of its `texts` is the empty caption."""

    file: Path
    frames: int
    size: tuple[int, int]  # height, width in cells
    texts: int

    @classmethod
    def of(cls, file: Path) -> "CachedClip":
        with safe_open(str(file), framework="pt") as tensors:
            frames, _, height, width = tensors.get_slice("z").get_shape()
            return cls(file, frames, (height, width), sum(name.startswith("context.") for name in tensors.keys()))  # noqa: SIM118

    def latents(self, start: int, frames: int) -> Tensor:
        """f c h w"""
        with safe_open(str(self.file), framework="pt") as tensors:
            return tensors.get_slice("z")[start:start + frames].float()

    def text(self, index: int) -> Text:
        with safe_open(str(self.file), framework="pt") as tensors:
            y = f"y.{index}"
            return Text(tensors.get_tensor(f"context.{index}"), tensors.get_tensor(y) if y in tensors.keys() else None)  # noqa: SIM118


def missing(folder: Path, videos: Sequence[Video], recipe: Recipe) -> list[Video]:
    return [video for video in videos if not recipe.file(folder, video).is_file()]


def fill(folder: Path, videos: Iterable[Video], recipe: Recipe, sizes: list[tuple[int, int]], encoders: Encoders) -> None:
    """Encode `videos`, each in one of `sizes` (width, height). One that cannot be read is left out, and the log says why."""
    folder.mkdir(parents=True, exist_ok=True)
    for video in videos:
        try:
            tensors = encode(video, recipe.fps, sizes, encoders)
        except Unreadable as error:
            log.warning("left out: %s", error)
            continue
        file = recipe.file(folder, video)
        part = file.with_suffix(".part")
        save_file(tensors, str(part))
        part.replace(file)
        print(f"cached {video.name}: {len(tensors['z'])} frames of {tensors['z'].shape[3]}x{tensors['z'].shape[2]} cells", flush=True)


def encode(video: Video, fps: float, sizes: list[tuple[int, int]], encoders: Encoders) -> dict[str, Tensor]:
    """z: f c h w, half; for each caption and last for the empty one context.i: n c, and y.i: p where the U-Net takes it."""
    frames = read_frames(video, fps)
    first = next(frames, None)
    if first is None:
        raise Unreadable(f"{video.name}: it lasts no time")
    width, height = nearest(sizes, first.shape[1], first.shape[0])
    fitted = (fit(frame, width, height) for frame in chain([first], frames))
    z = torch.cat([encoders.pictures(np.stack(some)).half() for some in batched(fitted, ENCODED)])
    out = {"z": z.contiguous()}
    for i, caption in enumerate((*video.captions, "")):
        text = encoders.text(caption, width, height)
        out[f"context.{i}"] = text.context.float().clone(memory_format=torch.contiguous_format)
        if text.y is not None:
            out[f"y.{i}"] = text.y.float().clone(memory_format=torch.contiguous_format)
    return out


def batched(items: Iterator[np.ndarray], count: int) -> Iterator[list[np.ndarray]]:
    while some := list(islice(items, count)):
        yield some


def open_cache(folder: Path, videos: Sequence[Video], recipe: Recipe, frames: int) -> list[CachedClip]:
    """What can be trained on: clips of at least `frames` frames. Raises ValueError when there is none."""
    files = [recipe.file(folder, video) for video in videos]
    clips = [CachedClip.of(file) for file in files if file.is_file()]
    long_enough = [clip for clip in clips if clip.frames >= frames]
    if not long_enough:
        longest = max((clip.frames for clip in clips), default=0)
        raise ValueError(f"frames: none of the {len(videos)} videos has {frames} frames at {recipe.fps:g} per second (the longest that "
                         f"could be read has {longest}); give fewer --frames, a higher --fps, or longer videos")
    if len(long_enough) < len(videos):
        log.warning("%d of %d videos are used; the others are shorter than %d frames or could not be read", len(long_enough),
                    len(videos), frames)
    return long_enough
