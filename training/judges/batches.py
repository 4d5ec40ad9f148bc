"""What the judges learn from: rendered frames and clips, roughened the way an autoencoder and a sampler would."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.model.precision import half

from ..common.data import FRAMES
from ..common.data import SIZE as WHOLE
from ..world import BACKGROUNDS, CAMERAS, COLOURS, MOTIONS, OBJECT_NAMES, STYLES, Rendered, Scene, library, render, sample_scene
from .judges import cut_out, to_input
from .looks import cut, reference
from .nets import CLIP_FRAMES, CLIP_SIZE, MASK, SIZE

Batch = tuple[Tensor, dict[str, Tensor]]
RoundTrip = Callable[[Tensor], Tensor]
THROUGH = 16       # one frame in so many goes through the autoencoder
UNNAMED = 0.3      # share of frames with things that have no name: they teach where things are, and in what style
MIRRORED = {"left": "right", "right": "left", "pan left": "pan right", "pan right": "pan left"}


def round_trip(model: Autoencoder) -> RoundTrip:
    """Encode pictures n 3 256 256, disturb their latents a little, and decode them."""

    @torch.no_grad()
    def run(x: Tensor) -> Tensor:
        with half():
            z = model.encode(x).float()
            return model.decode(z + 0.1 * torch.randn_like(z)).float().clamp(-1, 1)

    return run


def roughen(rng: np.random.Generator, frame: np.ndarray) -> np.ndarray:
    """Blur or brighten a frame [h, w, 3] uint8 a little, or leave it."""
    kind, side = rng.random(), frame.shape[0]
    if kind < 0.25:
        small = round(side * rng.uniform(0.4, 0.9))
        frame = cv2.resize(cv2.resize(frame, (small, small), interpolation=cv2.INTER_AREA), (side, side))
    elif kind < 0.4:
        frame = cv2.GaussianBlur(frame, (0, 0), float(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.5:
        frame = cv2.convertScaleAbs(frame, alpha=float(rng.uniform(0.92, 1.08)), beta=float(rng.uniform(-8, 8)))
    return frame


def everything() -> tuple[str, ...]:
    """All things that are drawn, those that models never train on too."""
    return library.names() or OBJECT_NAMES


def small_mask(clip: Rendered) -> np.ndarray:
    """float MASK MASK, where the things of a clip's first frame are"""
    return cv2.resize(clip.masks[:, 0].max(axis=0).astype(np.float32), (MASK, MASK), interpolation=cv2.INTER_AREA)


