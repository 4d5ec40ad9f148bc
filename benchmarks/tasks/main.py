"""How well masks are tracked, how well the model edits clips (remove, replace, restyle, extend, loop), and how well things keep to a path.

    python run.py bench tasks                        # the shipped weights
    python run.py bench tasks --clips 0 --extend 0   # what needs no model: tracking alone
    python -m benchmarks.tasks.main --runs runs      # the checkpoints of a training in progress

Clips are rendered from the held-out tenth of the world, so that the truth is known, and cut, masked or restyled; what
comes out is judged. Prints a table and writes it to output/bench/tasks.json.
"""

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.common.models import Models, known, load_runs, load_shipped
from benchmarks.common.sampling import told
from benchmarks.tasks.edit import Editing, edit
from stunet_core.editing import tasks
from stunet_core.editing.composite import composite
from stunet_core.editing.flow import to_bytes
from stunet_core.editing.mask_path import mask_path
from stunet_core.editing.track import track, widen
from stunet_core.report import metrics
from training.common.data import SIZE
from training.common.sampling import Told
from training.judges.evaluate import evaluate_clips
from training.judges.judges import Judges
from training.judges.kinematics import track_correlation
from training.world import BACKGROUNDS, MOTIONS, STYLES, Rendered, Scene, Thing, caption, render, sample_scene

ROOT = Path(__file__).resolve().parents[2]
FPS = 16
WANTED = {  # figures the project asks of the shipped weights
    "track_mean": ">= 0.85", "given_exact": "= 1", "region_outside": "= 0", "loop_error": "<= 1.2",
    "extend_drift": "< 2", "extend_joint": "<= 1.5", "removed": ">= 0.9", "removed_background": ">= 0.9",
    "replaced": ">= 0.8", "restyled": ">= 0.8", "restyled_motion": ">= 0.9", "placed": ">= 0.8", "placed_motion": ">= 0.9",
}
OVERLAP, ADDED = 16, 64  # frames of one step of extending
JOINT = 8  # frames over which a joint fades, as the node has it
REMOVING = 0.3  # denoise, from the surroundings
RESTYLING_CFG, FOLLOWED = 4.0, 2  # guidance and cells, as the template video_to_video has them
KEYS = 5  # of a random path
GROWN = 8  # pixels by which tracked masks are widened
FOUND = 0.5  # the judge's mask, above which a cell shows a thing
LEFT_OVER = 0.25  # of the cells that the thing filled: less is no thing


@dataclass(frozen=True)
class TaskSettings:
    """How clips are made: frames, sampling steps, guidance, seed, and how much of a restyled clip is noise at first."""

    frames: int
    steps: int
    cfg: float
    seed: int
    denoise: float


def singles(count: int, objects: tuple[str, ...], seed: int, motion: str | None = None) -> list[Scene]:
    """Held-out scenes of one thing on a background, with this motion or any."""
    rng = np.random.default_rng([seed, 78])
    found: list[Scene] = []
    while len(found) < count:
        scene = sample_scene(rng, objects, two=0, local=0, camera=0, held_out=True)
        if motion in (None, scene.things[0].motion):
            found.append(scene)
    return found


def tensor(clip: Rendered) -> Tensor:
    """[F, H, W, 3] in [0, 1]"""
    return torch.from_numpy(clip.frames).float() / 255


def said(scene: Scene, seed: int) -> str:
    """A caption that names everything."""
    return caption(replace(scene, named=frozenset({"object", "style", "background", "motion"})), np.random.default_rng(seed))


def prompt(models: Models, scene: Scene, text: str) -> Told:
    """A caption and the picture of the scene's thing; of an empty one, no picture."""
    asked = told(models, [scene], [text])
    return asked if text else replace(asked, shown=asked.shown & False)


def overlap(masks: np.ndarray, truth: np.ndarray) -> float:
    """Mean intersection over union of masks [F, H, W] bool; frames where there is nothing and nothing is found count 1."""
    union = (masks | truth).sum((1, 2))
    return float(np.where(union > 0, (masks & truth).sum((1, 2)) / np.maximum(union, 1), 1.0).mean())


