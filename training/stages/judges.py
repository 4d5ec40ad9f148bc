"""The judges, on the renderer: an hour and a half on one core. They only measure; no other stage needs them.

Frames come as random moments of random scenes, roughened the way an autoencoder and a sampler would, some of them through the autoencoder
itself. Clips come small. The judge of looks learns all drawings of the library, those too that models never train on. All are scored on
held-out combinations; the figures go into the file with them.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stunet_core.model.precision import half

from ..common.data import FRAMES, SIZE
from ..common.load import load_autoencoder
from ..common.run_state import Run, Schedule
from ..judges.batches import Batch, RoundTrip, clip_batch, everything, frame_batch, held_out, looks_batch, moves_alike, round_trip
from ..judges.evaluate import evaluate_clips, evaluate_images
from ..judges.judges import WEIGHTS, Judges, new_judges, to_input
from ..judges.nets import FrameJudge, LooksJudge, MotionJudge
from ..world import OBJECT_NAMES, STYLES, library, render, sample_scene

PARTS = ("frame", "motion", "looks")
SMOOTHING = 0.02
AMONG = 500  # pictures among which the nearest is looked for


def frame_loss(net: FrameJudge, x: Tensor, target: dict[str, Tensor]) -> Tensor:
    out = net(x)
    named = target["object"].sum(1) > 0
    loss = F.binary_cross_entropy_with_logits(out["mask"].float(), target["mask"])
    if bool(named.any()):
        loss = loss + F.cross_entropy(out["object"].float()[named], target["object"][named], label_smoothing=SMOOTHING)
    for name in ("style", "background", "colour"):
        loss = loss + F.cross_entropy(out[name].float(), target[name], label_smoothing=SMOOTHING, ignore_index=-1)
    return loss


def clip_loss(net: MotionJudge, x: Tensor, target: dict[str, Tensor]) -> Tensor:
    out = net(x)
    return sum((F.cross_entropy(out[name].float(), target[name], label_smoothing=SMOOTHING) for name in out), torch.zeros(()))


def looks_loss(net: LooksJudge, x: Tensor, target: dict[str, Tensor]) -> Tensor:
    """Of all drawings of the batch, its own is nearest to what is seen, and the other way round (InfoNCE)."""
    seen, drawn = net(x).float().chunk(2)
    logits = seen @ drawn.T * net.temperature.exp()
    own = torch.arange(len(seen))
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def fit(net: nn.Module, batch: Callable[[np.random.Generator], Batch], loss_of: Callable[..., Tensor], folder: Path, *,
        steps: int, rows: int, seed: int, resume: bool) -> None:
    """Train one judge: AdamW, and a learning rate that falls over the second half."""
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=0.02)
    run = Run(folder, net, optimizer, Schedule(steps, 3e-3, warmup=50, decay=steps // 2), rows=rows)
    if resume:
        run.resume()
    while run.running:
        rng = run.rng(seed)
        torch.manual_seed(int(rng.integers(1 << 31)))
        x, target = batch(rng)
        with half():
            loss = loss_of(net, x, target)
        loss.backward()
        run.update(loss)
    run.save()


def score(judges: Judges, seed: int, frames: int, clips: int, through: RoundTrip | None) -> dict[str, float]:
    """The judges' accuracy on rendered scenes of held-out combinations: all attributes count, named or not."""
    rng = np.random.default_rng([seed, 1 << 30])
    scenes = held_out(rng, frames, judges.objects)
    images = np.concatenate([render(scene, size=SIZE, only=[int(rng.integers(FRAMES))]).frames for scene in scenes])
    result = evaluate_images(images, scenes, judges)
    if through:
        again = torch.cat([through(part) for part in to_input(images).split(16)])
        rough = ((again + 1) * 127.5).round().to(torch.uint8).movedim(1, -1).numpy()
        result |= {f"{name}_after_autoencoder": value for name, value in evaluate_images(rough, scenes, judges).items()}
    moving = [scene for scene in scenes if moves_alike(scene)][:clips]
    rendered = [render(scene, size=SIZE // 2) for scene in moving]
    seen = evaluate_clips([clip.frames for clip in rendered], moving, judges)
    result |= {name: seen[name] for name in ("motion", "camera", "object_held", "steady") if name in seen}
    still = [(clip, scene) for clip, scene in zip(rendered, moving, strict=True) if len(scene.things) == 1 and not scene.camera][:32]
    off = [np.abs(judges.track(clip.frames[::8]) - clip.centre[::8]).mean() / clip.frames.shape[1] for clip, _ in still]
    return result | {"track_error": round(float(np.nanmean(off)), 4)} | {"nearest": nearest(judges, rng, frames // 4)}


def nearest(judges: Judges, rng: np.random.Generator, count: int) -> float:
    """How often the thing of a rendered frame looks most like its own picture among AMONG; things that models never train on."""
    names, asked = everything(), library.unseen()
    right = []
    for style in STYLES:
        scenes = [sample_scene(rng, asked, two=0.0, local=0.0, colour=0.0, styles=(style,)) for _ in range(count // len(STYLES))]
        images = np.concatenate([render(scene, size=SIZE, only=[int(rng.integers(FRAMES))]).frames for scene in scenes])
        others = [str(name) for name in rng.permutation(names)[:AMONG]]
        among = judges.gallery(sorted({*others, *(scene.things[0].object for scene in scenes)}), style)
        right += [found == scene.things[0].object for found, scene in zip(judges.nearest(images, among), scenes, strict=True)]
    return round(float(np.mean(right)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frame-steps", type=int, default=2500, help="batches of 64 frames (default: %(default)s)")
    parser.add_argument("--motion-steps", type=int, default=1500, help="batches of 24 clips (default: %(default)s)")
    parser.add_argument("--looks-steps", type=int, default=2000, help="batches of 96 things (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoints in --runs")
    parser.add_argument("--only", choices=PARTS, help="train this one, take the others from --out")
    parser.add_argument("--autoencoder", type=Path, default=Path("weights/mini.safetensors"), help="any file with one; none: without it")
    parser.add_argument("--scored", type=int, default=1024, help="frames that accuracy is measured on, and a quarter as many clips")
    parser.add_argument("--runs", type=Path, default=Path("runs/judges"))
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    cv2.setNumThreads(1)
    judges = Judges.load(args.out) if args.only else new_judges(OBJECT_NAMES)
    through = round_trip(load_autoencoder(args.autoencoder)) if args.autoencoder.is_file() else None
    print(f"{len(judges.objects)} objects, {'with' if through else 'without'} round trips through an autoencoder")
    options: dict[str, Any] = {"resume": args.resume}
    if args.only in (None, "frame"):
        fit(judges.frame, partial(frame_batch, count=64, through=through), frame_loss, args.runs / "frame", steps=args.frame_steps, rows=64,
            seed=args.seed, **options)
    if args.only in (None, "motion"):
        fit(judges.motion, partial(clip_batch, count=24), clip_loss, args.runs / "motion", steps=args.motion_steps, rows=24,
            seed=args.seed + 1, **options)
    if args.only in (None, "looks"):
        fit(judges.looks, partial(looks_batch, count=96), looks_loss, args.runs / "looks", steps=args.looks_steps, rows=96,
            seed=args.seed + 2, **options)
    judges.save(args.out)
    judges = Judges.load(args.out)  # score the weights as stored
    judges.accuracy = score(judges, args.seed, args.scored, args.scored // 4, through)
    record = {"frame_steps": args.frame_steps, "motion_steps": args.motion_steps, "looks_steps": args.looks_steps, "seed": args.seed}
    judges.save(args.out, {name: str(value) for name, value in record.items()})
    print(json.dumps(judges.accuracy, indent=2))


if __name__ == "__main__":
    main()
