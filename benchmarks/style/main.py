"""How well a clip takes on the style of one picture: StyleReference, FitWords and FitStyle, in a real ComfyUI.

    python run.py bench style                       # the shipped weights: a clip for every style, an hour on two cores
    python run.py bench style --clips 8 --fit-clips 8
    python run.py bench style --frames 16 --steps 4 --fit-steps 10 --styles 3d   # to see that it runs: minutes

Captions are of the held-out tenth of the world and name no style. The picture shows another thing in the style wanted. For the
four trained styles the judges say what style a clip is in; for the two that no model has seen, what counts is how far its
colours and its Gram matrices are from drawings of that style, against the same clip made without the picture. "truth" is the
renderer's own clip of the caption in the style: what a perfect model would get. Prints a table
and writes it to output/bench/style.json, with a sheet of all clips beside it.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.common.models import known
from benchmarks.style.looks import colour_distance, gram_distance
from benchmarks.style.styled import StyledSettings, make, upload, workflow
from benchmarks.tasks.main import singles
from launch.client import Client
from launch.server import Server
from training.common.data import SIZE
from training.common.sheets import save_sheet
from training.judges.evaluate import evaluate_clips
from training.judges.judges import Judges
from training.world import HELD_OUT_STYLES, STYLES, Scene, Thing, caption, render

ROOT = Path(__file__).resolve().parents[2]
EVERY = 10  # frames between those whose style is compared
DRAWINGS = 24  # of a style, that clips are compared with
WAYS = ("none", "reference", "words", "words and palette", "fit")  # of making a clip
TRUTH = "truth"
WANTED = {  # figures the project asks of the shipped weights; of words, what it asks of the reference
    f"{way}_{name}": figure
    for ways, figures in (
        (("reference", "words", "words_and_palette"), {
            "style": ">= 0.90", "object_kept": ">= 0.90", "motion_kept": ">= 0.90", "steady": ">= 0.97",
            "colour_falls": ">= 0.30", "gram_falls": ">= 0.30", "cost": "<= 1.15"}),
        (("fit",), {"colour_falls": ">= 0.50", "gram_falls": ">= 0.50"}))
    for way in ways for name, figure in figures.items()
}


@dataclass
class Made:
    """Clips of one way of making them, and what they were to show."""

    scenes: list[Scene] = field(default_factory=list)
    clips: list[np.ndarray] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of sampling
    fits: list[float] = field(default_factory=list)      # seconds of finding words

    def add(self, scene: Scene, clip: np.ndarray, seconds: dict[str, float]) -> None:
        self.scenes.append(scene)
        self.clips.append(clip)
        self.seconds.append(seconds.get("sample", 0.0))
        self.fits.append(seconds.get("words", 0.0))


def plain(scene: Scene, seed: int) -> str:
    """A caption that names everything but the style."""
    return caption(replace(scene, named=frozenset({"object", "background", "motion"})), np.random.default_rng(seed))


def in_style(scene: Scene, style: str) -> Scene:
    """The scene drawn in another style."""
    return replace(scene, things=tuple(replace(thing, style=style) for thing in scene.things))


def drawing(name: str, style: str, background: str) -> np.ndarray:
    """One object in one style: [H, W, 3] uint8."""
    return render(Scene((Thing(name, style, 0.6, 0.5, 0.5, "still"),), background, 0), size=SIZE, frames=1).frames[0]


def drawings(objects: Iterable[str], style: str, background: str) -> np.ndarray:
    """n H W 3 uint8"""
    return np.stack([drawing(name, style, background) for name in objects])


def clips_of(client: Client, style: str, count: int, fits: int, objects: tuple[str, ...], how: StyledSettings,
             seed: int) -> dict[str, Made]:
    """For each way, clips of the same captions and seeds."""
    out = {way: Made() for way in (*WAYS, TRUTH)}
    for n, scene in enumerate(singles(max(count, fits), objects, seed)):
        wanted, text = in_style(scene, style), plain(scene, n)
        out[TRUTH].add(wanted, render(wanted, size=SIZE, frames=how.frames).frames, {})
        others = [name for name in objects if name != scene.things[0].object]
        shown = others[n % len(others)]
        picture = upload(client, f"bench_{style}_{n}.png", drawing(shown, style, scene.background))
        said = f"a {shown} on a {scene.background} background"
        for way, some in zip(WAYS, (max(count, fits), count, count, count, fits), strict=True):
            if n < some:
                out[way].add(wanted, *make(client, workflow(how, text, n, way, picture, said)))
                print(f"{style} {way} {n}: {out[way].seconds[-1]:.0f} s", flush=True)
    return out


def right(made: Made, judges: Judges) -> dict[str, float]:
    """Shares of clips that show the object, and the motion, of their caption."""
    found = evaluate_clips(made.clips, [replace(scene, named=frozenset({"object", "motion"})) for scene in made.scenes], judges)
    return {name: found[name] for name in ("object", "motion")}


def kept(made: Made, before: Made, judges: Judges) -> dict[str, float]:
    """Shares of what clips show right over that of the same clips without the style; 1 where both show nothing right."""
    count = len(made.clips)
    now, then = right(made, judges), right(replace(before, clips=before.clips[:count], scenes=before.scenes[:count]), judges)
    return {f"{name}_kept": now[name] / then[name] if then[name] else float(now[name] >= then[name]) for name in now}


def judged(made: Made, judges: Judges) -> dict[str, float]:
    """Share of clips in the style wanted by their middle frame, and of every tenth frame that agrees with it."""
    right, steady = [], []
    for scene, clip in zip(made.scenes, made.clips, strict=True):
        seen = judges.look(clip[::EVERY]).style.argmax(1)
        middle = judges.look(clip[len(clip) // 2:][:1]).style.argmax(1)[0]
        right.append(float(STYLES[int(middle)] == scene.things[0].style))
        steady.append(float((seen == middle).mean()))
    return {"style": float(np.mean(right)), "steady": float(np.mean(steady))}


def nearer(made: Made, before: Made, objects: tuple[str, ...], judges: Judges) -> dict[str, float]:
    """By what share the distance to drawings of the style falls, mean over clips."""
    colour, gram = [], []
    for scene, clip, without in zip(made.scenes, made.clips, before.clips, strict=False):
        like = drawings(objects[:DRAWINGS], scene.things[0].style, scene.background)
        frames, other = clip[::EVERY], without[::EVERY]
        colour.append(1 - colour_distance(frames, like) / max(colour_distance(other, like), 1e-6))
        gram.append(1 - gram_distance(frames, like, judges) / max(gram_distance(other, like, judges), 1e-6))
    return {"colour_falls": float(np.mean(colour)), "gram_falls": float(np.mean(gram))}


def figures_of(parts: dict[str, dict[str, Made]], objects: tuple[str, ...], judges: Judges) -> dict[str, float]:
    """Means over styles of all figures."""
    found: dict[str, list[float]] = {}

    def note(way: str, values: dict[str, float]) -> None:
        for name, value in values.items():
            found.setdefault(f"{way.replace(' ', '_')}_{name}", []).append(value)

    for style, ways in parts.items():
        for way in (*WAYS, TRUTH):
            if not ways[way].clips:
                continue
            note(way, right(ways[way], judges))
            if style in STYLES:
                note(way, judged(ways[way], judges))
            if way != "none":
                note(way, kept(ways[way], ways["none"], judges))
                if style in HELD_OUT_STYLES:
                    note(way, nearer(ways[way], ways["none"], objects, judges))
        for way in ("reference", "words", "words and palette"):
            if ways[way].clips:
                note(way, {"cost": float(np.median(ways[way].seconds) / np.median(ways["none"].seconds))})
        if ways["words"].clips:
            note("words", {"fit_seconds": float(np.median(ways["words"].fits))})
    return {name: round(float(np.mean(values)), 4) for name, values in found.items()}


def table(figures: dict[str, float]) -> str:
    """One line per figure, with what is wanted of it where something is."""
    lines = [f"{'figure':<28}{'measured':>9}{'wanted':>9}"]
    return "\n".join(lines + [f"{name:<28}{value:>9.3f}{WANTED.get(name, ''):>9}" for name, value in figures.items()])


def sheet(path: Path, parts: dict[str, dict[str, Made]]) -> None:
    """The middle frame of every clip: a row of ways for each."""
    shown, titles = [], []
    for style, ways in parts.items():
        for n in range(len(ways["none"].clips)):
            for way, made in ways.items():
                blank = np.zeros_like(ways["none"].clips[n][0])
                shown.append(made.clips[n][len(made.clips[n]) // 2] if n < len(made.clips) else blank)
                titles.append(f"{style} {way}")
    save_sheet(path, np.stack(shown), len(WAYS) + 1, titles)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1, help="clips of each style with a reference")
    parser.add_argument("--fit-clips", type=int, default=1, help="clips of each held-out style with a fitted LoRA (0: none)")
    parser.add_argument("--styles", nargs="+", default=list(STYLES + HELD_OUT_STYLES), choices=STYLES + HELD_OUT_STYLES)
    parser.add_argument("--mode", default="attention and statistics", help="of the reference")
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--fit-steps", type=int, default=200)
    parser.add_argument("--cfg", type=float, default=2.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--objects", type=int, help="how many objects to ask for (default: those the weights learned)")
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "bench" / "style.json")
    args = parser.parse_args()

    judges = Judges.load()
    objects = known(args.objects)
    how = StyledSettings(args.frames, args.steps, args.cfg, args.mode, args.fit_steps)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as base, Server(Path(sys.executable), base=Path(base), log=Path(base) / "log") as server:
        fits = {style: args.fit_clips if style in HELD_OUT_STYLES else 0 for style in args.styles}
        parts = {style: clips_of(server.client, style, args.clips, count, objects, how, args.seed) for style, count in fits.items()}
    figures = figures_of(parts, objects, judges)
    print(table(figures))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet(args.out.with_suffix(".png"), parts)
    record = figures | {name: value for name, value in vars(args).items() if isinstance(value, int | float | str)}
    minutes = round((time.monotonic() - start) / 60, 2)
    args.out.write_text(json.dumps(record | {"minutes": minutes}, indent=2) + "\n", encoding="utf-8")
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
