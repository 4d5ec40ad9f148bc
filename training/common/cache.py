"""Rendered and encoded once, read every epoch: frames or clips as latents, with all that the image and the video stage are told.

    python -m training.common.cache frames --count 10000      # runs/frames.pt, 10 minutes on two cores
    python -m training.common.cache clips --count 140         # runs/clips.pt, 9 minutes
"""

import argparse
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import partial
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stunet_core.mini.autoencoder import SCALE, Autoencoder
from stunet_core.mini.inputs import SLOTS
from stunet_core.mini.poses.draft import encoded, instances, painted
from stunet_core.model.precision import half

from ..world import Scene, caption, labels, render
from ..world.sprites import sprite
from .data import FRAMES, SIZE, Picture, book_drawing, picture, poses_of, to_tensor, told_times, training_scene
from .load import load_autoencoder

WORDINGS = 4  # captions of a scene; the last one has no word for its things
GROUP = 16    # frames encoded at once
AHEAD = 16    # clips that may be rendered before they are encoded: 40 MB each
JITTER = (0.003, 0.003, 0.02, 0.02, 0.0)  # deviation of the poses that drafts are drawn at: things come to stand where they are drafted


@dataclass(frozen=True)
class Cache:
    """n scenes of f frames (f = 1: single frames), h x w cells each.

    z: n f 8 h w, fp16; captions: n times WORDINGS; times: n f, as the model is told them (`told_times`); things: uint8 n 2 f h w, how
    much of a cell the first and the second thing cover (three of a kind: together); local: uint8 n f h w, the part that moves in
    place; labels: n kinds (`world.labels`); pictures: n 2 9 12 12, fp16, of the things shown; shown: n, how many pictures there are;
    poses: n f 3 5 (`poses_of`); drafts: n f 18 h w, fp16, drawn next to these.
    """

    z: Tensor
    captions: list[list[str]]
    times: Tensor
    things: Tensor
    local: Tensor
    labels: Tensor
    pictures: Tensor
    shown: Tensor
    poses: Tensor
    drafts: Tensor

    @classmethod
    def load(cls, path: Path) -> "Cache":
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return cls(**{field.name: state[field.name] for field in fields(cls)})

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        torch.save({field.name: getattr(self, field.name) for field in fields(self)}, part)
        part.replace(path)

    def __len__(self) -> int:
        return len(self.z)


@dataclass(frozen=True)
class Drawn:
    """One scene, rendered: frames uint8 f H W 3, pictures of its things, for each what is drafted of it, uint8 f H W 4, and its rows of a
    Cache."""

    frames: np.ndarray
    pictures: list[Picture]
    drafts: list[np.ndarray]
    rows: dict[str, Any]


