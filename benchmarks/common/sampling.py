"""Captions never trained on, and what the model makes of them, in plain torch."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from benchmarks.common.models import Models
from stunet_core.model.precision import half
from training.common import sampling
from training.common.data import SIZE, to_tensor
from training.common.prompts import told_of
from training.common.sampling import Asked, Told
from training.common.sheets import to_uint8
from training.world import Scene, caption, render, sample_scene

IMAGES_AT_ONCE, CLIPS_AT_ONCE, FRAMES_AT_ONCE = 32, 1, 16
FRAMES = 80


def held_out(count: int, objects: Sequence[str], seed: int, two: float = 0.12, camera: float = 0.10,
             colour: float = 0.15) -> tuple[list[Scene], list[str]]:
    """Scenes of combinations kept out of training, `two` of them with several things, and their captions."""
    rng = np.random.default_rng([seed, 77])
    scenes = [sample_scene(rng, objects, held_out=True, local=0.0, two=two, camera=camera, colour=colour) for _ in range(count)]
    return scenes, [caption(scene, rng) for scene in scenes]


def told(models: Models, scenes: Sequence[Scene], captions: Sequence[str]) -> Told:
    """Captions, and pictures of their scenes' things."""
    return told_of(models.mini, models.autoencoder, scenes, captions)


@torch.no_grad()
def decode(models: Models, z: Tensor) -> np.ndarray:
    """n 8 h w -> n H W 3 uint8"""
    with half():
        return np.concatenate([to_uint8(models.autoencoder.decode(part.float()).float()) for part in z.split(FRAMES_AT_ONCE)])


@torch.no_grad()
def encode(models: Models, frames: np.ndarray) -> Tensor:
    """F H W 3 uint8 -> F 8 h w"""
    return torch.cat([models.autoencoder.encode(to_tensor(part)) for part in np.array_split(frames, -(-len(frames) // FRAMES_AT_ONCE))])


@torch.no_grad()
def sample_images(models: Models, asked: Told, how: Asked, negative: str = "") -> np.ndarray:
    """-> n 256 256 3 uint8"""
    against = Told(models.ids([negative]), torch.zeros_like(asked.pictures[:1]), torch.zeros_like(asked.shown[:1])) if negative else None
    frames = []
    for start in range(0, len(asked), IMAGES_AT_ONCE):
        with half():
            some = asked.part(start, IMAGES_AT_ONCE)
            z = sampling.sample_images(models.mini, models.autoencoder, some, replace(how, seed=how.seed + start), against)
        frames.append(decode(models, z))
    return np.concatenate(frames)


@torch.no_grad()
def sample_clips(models: Models, asked: Told, frames: int, how: Asked) -> np.ndarray:
    """-> n frames H W 3 uint8. ValueError when there is no skeleton."""
    if models.skeleton is None:
        raise ValueError("models: there is no skeleton to sample clips with; ask for --clips 0")
    clips = []
    for start in range(0, len(asked), CLIPS_AT_ONCE):
        some = asked.part(start, CLIPS_AT_ONCE)
        with half():
            z = sampling.sample_clips(models.mini, models.skeleton, models.autoencoder, some, frames, replace(how, seed=how.seed + start))
        pictures = decode(models, z)
        clips.append(pictures.reshape(len(some), frames, *pictures.shape[1:]))
    return np.concatenate(clips)


def truth(models: Models, scenes: Sequence[Scene], frames: int | None = None) -> np.ndarray:
    """The scenes rendered, through the autoencoder: n H W 3 (of the middle frame) or n frames H W 3, what a perfect model would make."""
    only = [FRAMES // 2] if frames is None else np.linspace(0, FRAMES - 1, frames).round().astype(int).tolist()
    made = [decode(models, encode(models, render(scene, size=SIZE, only=only).frames)) for scene in scenes]
    return np.concatenate(made) if frames is None else np.stack(made)
