"""Batches of the world for the trainers. Everything follows from the generator that is passed in."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from stunet_core.mini.config import MiniConfig
from stunet_core.mini.tokenizer import Tokenizer

from ..world import BACKGROUNDS, MOTIONS, OBJECT_NAMES, PACES, STYLES, Scene, caption, labels, render, sample_scene
from ..world.motion import ahead
from ..world.scene import SPEEDS

ATTRIBUTES = ("object", "style", "background", "motion", "pace", "second", "second_motion")
NAMED_AS = {"pace": "speed", "second": "object", "second_motion": "motion"}  # what `scene.named` calls them
FRAMES, SIZE, FPS = 80, 128, 16
MODEL = MiniConfig(scale_shift=True)  # what the trainers train


def first_objects(count: int) -> tuple[str, ...]:
    """The objects a model of this size learns: the first `count` of the world's."""
    if not 2 <= count <= len(OBJECT_NAMES):
        raise ValueError(f"objects={count}: give 2 to {len(OBJECT_NAMES)}")
    return OBJECT_NAMES[:count]


def attribute_sizes() -> tuple[int, ...]:
    n, m = len(OBJECT_NAMES), len(MOTIONS)
    return n, len(STYLES), len(BACKGROUNDS), m, len(PACES), n, m


def named_labels(scene: Scene) -> list[int]:
    """Class indices in the order of ATTRIBUTES, -1 for what the caption does not name."""
    values = labels(scene)
    return [values[a] if NAMED_AS.get(a, a) in scene.named else -1 for a in ATTRIBUTES]


def told_times(scene: Scene, frames: np.ndarray) -> np.ndarray:
    """When `frames` (n, from 0) of a clip are by its clock, in frames from its middle: of what captions do not say, the phase is told
    as a time, and how fast it is beside what its word says (slow, normal, fast) as a clock that goes faster."""
    thing = scene.things[0]
    return (frames - (FRAMES - 1) / 2 + FPS * ahead(thing)) * (thing.speed / SPEEDS[thing.pace])


def to_tensor(frames: np.ndarray) -> Tensor:
    """n h w 3 uint8 -> n 3 h w in [-1, 1]"""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 127.5 - 1


def caption_batch(rng: np.random.Generator, count: int, tokenizer: Tokenizer, length: int,
                  objects: Sequence[str] = OBJECT_NAMES) -> tuple[Tensor, Tensor]:
    """-> ids (count length), labels (count attributes), -1 where the caption does not say"""
    scenes = [sample_scene(rng, objects) for _ in range(count)]
    ids = [tokenizer.pad(tokenizer.encode(caption(scene, rng)), length) for scene in scenes]
    return torch.tensor(ids), torch.tensor([named_labels(scene) for scene in scenes])


def frame_batch(rng: np.random.Generator, count: int, *, held_out: bool = False,
                objects: Sequence[str] = OBJECT_NAMES) -> tuple[Tensor, Tensor]:
    """-> single frames of clips (count 3 128 128) in [-1, 1], and where things are (count 1 128 128), 0 or 1"""
    frames, things = [], []
    for _ in range(count):
        clip = render(sample_scene(rng, objects, held_out=held_out), only=[int(rng.integers(FRAMES))], size=SIZE)
        frames.append(clip.frames[0])
        things.append(clip.masks[:, 0].any(axis=0) | clip.local_mask[0])
    return to_tensor(np.stack(frames)), torch.from_numpy(np.stack(things))[:, None].float()