def frame_batch(rng: np.random.Generator, count: int, through: RoundTrip | None) -> Batch:
    """-> frames (count 3 96 96) in [-1, 1]; targets object (count objects; all 0 where things have no name), style, background, colour
    (-1 where things have several) and mask."""
    frames, masks, labels = [], [], []
    target = torch.zeros(count, len(OBJECT_NAMES))
    for n in range(count):
        scene = sample_scene(rng, everything() if rng.random() < UNNAMED else OBJECT_NAMES, two=0.15, variant=0.05)
        clip = render(scene, size=WHOLE if through and n % THROUGH == 0 else SIZE, only=[int(rng.integers(FRAMES))])
        picture = clip.frames[0]
        if through and n % THROUGH == 0:
            again = (through(to_input(picture)[None])[0] + 1) * 127.5
            picture = cv2.resize(again.round().to(torch.uint8).movedim(0, -1).numpy(), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        frames.append(roughen(rng, picture))
        masks.append(small_mask(clip))
        for thing in scene.things:
            if all(other.object in OBJECT_NAMES for other in scene.things) and not thing.variant:
                target[n, OBJECT_NAMES.index(thing.object)] += 1 / len(scene.things)
        painted = {thing.colour for thing in scene.things}
        colour = [*COLOURS, None].index(painted.pop()) if len(painted) == 1 and not scene.things[0].variant else -1
        labels.append((STYLES.index(scene.things[0].style), BACKGROUNDS.index(scene.background), colour))
    x = to_input(np.stack(frames))
    level = torch.from_numpy(rng.random((count, 1, 1, 1), dtype=np.float32)) * 0.06
    x = x + torch.from_numpy(rng.standard_normal(x.shape, dtype=np.float32)) * level
    style, background, shade = torch.tensor(labels).unbind(1)
    return x, {"object": target, "style": style, "background": background, "colour": shade, "mask": torch.from_numpy(np.stack(masks))}


def moves_alike(scene: Scene) -> bool:
    return len({thing.motion for thing in scene.things}) == 1


def clip_batch(rng: np.random.Generator, count: int) -> Batch:
    """-> clips (count 40 5 32 32), cut out by their true masks, their motion and camera. A mirrored clip moves the other way."""
    clips: list[np.ndarray] = []
    masks: list[np.ndarray] = []
    labels: list[tuple[int, int]] = []
    while len(clips) < count:
        scene = sample_scene(rng, everything(), camera=0.3, variant=0.2)
        if not moves_alike(scene):
            continue
        clip = render(scene, size=CLIP_SIZE, only=range(0, FRAMES, FRAMES // CLIP_FRAMES))
        frames, mask, motion, camera = clip.frames, clip.masks.max(axis=0), scene.things[0].motion, scene.camera
        if rng.random() < 0.5:
            frames, mask = frames[:, :, ::-1], mask[:, :, ::-1]
            motion, camera = MIRRORED.get(motion, motion), MIRRORED.get(camera or "", camera)
        clips.append(frames[..., rng.permutation(3)])  # motion has no colour
        masks.append(mask)
        labels.append((MOTIONS.index(motion), [*CAMERAS, None].index(camera)))
    x, seen = to_input(np.stack(clips)), torch.from_numpy(np.stack(masks)).float()
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
    level, light, blend = (torch.rand(count, 1, 1, 1, 1, generator=generator) for _ in range(3))
    x = x * (0.85 + 0.3 * light) + torch.randn(x.shape, generator=generator) * level * 0.08
    soft = F.avg_pool2d(seen, 3, stride=1, padding=1, count_include_pad=False)  # a judge's masks are not as sharp
    seen = (seen + (soft - seen) * blend[:, 0] + torch.randn(seen.shape, generator=generator) * 0.05).clamp(0, 1)
    motion, camera = torch.tensor(labels).unbind(1)
    return cut_out(x, seen), {"motion": motion, "camera": camera}


def looks_batch(rng: np.random.Generator, count: int) -> Batch:
    """-> things cut out of frames and, behind them, their drawings: (2 count) 4 64 64. No two drawings of a batch are the same."""
    seen: list[Tensor] = []
    drawn: list[Tensor] = []
    taken: set[tuple[str, str]] = set()
    while len(seen) < count:
        scene = sample_scene(rng, everything(), two=0.0, local=0.0, variant=0.15)
        thing = scene.things[0]
        if (thing.object, thing.style) in taken:
            continue
        clip = render(scene, size=SIZE, only=[int(rng.integers(FRAMES))])
        if clip.masks.sum() < 60:
            continue
        taken.add((thing.object, thing.style))
        mask = small_mask(clip) + rng.standard_normal((MASK, MASK)).astype(np.float32) * rng.uniform(0, 0.1)
        seen.append(cut(roughen(rng, clip.frames[0]), mask))
        drawn.append(reference(thing.object, thing.style, thing.colour, thing.variant))
    return torch.stack([*seen, *drawn]), {}


def held_out(rng: np.random.Generator, count: int, objects: Sequence[str]) -> list[Scene]:
    """Scenes of combinations that are never trained on, whose captions name everything."""
    scenes = [sample_scene(rng, objects, held_out=True, camera=0.2) for _ in range(count)]
    said = frozenset({"object", "style", "background", "motion"})
    return [replace(scene, named=said | (scene.named & {"camera", "colour"})) for scene in scenes]
