"""Batches of the world for the trainers. Everything follows from the generator that is passed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor

from stunet_core.mini.autoencoder import SCALE
from stunet_core.mini.config import MiniConfig
from stunet_core.mini.poses.draft import INSTANCES
from stunet_core.mini.poses.drawing import DRAWN, FILLED, Drawing, drawing
from stunet_core.mini.recolour import GROUND
from stunet_core.mini.tokenizer import Tokenizer

from ..world import OBJECT_NAMES, Scene, caption, labels, library, render, sample_scene
from ..world.motion import ahead
from ..world.render import tracks_of
from ..world.scene import SPEEDS

FRAMES, SIZE, FPS = 80, 256, 16
CELLS = MiniConfig.picture_cells  # along each side of the picture of a thing
PICTURE = CELLS * SCALE  # the side in pixels
SMALLEST = 158      # of a drawing in it, in pixels
NAMED = 0.45        # share of scenes with things that captions have a word for, where there are others
TWO, VARIANT, COLOUR = 0.17, 0.22, 0.13  # shares of the scenes that models train on (`sample_scene`)


@lru_cache(maxsize=1)
def trained_on() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The things that models train on: those that captions have a word for, and the others."""
    known, drawn = frozenset(OBJECT_NAMES), library.trained()
    return tuple(name for name in drawn if name in known), tuple(name for name in drawn if name not in known)


def training_scene(rng: np.random.Generator) -> Scene:
    """A scene as models train on it: one thing in eight, and a tenth of the combinations, never come."""
    named, others = trained_on()
    things = named if not others or rng.random() < NAMED else others
    return sample_scene(rng, things, two=TWO, variant=VARIANT, colour=COLOUR)


def told_times(scene: Scene, frames: np.ndarray) -> np.ndarray:
    """When `frames` (n, from 0) of a clip are, in frames from its middle, as the model is told it: of what captions do not say, the
    phase is told as a time, and how fast it is beside what its word says (slow, normal, fast) as a time that passes faster."""
    thing = scene.things[0]
    return (frames - (FRAMES - 1) / 2 + FPS * ahead(thing)) * (thing.speed / SPEEDS[thing.pace])


def poses_of(scene: Scene, frames: np.ndarray) -> np.ndarray:
    """Where each thing is in `frames` (n, from 0) of a clip, as the pose head guesses it: float32 n INSTANCES 5: x, y (shares of the
    frame, of its centre), log2 of its longer side, angle (radians, clockwise), 1 where there is such a thing."""
    out = np.zeros((len(frames), INSTANCES, 5), np.float32)
    for k, track in enumerate(tracks_of(scene, frames / FPS)):
        out[:, k] = np.column_stack([track.centre, np.log2(track.scale), track.angle, np.ones(len(frames))])
    return out


@dataclass(frozen=True)
class Picture:
    """The picture of a thing: `pixels` uint8 [192, 192, 3]; `coverage` float [12, 12], 0 to 1; `length`: the longer side of the thing, of
    the picture's side.
    """

    pixels: np.ndarray
    coverage: np.ndarray
    length: float


def picture(cell: np.ndarray, rng: np.random.Generator | None = None) -> Picture:
    """A drawing (premultiplied RGBA) somewhere on a plain colour, of any size.

    Without `rng` in the middle of the book's grey, as the book has it.
    """
    side = round(DRAWN * PICTURE) if rng is None else int(rng.integers(SMALLEST, PICTURE + 1))
    corner = ((PICTURE - side) // 2,) * 2 if rng is None else tuple(rng.integers(0, PICTURE - side + 1, 2))
    ground = np.full(3, GROUND) if rng is None else rng.integers(40, 256, 3)
    full = laid(cell, side, corner)
    alpha = full[..., 3:].astype(np.float32) / 255
    pixels = (full[..., :3] + (1 - alpha) * ground).clip(0, 255).astype(np.uint8)
    return Picture(pixels, alpha.reshape(CELLS, SCALE, CELLS, SCALE).mean((1, 3)), FILLED * side / PICTURE)


def book_drawing(cell: np.ndarray) -> Drawing:
    """A drawing (premultiplied RGBA) as the book has it, for drafts."""
    side = round(DRAWN * PICTURE)
    return drawing(laid(cell, side, ((PICTURE - side) // 2,) * 2))


def laid(cell: np.ndarray, side: int, corner: tuple[int, ...]) -> np.ndarray:
    """A drawing of `side` pixels in a picture, from `corner` (y, x) on: premultiplied RGBA, uint8 [192, 192, 4]."""
    full = np.zeros((PICTURE, PICTURE, 4), np.uint8)
    full[corner[0]:corner[0] + side, corner[1]:corner[1] + side] = cv2.resize(cell, (side, side), interpolation=cv2.INTER_AREA)
    return full


def to_tensor(frames: np.ndarray) -> Tensor:
    """n h w 3 uint8 -> n 3 h w in [-1, 1]"""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 127.5 - 1


def caption_batch(rng: np.random.Generator, count: int, tokenizer: Tokenizer, length: int) -> tuple[Tensor, Tensor]:
    """Captions of named things -> ids (count length), labels (count kinds), -1 where a caption does not say"""
    scenes = [sample_scene(rng, OBJECT_NAMES) for _ in range(count)]
    ids = [tokenizer.pad(tokenizer.encode(caption(scene, rng)), length) for scene in scenes]
    return torch.tensor(ids), torch.tensor([list(labels(scene).values()) for scene in scenes])


def frame_batch(rng: np.random.Generator, count: int, *, held_out: bool = False,
                objects: Sequence[str] | None = None) -> tuple[Tensor, Tensor]:
    """-> single frames of clips (count 3 256 256) in [-1, 1], and where things are (count 1 256 256), 0 or 1

    Held-out frames show named things in combinations that are never trained on, others what models train on.
    """
    frames, things = [], []
    for _ in range(count):
        fixed = held_out or objects is not None
        scene = sample_scene(rng, objects or OBJECT_NAMES, held_out=held_out) if fixed else training_scene(rng)
        clip = render(scene, only=[int(rng.integers(FRAMES))], size=SIZE)
        frames.append(clip.frames[0])
        things.append(clip.masks[:, 0].any(axis=0) | clip.local_mask[0])
    return to_tensor(np.stack(frames)), torch.from_numpy(np.stack(things))[:, None].float()
