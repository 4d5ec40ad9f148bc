"""How well the model does what prompts ask, judged on scenes of combinations it never saw, and on things it never saw.

    python run.py bench quality                    # the shipped weights, an hour on two cores
    python run.py bench quality --quick            # a first impression in some minutes
    python -m benchmarks.quality.main --runs runs  # the checkpoints of a training in progress

Scenes are drawn from the held-out tenth of the world; the model samples their captions, beside pictures of their things, through plain
torch; the judges score only what each caption names. Each figure stands beside what the truth gets (the scenes rendered, through the
autoencoder) and what chance would get. Prints a table and writes it to output/bench/quality.json. `--images 512 --pairs 128 --clips 256
--given 64 --windows 64` are the counts that the figures are meant for: hours on a CPU. `--formats 6` also makes clips of other lengths and
sizes.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.common.models import known, load_runs, load_shipped
from benchmarks.quality import clips, conditioned, controls, formats, images, prompts, windows
from benchmarks.quality.figures import Figures, table
from training.common.sampling import Asked
from training.judges.judges import WEIGHTS, Judges

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Counts:
    """How many prompts each group of figures is measured on; 0: left out."""

    images: int = 256
    pairs: int = 48
    prompts: int = 60
    controls: int = 32
    clips: int = 40
    given: int = 5
    windows: int = 4
    formats: int = 0  # 6 take a quarter of an hour


QUICK = Counts(images=32, pairs=8, prompts=16, controls=0, clips=4, given=1, windows=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few prompts: a first impression")
    for name, count in asdict(Counts()).items():
        parser.add_argument(f"--{name}", type=int, help=f"prompts for these figures (default {count}; 0: none)")
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--cfg", type=float, default=2.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--objects", type=int, help="ask only for the first so many things (default: all that the weights learned)")
    parser.add_argument("--runs", type=Path, help="judge the checkpoints of a training instead of the shipped weights")
    parser.add_argument("--weights", type=Path, default=ROOT / "weights", help="folder of the two weight files (default: %(default)s)")
    parser.add_argument("--judges", type=Path, default=WEIGHTS, help="who judges (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "bench" / "quality.json")
    args = parser.parse_args()

    given = {name: getattr(args, name) for name in asdict(Counts()) if getattr(args, name) is not None}
    counts = replace(QUICK if args.quick else Counts(), **given)
    moving = bool(counts.clips or counts.given or counts.windows or counts.formats)
    judges, objects, how = Judges.load(args.judges), known(args.objects), Asked(cfg=args.cfg, steps=args.steps, seed=args.seed)
    models = load_runs(args.runs, skeleton=moving) if args.runs else load_shipped(args.weights, skeleton=moving)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    figures: Figures = {}

    def keep(more: Figures) -> None:
        """Written as soon as they are there: a run that is cut off has measured something."""
        figures.update(more)
        record = {**figures, **{f"count_{name}": value for name, value in asdict(counts).items()}, "steps": args.steps,
                  "cfg": args.cfg, "seed": args.seed, "minutes": round((time.monotonic() - start) / 60, 2)}
        record |= {f"judge_{name}": value for name, value in judges.accuracy.items()}
        args.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    keep(images.measure(models, judges, objects, counts.images, counts.pairs, how, args.out))
    if counts.prompts:
        keep(prompts.measure(models, judges, counts.prompts, how, args.out))
    if counts.controls:
        keep(controls.guidance(models, judges, objects, counts.controls, how))
        keep(controls.negative(models, judges, objects, counts.controls, how))
    if counts.clips:
        keep(clips.measure(models, judges, objects, counts.clips, args.frames, how, args.out))
    if counts.given:
        keep(conditioned.measure(models, judges, objects, counts.given, args.seed + 2))
    if counts.windows:
        keep(windows.measure(models, judges, objects, counts.windows, replace(how, seed=args.seed + 3)))
    if counts.formats:
        keep(formats.measure(models, judges, objects, counts.formats, how))
    print(table(figures))
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