def track_figures(count: int, objects: tuple[str, ...], seed: int, frames: int) -> dict[str, float]:
    """IoU with the renderer's truth of masks tracked from the first frame, for `count` clips of each motion."""
    figures: dict[str, float] = {}
    lost = []
    for motion in MOTIONS:
        clips = [render(scene, size=SIZE, frames=frames) for scene in singles(count, objects, seed, motion)]
        tracks = [track(clip.frames, clip.mask[0].astype(np.float32)) for clip in clips]
        figures[f"track_{motion}"] = mean(overlap(t.masks > 0.5, c.mask) for t, c in zip(tracks, clips, strict=True))
        lost += [len(t.lost) / frames for t in tracks]
    return figures | {"track_mean": mean(figures.values()), "track_lost": mean(lost)}


def exact_figures(models: Models, objects: tuple[str, ...], how: TaskSettings) -> dict[str, float]:
    """The smallest share over all tasks of given pixels that come back bit for bit, and what moves outside a region."""
    (scene,) = singles(1, objects, how.seed)
    clip = render(scene, size=SIZE, frames=how.frames)
    frames, mask = tensor(clip), torch.from_numpy(clip.mask)
    region = tasks.animate_region(frames[:1], ~mask[:1].expand(how.frames, -1, -1))
    all_tasks = [
        tasks.image_to_video(frames[:1], how.frames), tasks.image_to_video(frames[:1], how.frames, frames[-1:]),
        tasks.key_frames(frames[[0, 3]], [0, 3], how.frames), tasks.inpaint(frames, ~mask), region,
        tasks.outpaint(frames[:, :, :200], 24, 0, 18, 0), tasks.extend(frames, 4, how.frames - 4)[0],
        tasks.extend(frames, 4, how.frames - 4, before=True)[0]]
    shares = []
    for task in all_tasks:
        out = composite(edit(models, task, prompt(models, scene, ""), Editing(steps=1, cfg=how.cfg)), task.given, task.keep, feather=4)
        shares.append(float((out == task.given).all(-1)[task.keep].float().mean()))
        if task is region:
            outside = metrics.changes(out.numpy(), region.keep.all(0)[None].numpy()).max()
    return {"given_exact": min(shares), "region_outside": float(outside)}


def loop_figures(models: Models, count: int, objects: tuple[str, ...], how: TaskSettings) -> dict[str, float]:
    """Last to first frame over the median change, of clips from captions with time as a circle; clips that do not move
    are left out.
    """
    empty = tasks.Task(torch.zeros(how.frames, SIZE, SIZE, 3), torch.zeros(how.frames, SIZE, SIZE, dtype=torch.bool))
    errors = []
    for n, scene in enumerate(singles(count, objects, how.seed)):
        made = edit(models, empty, prompt(models, scene, said(scene, n)), Editing(loop=True, steps=how.steps, cfg=how.cfg, seed=n))
        errors.append(metrics.loop_error(to_bytes(made)))
    return {"loop_error": mean(error for error in errors if error is not None)}


def extend_figures(models: Models, count: int, until: int, objects: tuple[str, ...], how: TaskSettings) -> dict[str, float]:
    """Rendered clips continued in steps to `until` frames: colour drift and the worst joint, means over the clips."""
    drift, worst = [], []
    for n, scene in enumerate(singles(count, objects, how.seed + 1)):
        clip = tensor(render(scene, size=SIZE, frames=how.frames))
        joints = []
        while len(clip) < until:
            task, rest = tasks.extend(clip, min(ADDED, until - len(clip)), min(OVERLAP, len(clip)))
            made = edit(models, task, prompt(models, scene, said(scene, n)), Editing(steps=how.steps, cfg=how.cfg, seed=n))
            joints.append(len(clip))
            clip = torch.cat([rest, composite(made, task.given, task.keep, match=True, joint=JOINT, still=True)])
        frames = to_bytes(clip)
        drift.append(metrics.colour_drift(frames, FPS))
        worst.append(max((metrics.joint_error(frames, joint) for joint in joints), default=0.0))
    return {"extend_drift": mean(drift), "extend_joint": mean(worst)}


