"""How well the model does what captions ask, judged on captions of combinations it never saw.

    python run.py bench quality                  # the shipped weights
    python -m benchmarks.quality --runs runs     # the checkpoints of a training in progress

Scenes are drawn from the held-out tenth of the world; the model samples their captions through plain torch, 24 steps
with guidance; the judges score only what each caption names. Prints a table and writes it to
output/bench/quality.json.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks._models import Models, learned, load_runs, load_shipped
from training import train_image, train_video
from training.data import first_objects
from training.evaluate import evaluate_clips, evaluate_images, flicker
from training.judges import Judges
from training.sheets import save_sheet, to_uint8
from training.world import Scene, caption, sample_scene

ROOT = Path(__file__).resolve().parent.parent
WANTED = {  # figures the project asks of the shipped weights: at least so much, of flicker at most
    "image_style": 0.90, "image_background": 0.95, "image_object": 0.75,
    "clip_motion": 0.75, "clip_object": 0.65, "clip_object_held": 0.80, "clip_flicker": 1.3,
}
IMAGES_AT_ONCE, CLIPS_AT_ONCE = 32, 2


def held_out(count: int, objects: tuple[str, ...], seed: int) -> tuple[list[Scene], list[str]]:
    """Scenes of combinations kept out of training, and their captions."""
    rng = np.random.default_rng([seed, 77])
    scenes = [sample_scene(rng, objects, held_out=True, local=0.0) for _ in range(count)]
    return scenes, [caption(scene, rng) for scene in scenes]


def parts(models: Models, captions: list[str], at_once: int) -> Iterator[tuple[int, Tensor]]:
    """(number of the first caption, token ids) of a few captions at a time."""
    for start in range(0, len(captions), at_once):
        yield start, models.ids(captions[start:start + at_once])


@torch.no_grad()
def sample_images(models: Models, captions: list[str], cfg: float, steps: int) -> np.ndarray:
    """-> n 128 128 3 uint8"""
    frames = []
    for start, ids in parts(models, captions, IMAGES_AT_ONCE):
        with torch.autocast("cpu", torch.bfloat16):
            z = train_image.samples(models.net, models.text, ids, models.ids([""]), seed=start, cfg=cfg, steps=steps)
            frames.append(to_uint8(models.autoencoder.decode(z.float()).float()))
    return np.concatenate(frames)


@torch.no_grad()
def sample_clips(models: Models, captions: list[str], frames: int, cfg: float, steps: int) -> np.ndarray:
    """-> n frames 128 128 3 uint8"""
    if models.skeleton is None:
        raise ValueError("models: there is no skeleton to sample clips with; ask for --clips 0")
    clips = []
    for start, ids in parts(models, captions, CLIPS_AT_ONCE):
        with torch.autocast("cpu", torch.bfloat16):
            z = train_video.samples(models.net, models.skeleton, models.text, ids, models.ids([""]), frames,
                                    seed=start, cfg=cfg, steps=steps)
            pictures = torch.cat([models.autoencoder.decode(part.float()).float() for part in z.split(16)])
        clips.append(to_uint8(pictures).reshape(len(ids), frames, *pictures.shape[2:], 3))
    return np.concatenate(clips)


def table(figures: dict[str, float]) -> str:
    """One line per figure, with what is wanted of it where something is."""
    lines = [f"{'figure':<24}{'measured':>9}{'wanted':>9}"]
    for name, value in figures.items():
        wanted = f"{WANTED[name]:>9.2f}" if name in WANTED else ""
        lines.append(f"{name:<24}{value:>9.3f}{wanted}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=256, help="captions for single images (0: none)")
    parser.add_argument("--clips", type=int, default=64, help="captions for clips (0: none)")
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--cfg", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--objects", type=int, help="how many objects to ask for (default: those the weights learned)")
    parser.add_argument("--runs", type=Path, help="judge the checkpoints of a training instead of the shipped weights")
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "bench" / "quality.json")
    args = parser.parse_args()

    judges = Judges.load()
    models = load_runs(args.runs, skeleton=args.clips > 0) if args.runs else load_shipped(ROOT / "weights")
    objects = first_objects(args.objects or (len(judges.objects) if args.runs else learned(ROOT / "weights" / "mini.safetensors")))
    figures: dict[str, float] = {}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    if args.images:
        scenes, captions = held_out(args.images, objects, args.seed)
        frames = sample_images(models, captions, args.cfg, args.steps)
        figures |= {f"image_{name}": value for name, value in evaluate_images(frames, scenes, judges).items()}
        save_sheet(args.out.with_name("quality_images.png"), frames[:64], 8, [text[:26] for text in captions])
    if args.clips:
        scenes, captions = held_out(args.clips, objects, args.seed + 1)
        clips = sample_clips(models, captions, args.frames, args.cfg, args.steps)
        figures |= {f"clip_{name}": value for name, value in evaluate_clips(clips, scenes, judges).items()}
        figures["clip_flicker"] = flicker(clips, scenes) or 0.0
        shown = clips[:16, :: max(1, args.frames // 8)][:, :8]
        titles = [text[26 * k:26 * (k + 1)] for text in captions[:16] for k in range(8)]
        save_sheet(args.out.with_name("quality_clips.png"), shown.reshape(-1, *shown.shape[2:]), shown.shape[1], titles)
    print(table(figures))
    record = {**figures, "images": args.images, "clips": args.clips, "steps": args.steps, "cfg": args.cfg,
              "seed": args.seed, "minutes": round((time.monotonic() - start) / 60, 2)}
    record |= {f"judge_{name}": value for name, value in judges.accuracy.items()}
    args.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