def shares(masks: np.ndarray) -> np.ndarray:
    """bool ... H W -> uint8 ... h w, how much of each cell is covered (255: all)"""
    *rest, height, width = masks.shape
    cells = masks.reshape(*rest, height // SCALE, SCALE, width // SCALE, SCALE)
    return np.round(cells.mean((-3, -1)) * 255).astype(np.uint8)


def covered(scene: Scene, masks: np.ndarray) -> np.ndarray:
    """bool t f H W -> uint8 2 f h w; three of a kind count as the first thing, together"""
    if len(scene.things) > SLOTS:
        masks = masks.max(axis=0, keepdims=True)
    return shares(np.concatenate([masks, np.zeros((SLOTS - len(masks), *masks.shape[1:]), bool)]))


def draw(number: int, kind: str, seed: int) -> Drawn:
    """The scene of that number, as a single random frame or as a clip."""
    rng = np.random.default_rng([seed, number])
    scene = training_scene(rng)
    only = [int(rng.integers(FRAMES))] if kind == "frames" else list(range(FRAMES))
    clip = render(scene, size=SIZE, only=only)
    different = scene.things if len({thing.object for thing in scene.things}) > 1 else scene.things[:1]
    cells = [sprite(t.object, t.style, t.colour, t.variant).levels[0] for t in different]
    pictures = [picture(cell, rng) for cell in cells]
    unknown = scene.things[0].variant > 0  # its look is no book's: half of its captions have no word for it
    captions = [caption(scene, rng, nameless=k == WORDINGS - 1 or (unknown and k % 2 == 1)) for k in range(WORDINGS)]
    local = clip.local_mask if scene.local != "water" else np.zeros_like(clip.local_mask)  # rippling water is a background
    poses = poses_of(scene, np.array(only))
    about = poses + rng.standard_normal((1, *poses.shape[1:])) * JITTER
    drafts = [painted(about[:, instances(slot, len(cells) > 1)], book_drawing(cell), SIZE, SIZE) for slot, cell in enumerate(cells)]
    return Drawn(clip.frames, pictures, drafts, {
        "captions": captions, "times": told_times(scene, np.array(only)), "things": covered(scene, clip.masks), "local": shares(local),
        "labels": list(labels(scene).values()), "shown": len(pictures), "poses": poses})


@torch.inference_mode()
def encode(model: Autoencoder, frames: np.ndarray) -> Tensor:
    """uint8 n H W 3 -> n 8 h w, fp16, on the CPU"""
    device = model.mean.device
    parts = [encode_some(model, to_tensor(part).to(device)) for part in np.array_split(frames, max(1, len(frames) // GROUP))]
    return torch.cat(parts).half().cpu()


def encode_some(model: Autoencoder, pixels: Tensor) -> Tensor:
    """n 3 H W in [-1, 1] -> n 8 h w"""
    with half(pixels.device):
        return model.encode(pixels.to(model.mean.device))  # type: ignore[arg-type]


def encode_pictures(model: Autoencoder, drawn: list[Picture]) -> Tensor:
    """-> n 9 12 12, fp16: latents, and coverage in [-1, 1]"""
    z = encode(model, np.stack([one.pixels for one in drawn]))
    coverage = torch.from_numpy(np.stack([one.coverage for one in drawn]))
    return torch.cat([z, (coverage * 2 - 1).half()[:, None]], dim=1)


def encode_drafts(model: Autoencoder, scenes: list[Drawn]) -> Iterator[Tensor]:
    """What is drafted of each scene's pictures -> f 18 h w each, fp16"""
    drawn = [rgba for scene in scenes for rgba in scene.drafts]
    slots = iter(encoded(np.concatenate(drawn), partial(encode_some, model)).half().split([len(rgba) for rgba in drawn]))
    for scene in scenes:
        own = [next(slots) for _ in scene.drafts]
        yield torch.cat([*own, *[torch.zeros_like(own[0])] * (SLOTS - len(own))], dim=1)


def in_turn(pool: Pool, task: Callable[[int], Drawn], count: int, ahead: int) -> Iterator[Drawn]:
    """`task` of 0 to count - 1, in order, never more than `ahead` of them waiting: rendered clips are large."""
    for start in range(0, count, ahead):
        yield from pool.imap(task, range(start, min(start + ahead, count)), chunksize=2)


def build(path: Path, count: int, kind: str, seed: int, workers: int, model: Autoencoder) -> Cache:
    """Render, caption and encode `count` scenes of `kind` ("frames" or "clips")."""
    z, pictures, rows, waiting = [], [], [], []
    drafts: list[Tensor] = []
    context = multiprocessing.get_context("spawn")  # a forked process may hang in torch
    with context.Pool(workers) as pool:
        for number, drawn in enumerate(in_turn(pool, partial(draw, kind=kind, seed=seed), count, AHEAD if kind == "clips" else 64 * AHEAD)):
            waiting.append(drawn)
            if len(waiting) * len(drawn.frames) < GROUP and number + 1 < count:
                continue
            z.append(encode(model, np.concatenate([one.frames for one in waiting])).unflatten(0, (len(waiting), -1)))
            encoded = encode_pictures(model, [shown for one in waiting for shown in one.pictures])
            for one, own in zip(waiting, encoded.split([len(one.pictures) for one in waiting]), strict=True):
                pictures.append(torch.cat([own, own.new_zeros(SLOTS - len(own), *own.shape[1:])]))
                rows.append(one.rows)
            drafts.extend(encode_drafts(model, waiting))
            waiting.clear()
            if len(rows) % (200 * GROUP) < GROUP:
                print(f"{kind}: {len(rows)} of {count}", flush=True)

    def column(name: str) -> Tensor:
        return torch.from_numpy(np.stack([np.asarray(row[name]) for row in rows]))

    cache = Cache(torch.cat(z), [row["captions"] for row in rows], column("times").float(), column("things"), column("local"),
                  column("labels"), torch.stack(pictures), column("shown"), column("poses"), torch.stack(drafts))
    cache.save(path)
    return cache


def ensure(path: Path, count: int, kind: str, seed: int, autoencoder: Autoencoder, workers: int = 2) -> Cache:
    """The cache at `path`, built first if it is not there."""
    if not path.is_file():
        build(path, count, kind, seed, workers, autoencoder)
    return Cache.load(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["frames", "clips"])
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--autoencoder", type=Path, default=Path("runs/autoencoder/state.pt"))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    build(args.out or Path(f"runs/{args.kind}.pt"), args.count, args.kind, args.seed, args.workers, load_autoencoder(args.autoencoder))


if __name__ == "__main__":
    main()