def filled(models: Models, clip: Rendered, asked: Told, how: TaskSettings, seed: int, guess: str = tasks.THERE,
           denoise: float = 1.0) -> np.ndarray:
    """The clip with its thing, tracked from its mask on the first frame, filled by the model: [F, H, W, 3] uint8."""
    masks = widen(track(clip.frames, clip.mask[0].astype(np.float32)).masks, GROWN)
    task = tasks.inpaint(tensor(clip), torch.from_numpy(masks < 0.5), guess)
    made = edit(models, task, asked, Editing(denoise=denoise, steps=how.steps, cfg=how.cfg, seed=seed))
    return to_bytes(composite(made, task.given, task.keep, feather=2, still=True))


def removal_figures(models: Models, judges: Judges, count: int, objects: tuple[str, ...], how: TaskSettings) -> dict[str, float]:
    """Filled without a word, from the surroundings: shares of clips whose middle frame shows no thing any more, the right background."""
    gone, ground = [], []
    for n, scene in enumerate(singles(count, objects, how.seed + 2)):
        clip = render(scene, size=SIZE, frames=how.frames)
        middle = how.frames // 2
        without = filled(models, clip, prompt(models, scene, ""), how, n, tasks.AROUND, REMOVING)
        before, after = (judges.look(frames[middle:middle + 1]) for frames in (clip.frames, without))
        gone.append(float((after.mask > FOUND).sum() <= LEFT_OVER * (before.mask > FOUND).sum()))
        ground.append(float(BACKGROUNDS[int(after.background[0].argmax())] == scene.background))
    return {"removed": mean(gone), "removed_background": mean(ground)}


def replace_figures(models: Models, judges: Judges, count: int, objects: tuple[str, ...], how: TaskSettings) -> dict[str, float]:
    """Filled with another object's name: share of clips whose middle frame shows that object."""
    rng = np.random.default_rng([how.seed, 79])
    wanted, made = [], []
    for n, scene in enumerate(singles(count, objects, how.seed + 3)):
        thing = scene.things[0]
        other = replace(scene, things=(replace(thing, object=str(rng.choice([o for o in objects if o != thing.object]))),))
        made.append(filled(models, render(scene, size=SIZE, frames=how.frames), prompt(models, other, said(other, n)), how, n))
        wanted.append(replace(other, named=frozenset({"object"})))
    return {"replaced": evaluate_clips(made, wanted, judges)["object"]}


def restyle_figures(models: Models, judges: Judges, count: int, objects: tuple[str, ...], how: TaskSettings,
                    placed: bool = False) -> dict[str, float]:
    """Video to video, following the clip, towards another style: share of clips in it, and how alike their things still move.

    With `placed` the model is also shown where the thing is, tracked from its mask on the first frame.
    """
    rng = np.random.default_rng([how.seed, 80])
    wanted, made, alike = [], [], []
    for n, scene in enumerate(singles(count, objects, how.seed + 4)):
        other = replace(scene, things=(restyled(scene.things[0], rng),))
        clip = render(scene, size=SIZE, frames=how.frames)
        task = tasks.Task(tensor(clip), torch.zeros(clip.mask.shape, dtype=torch.bool))
        places = track(clip.frames, clip.mask[0].astype(np.float32)).masks if placed else None
        asked = prompt(models, other, said(other, n))
        editing = Editing(denoise=how.denoise, steps=how.steps, cfg=RESTYLING_CFG, seed=n, followed=FOLLOWED)
        made.append(to_bytes(edit(models, task, asked, editing, places)))
        wanted.append(replace(other, named=frozenset({"object", "style"})))
        if other.things[0].motion not in ("still", "spin"):  # which no track shows
            alike.append(track_correlation(judges.follow(clip.frames), judges.follow(made[-1])) or 0.0)
    name = "placed" if placed else "restyled"
    return {name: evaluate_clips(made, wanted, judges)["style"], f"{name}_motion": mean(alike)}


