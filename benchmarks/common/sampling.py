"""Captions never trained on, and what the model makes of them, in plain torch."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from benchmarks.common.models import Models
from training.common.sampling import STEADY
from training.common.sheets import to_uint8
from training.stages import image as image_stage
from training.stages import video as video_stage
from training.world import Scene, caption, sample_scene

IMAGES_AT_ONCE, CLIPS_AT_ONCE = 32, 2


def held_out(count: int, objects: tuple[str, ...], seed: int, two: float = 0.12) -> tuple[list[Scene], list[str]]:
    """Scenes of combinations kept out of training, `two` of them with two things, and their captions."""
    rng = np.random.default_rng([seed, 77])
    scenes = [sample_scene(rng, objects, held_out=True, local=0.0, two=two) for _ in range(count)]
    return scenes, [caption(scene, rng) for scene in scenes]


def parts(models: Models, captions: list[str], at_once: int) -> Iterator[tuple[int, Tensor]]:
    """(number of the first caption, token ids) of a few captions at a time."""
    for start in range(0, len(captions), at_once):
        yield start, models.ids(captions[start:start + at_once])


@torch.no_grad()
def sample_images(models: Models, captions: list[str], cfg: float, steps: int, negative: str = "") -> np.ndarray:
    """-> n 128 128 3 uint8"""
    frames = []
    for start, ids in parts(models, captions, IMAGES_AT_ONCE):
        with torch.autocast("cpu", torch.bfloat16):
            z = image_stage.samples(models.net, models.text, ids, models.ids([negative]), seed=start, cfg=cfg, steps=steps)
            frames.append(to_uint8(models.autoencoder.decode(z.float()).float()))
    return np.concatenate(frames)


@torch.no_grad()
def sample_clips(models: Models, captions: list[str], frames: int, cfg: float, steps: int, seed: int = 0,
                 averaged: float = STEADY, size: int = 16) -> np.ndarray:
    """-> n frames h h 3 uint8, h 8 times `size`; `averaged` over so many frames while they are made"""
    if models.skeleton is None:
        raise ValueError("models: there is no skeleton to sample clips with; ask for --clips 0")
    clips = []
    for start, ids in parts(models, captions, CLIPS_AT_ONCE):
        with torch.autocast("cpu", torch.bfloat16):
            z = video_stage.samples(models.net, models.skeleton, models.text, ids, models.ids([""]), frames,
                                    size=size, seed=seed + start, cfg=cfg, steps=steps, averaged=averaged)
            pictures = torch.cat([models.autoencoder.decode(part.float()).float() for part in z.split(16)])
        clips.append(to_uint8(pictures).reshape(len(ids), frames, *pictures.shape[2:], 3))
    return np.concatenate(clips)
