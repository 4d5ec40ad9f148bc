"""Train the judges on the renderer: a few minutes on one core.

Frames come as random moments of random scenes, roughened the way a small autoencoder and a sampler would (blur,
noise, shifts of brightness, and round trips through `--autoencoder` when that file exists). Clips come small. Both
networks stop after `--minutes` each, or after their steps, and are scored on held-out combinations.
"""

import argparse
import json
import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stunet_core.mini.autoencoder import Autoencoder

from ..common.data import first_objects
from ..world import BACKGROUNDS, MOTIONS, STYLES, Scene, render, sample_scene
from .evaluate import evaluate_clips, evaluate_images
from .judges import CLIP_FRAMES, CLIP_SIZE, MASK, WEIGHTS, Judges, cut_out, new_judges, to_input

FRAMES = 80
Batch = tuple[Tensor, dict[str, Tensor]]
RoundTrip = Callable[[Tensor], Tensor]


def load_round_trip(path: Path) -> RoundTrip | None:
    """Encode and decode through a trained autoencoder's state dict, or None when there is no such file."""
    if not path.is_file():
        return None
    model = Autoencoder()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    model.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def run(x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            z = model.encode(x.to(memory_format=torch.channels_last))
            return model.decode(z + 0.05 * torch.randn_like(z)).float().clamp(-1, 1)

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


@lru_cache(maxsize=1)
def grain() -> Tensor:
    """Noise to add to frames, 16 3 128 128; drawing it anew would cost more than rendering."""
    return torch.randn(16, 3, 128, 128, generator=torch.Generator().manual_seed(0))


def frame_batch(rng: np.random.Generator, count: int, objects: tuple[str, ...], round_trip: RoundTrip | None) -> Batch:
    """-> frames (count 3 128 128) in [-1, 1], and targets: object (count objects, summing to 1), style, background,
    mask.
    """
    frames, masks, style, background = [], [], [], []
    target = torch.zeros(count, len(objects))
    for n in range(count):
        scene = sample_scene(rng, objects, two=0.15)
        clip = render(scene, only=[int(rng.integers(FRAMES))])
        frames.append(roughen(rng, clip.frames[0]))
        masks.append(clip.masks.max(axis=0)[0])
        for thing in scene.things:
            target[n, objects.index(thing.object)] = 1 / len(scene.things)
        style.append(STYLES.index(scene.things[0].style))
        background.append(BACKGROUNDS.index(scene.background))
    x = to_input(np.stack(frames))
    if round_trip:
        x[: count // 4] = round_trip(x[: count // 4])
    x = x + grain()[torch.from_numpy(rng.integers(0, 16, count))] * torch.rand(count, 1, 1, 1) * 0.05
    mask = F.avg_pool2d(torch.from_numpy(np.stack(masks))[:, None].float(), 128 // MASK)[:, 0]
    return x, {"object": target, "style": torch.tensor(style), "background": torch.tensor(background), "mask": mask}


def moves_alike(scene: Scene) -> bool:
    return len({thing.motion for thing in scene.things}) == 1


def clip_batch(rng: np.random.Generator, count: int, objects: tuple[str, ...]) -> Batch:
    """-> clips (count 40 4 32 32), cut out by their true masks, and their motion. A mirrored clip moves the other way."""
    mirrored = {"left": "right", "right": "left"}
    clips: list[np.ndarray] = []
    masks: list[np.ndarray] = []
    motion: list[int] = []
    while len(clips) < count:
        scene = sample_scene(rng, objects)
        if not moves_alike(scene):
            continue
        clip = render(scene, size=CLIP_SIZE, only=range(0, FRAMES, FRAMES // CLIP_FRAMES))
        frames, mask, name = clip.frames, clip.masks.max(axis=0), scene.things[0].motion
        if rng.random() < 0.5:
            frames, mask, name = frames[:, :, ::-1], mask[:, :, ::-1], mirrored.get(name, name)
        clips.append(frames[..., rng.permutation(3)])  # motion has no colour
        masks.append(mask)
        motion.append(MOTIONS.index(name))
    x, seen = to_input(np.stack(clips)), torch.from_numpy(np.stack(masks)).float()
    level = torch.rand(count, 1, 1, 1, 1)
    x = x * (0.85 + 0.3 * torch.rand(count, 1, 1, 1, 1)) + torch.randn_like(x) * level * 0.08
    soft = F.avg_pool2d(seen, 3, stride=1, padding=1, count_include_pad=False)  # a judge's masks are not as sharp
    blend = torch.rand(count, 1, 1, 1)
    seen = (seen + (soft - seen) * blend + torch.randn_like(seen) * 0.05).clamp(0, 1)
    return cut_out(x, seen), {"motion": torch.tensor(motion)}


def frame_loss(net: nn.Module, x: Tensor, target: dict[str, Tensor]) -> Tensor:
    out = net(x.to(memory_format=torch.channels_last))
    loss = F.binary_cross_entropy_with_logits(out["mask"].float(), target["mask"])
    for name in ("object", "style", "background"):
        loss = loss + F.cross_entropy(out[name].float(), target[name], label_smoothing=0.02)
    return loss


def clip_loss(net: nn.Module, x: Tensor, target: dict[str, Tensor]) -> Tensor:
    return F.cross_entropy(net(x).float(), target["motion"], label_smoothing=0.02)


def fit(net: nn.Module, batch: Callable[[np.random.Generator], Batch], loss_of: Callable[..., Tensor], *,
        steps: int, seed: int, state: Path, resume: bool, learning_rate: float = 2e-3) -> None:
    """Train one judge: AdamW with a short warm-up and a cosine decay. Every 50 steps it can go on from `state` later."""
    net.train()
    optimizer = torch.optim.AdamW(net.parameters(), learning_rate, weight_decay=0.02)
    first = 0
    if resume and state.is_file():
        stored = torch.load(state, map_location="cpu", weights_only=True)
        net.load_state_dict(stored["net"])
        optimizer.load_state_dict(stored["optimizer"])
        first = stored["step"]
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        torch.manual_seed(seed + step)
        x, target = batch(np.random.default_rng([seed, step]))
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(net, x, target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if (step + 1) % 50 == 0 or step + 1 == steps:
            print(state.stem, {"step": step + 1, "loss": round(float(loss.detach()), 4)}, flush=True)
            part = state.with_suffix(".part")
            torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}, part)
            part.replace(state)


def score(judges: Judges, seed: int, frames: int, clips: int, round_trip: RoundTrip | None) -> dict[str, float]:
    """The judges' accuracy on rendered scenes of held-out combinations: all attributes count, named or not."""
    everything = frozenset({"object", "style", "background", "motion"})
    rng = np.random.default_rng([seed, 1 << 30])
    scenes = [sample_scene(rng, judges.objects, held_out=True) for _ in range(frames)]
    scenes = [Scene(s.things, s.background, s.seed, s.local, everything) for s in scenes]
    images = np.concatenate([render(scene, only=[int(rng.integers(FRAMES))]).frames for scene in scenes])
    result = evaluate_images(images, scenes, judges)
    if round_trip:
        again = torch.cat([round_trip(part) for part in to_input(images).split(32)])
        rough = ((again + 1) * 127.5).round().to(torch.uint8).movedim(1, -1).numpy()
        result |= {f"{name}_after_autoencoder": value for name, value in evaluate_images(rough, scenes, judges).items()}
    moving = [scene for scene in scenes if moves_alike(scene)][:clips]
    rendered = [render(scene) for scene in moving]
    seen = evaluate_clips([clip.frames for clip in rendered], moving, judges)
    result |= {name: seen[name] for name in ("motion", "object_held", "steady")}
    single = [(clip, scene) for clip, scene in zip(rendered, moving, strict=True) if len(scene.things) == 1][:32]
    off = [np.abs(judges.track(clip.frames[::8]) - clip.centre[::8]).mean() for clip, _ in single]
    return result | {"track_error_px": round(float(np.nanmean(off)), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=64, help="how many of the world's objects to tell apart")
    parser.add_argument("--frame-steps", type=int, default=750, help="batches of 48 frames")
    parser.add_argument("--motion-steps", type=int, default=1200, help="batches of 24 clips")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoints in --runs")
    parser.add_argument("--only", choices=("frame", "motion"), help="train this one, take the other from --out")
    parser.add_argument("--autoencoder", type=Path, default=Path("runs/autoencoder/autoencoder.pt"))
    parser.add_argument("--runs", type=Path, default=Path("runs/judges"))
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    cv2.setNumThreads(1)
    args.runs.mkdir(parents=True, exist_ok=True)
    judges = Judges.load(args.out) if args.only else new_judges(first_objects(args.objects))
    round_trip = load_round_trip(args.autoencoder)
    print(f"{len(judges.objects)} objects, {'with' if round_trip else 'without'} round trips through an autoencoder")
    if args.only != "motion":
        fit(judges.frame.to(memory_format=torch.channels_last),
            lambda rng: frame_batch(rng, 48, judges.objects, round_trip), frame_loss,
            steps=args.frame_steps, seed=args.seed, state=args.runs / "frame.pt", resume=args.resume)
    if args.only != "frame":
        fit(judges.motion, lambda rng: clip_batch(rng, 24, judges.objects), clip_loss,
            steps=args.motion_steps, seed=args.seed + 1, state=args.runs / "motion.pt", resume=args.resume)
    judges.save(args.out)
    judges = Judges.load(args.out)  # score the weights as stored
    judges.accuracy = score(judges, args.seed, 1024, 256, round_trip)
    record = {"frame_steps": args.frame_steps, "motion_steps": args.motion_steps, "seed": args.seed}
    judges.save(args.out, {name: str(value) for name, value in record.items()})
    print(json.dumps(judges.accuracy, indent=2))


if __name__ == "__main__":
    main()