def path_figures(models: Models, judges: Judges, count: int, objects: tuple[str, ...], how: TaskSettings) -> dict[str, float]:
    """Things made of words that say no motion, placed on random paths: share of clips with the right object on the middle frame, and how
    far its middle is from the path's, mean over the frames that show it and clips, in pixels; beside it, from another clip's path (chance).
    """
    rng = np.random.default_rng([how.seed, 81])
    scenes = [replace(scene, named=frozenset({"object", "style", "background"})) for scene in singles(count, objects, how.seed + 5)]
    empty = tasks.Task(torch.zeros(how.frames, SIZE, SIZE, 3), torch.zeros(how.frames, SIZE, SIZE, dtype=torch.bool))
    made, paths = [], []
    for n, scene in enumerate(scenes):
        masks = mask_path(np.linspace(0, how.frames - 1, KEYS).round().astype(int).tolist(), [a_box(rng) for _ in range(KEYS)],
                          how.frames, SIZE, SIZE, shape="ellipse", pace="ease")
        paths.append(middles(masks))
        text = caption(scene, np.random.default_rng(n))
        made.append(to_bytes(edit(models, empty, prompt(models, scene, text), Editing(steps=how.steps, cfg=how.cfg, seed=n), masks)))
    found = [judges.track(clip) for clip in made]
    off, chance = ([float(np.nanmean(np.linalg.norm(track - path, axis=1))) for track, path in zip(found, some, strict=True)]
                   for some in (paths, paths[1:] + paths[:1]))
    return {"path_object": evaluate_clips(made, scenes, judges)["object"], "path_off": mean(off), "path_off_chance": mean(chance)}


def a_box(rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Left, top, width and height of a place for a thing, in pixels."""
    side = rng.uniform(0.4, 0.6) * SIZE
    return (*rng.uniform(0, SIZE - side, 2), side, side)


def middles(masks: np.ndarray) -> np.ndarray:
    """The middle (x, y) of each mask: F H W -> F 2, pixels."""
    y, x = np.mgrid[:masks.shape[1], :masks.shape[2]] + 0.5
    return np.stack([(masks * x).sum((1, 2)), (masks * y).sum((1, 2))], axis=1) / masks.sum((1, 2))[:, None]


def restyled(thing: Thing, rng: np.random.Generator) -> Thing:
    """The thing in another of the trained styles."""
    return replace(thing, style=str(rng.choice([style for style in STYLES if style != thing.style])))


def mean(values: Iterable[float]) -> float:
    """The mean, not a number without any."""
    values = list(values)
    return float(np.mean(values)) if values else float("nan")


def table(figures: dict[str, float]) -> str:
    """One line per figure, with what is wanted of it where something is."""
    lines = [f"{'figure':<24}{'measured':>9}{'wanted':>9}"]
    return "\n".join(lines + [f"{name:<24}{value:>9.3f}{WANTED.get(name, ''):>9}" for name, value in figures.items()])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--track", type=int, default=2, help="clips of each motion to track a mask in (0: none)")
    parser.add_argument("--clips", type=int, default=2, help="clips for each other figure (0: none)")
    parser.add_argument("--extend", type=int, default=1, help="clips to extend (0: none)")
    parser.add_argument("--until", type=int, default=320, help="frames to extend them to")
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--cfg", type=float, default=2.5)
    parser.add_argument("--denoise", type=float, default=0.8, help="of restyled clips")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--objects", type=int, help="how many objects to ask for (default: those the weights learned)")
    parser.add_argument("--runs", type=Path, help="judge the checkpoints of a training instead of the shipped weights")
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "bench" / "tasks.json")
    args = parser.parse_args(arguments)

    judges = Judges.load()
    objects = known(args.objects)
    how = TaskSettings(args.frames, args.steps, args.cfg, args.seed, args.denoise)
    start = time.monotonic()
    figures: dict[str, float] = {}
    if args.track:
        figures |= track_figures(args.track, objects, args.seed, args.frames)
    if args.clips or args.extend:
        models = load_runs(args.runs, skeleton=True) if args.runs else load_shipped(ROOT / "weights")
    if args.clips:
        figures |= exact_figures(models, objects, how) | loop_figures(models, args.clips, objects, how)
        for measure in (removal_figures, replace_figures, restyle_figures, partial(restyle_figures, placed=True), path_figures):
            figures |= measure(models, judges, args.clips, objects, how)
    if args.extend:
        figures |= extend_figures(models, args.extend, args.until, objects, how)
    print(table(figures))
    record = {name: round(value, 4) if np.isfinite(value) else None for name, value in figures.items()}
    record |= {name: value for name, value in vars(args).items() if isinstance(value, int | float)}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    minutes = round((time.monotonic() - start) / 60, 2)
    args.out.write_text(json.dumps(record | {"minutes": minutes}, indent=2) + "\n", encoding="utf-8")
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
