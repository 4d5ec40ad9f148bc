"""How well the model does what captions ask, judged on captions of combinations it never saw.

    python run.py bench quality                    # the shipped weights, about 30 minutes on two cores
    python run.py bench quality --quick            # a first impression in 3
    python -m benchmarks.quality.main --runs runs  # the checkpoints of a training in progress

Scenes are drawn from the held-out tenth of the world; the model samples their captions through plain torch, 24 steps
with guidance; the judges score only what each caption names. Prints a table and writes it to
output/bench/quality.json. `--images 512 --pairs 128 --clips 256 --given 64 --windows 64` are the counts that the figures are
meant for: hours on a CPU. `--formats 6` also makes clips of other lengths and sizes.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.common.models import Models, learned, load_runs, load_shipped
from benchmarks.common.sampling import held_out, sample_clips, sample_images
from benchmarks.quality import conditioned, controls, formats, windows
from training.common.data import first_objects
from training.common.sampling import STEADY
from training.common.sheets import save_sheet
from training.judges.evaluate import evaluate_clips, evaluate_images, flicker, speed_error
from training.judges.judges import Judges
from training.world import render

ROOT = Path(__file__).resolve().parents[2]
WANTED = {  # figures the project asks of the shipped weights
    "image_object": ">= 0.95", "image_style": ">= 0.97", "image_background": ">= 0.99", "pairs_object_pair": ">= 0.80",
    "clip_object": ">= 0.93", "clip_style": ">= 0.95", "clip_background": ">= 0.99", "clip_motion": ">= 0.93",
    "clip_identity": ">= 0.95", "clip_speed_error": "<= 0.15", "clip_flicker": "<= 1.3", "i2v_first_psnr": ">= 30",
    "i2v_object_last": ">= 0.95", "inpaint_object": ">= 0.90", "inpaint_background": ">= 0.90", "region_flow_inside": "> 1",
    "region_flow_outside": "< 0.1", "prefix_joint_psnr": ">= 28", "prefix_motion": ">= 0.85",
}


@dataclass(frozen=True)
class Counts:
    """How many captions each group of figures is measured on; 0: left out."""

    images: int = 256
    pairs: int = 48
    controls: int = 32
    clips: int = 40
    given: int = 5
    windows: int = 4
    formats: int = 0  # 6 take five to ten minutes


QUICK = Counts(images=48, pairs=16, controls=0, clips=5, given=1, windows=0)


def table(figures: dict[str, float]) -> str:
    """One line per figure, with what is wanted of it where something is."""
    lines = [f"{'figure':<28}{'measured':>9}{'wanted':>10}"]
    return "\n".join(lines + [f"{name:<28}{value:>9.3f}{WANTED.get(name, ''):>10}" for name, value in figures.items()])


def image_figures(models: Models, judges: Judges, objects: tuple[str, ...], counts: Counts, args: argparse.Namespace) -> dict[str, float]:
    figures: dict[str, float] = {}
    for group, count, two in (("image", counts.images, 0.12), ("pairs", counts.pairs, 1.0)):
        if count:
            scenes, captions = held_out(count, objects, args.seed, two)
            frames = sample_images(models, captions, args.cfg, args.steps)
            figures |= {f"{group}_{name}": value for name, value in evaluate_images(frames, scenes, judges).items()}
            if group == "pairs":  # what the judges find of them where both are there
                rendered = np.concatenate([render(scene, frames=args.frames, only=[args.frames // 2]).frames for scene in scenes])
                figures["pairs_rendered"] = evaluate_images(rendered, scenes, judges)["object_pair"]
            save_sheet(args.out.with_name(f"quality_{group}.png"), frames[:64], 8, [text[:26] for text in captions])
    if counts.controls:
        figures |= controls.guidance(models, judges, objects, counts.controls, args.seed, args.steps)
        figures |= controls.negative(models, judges, objects, counts.controls, args.seed, args.steps)
    return figures


def clip_figures(models: Models, judges: Judges, objects: tuple[str, ...], counts: Counts, args: argparse.Namespace) -> dict[str, float]:
    figures: dict[str, float] = {}
    if counts.clips:
        scenes, captions = held_out(counts.clips, objects, args.seed + 1)
        clips = sample_clips(models, captions, args.frames, args.cfg, args.steps, averaged=args.steady)
        figures |= {f"clip_{name}": value for name, value in evaluate_clips(clips, scenes, judges).items()}
        found = {"clip_flicker": flicker(clips, scenes), "clip_speed_error": speed_error(clips, scenes, judges)}
        figures |= {name: value for name, value in found.items() if value is not None}
        shown = clips[:16, :: max(1, args.frames // 8)][:, :8]
        titles = [text[26 * k:26 * (k + 1)] for text in captions[:16] for k in range(8)]
        save_sheet(args.out.with_name("quality_clips.png"), shown.reshape(-1, *shown.shape[2:]), shown.shape[1], titles)
        again = min(4, len(clips))
        figures["clip_diversity"] = controls.diversity(
            judges, clips[:again], sample_clips(models, captions[:again], args.frames, args.cfg, args.steps, 1000, args.steady))
    if counts.given:
        figures |= conditioned.measure(models, judges, objects, counts.given, args.seed + 2)
    if counts.windows:
        figures |= windows.measure(models, judges, objects, counts.windows, args.seed + 3)
    if counts.formats:
        figures |= formats.measure(models, judges, objects, counts.formats, args.seed, args.cfg, args.steps)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few captions: a first impression")
    for name, count in asdict(Counts()).items():
        parser.add_argument(f"--{name}", type=int, help=f"captions for these figures (default {count}; 0: none)")
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--cfg", type=float, default=2.5)
    parser.add_argument("--steady", type=float, default=STEADY, help="frames over which clips made of words are averaged (0: not at all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--objects", type=int, help="how many objects to ask for (default: those the weights learned)")
    parser.add_argument("--runs", type=Path, help="judge the checkpoints of a training instead of the shipped weights")
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "bench" / "quality.json")
    args = parser.parse_args()

    given = {name: getattr(args, name) for name in asdict(Counts()) if getattr(args, name) is not None}
    counts = replace(QUICK if args.quick else Counts(), **given)
    moving = bool(counts.clips or counts.given or counts.windows or counts.formats)
    judges = Judges.load()
    models = load_runs(args.runs, skeleton=moving) if args.runs else load_shipped(ROOT / "weights")
    objects = first_objects(args.objects or (len(judges.objects) if args.runs else learned(ROOT / "weights" / "mini.safetensors")))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    figures = image_figures(models, judges, objects, counts, args)
    figures |= clip_figures(models, judges, objects, counts, args)
    print(table(figures))
    record = {**figures, **{f"count_{name}": value for name, value in asdict(counts).items()}, "steps": args.steps,
              "cfg": args.cfg, "steady": args.steady, "seed": args.seed, "minutes": round((time.monotonic() - start) / 60, 2)}
    record |= {f"judge_{name}": value for name, value in judges.accuracy.items()}
    args.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
