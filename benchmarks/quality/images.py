"""Figures of the autoencoder and of single images."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.common.models import Models
from benchmarks.common.sampling import decode, encode, held_out, sample_images, told, truth
from benchmarks.quality.figures import CHANCE, Figures, beside
from training.common.data import SIZE
from training.common.sampling import Asked
from training.common.sheets import save_sheet
from training.judges.evaluate import evaluate_images, nearest_share
from training.judges.judges import Judges
from training.judges.looks import Gallery
from training.world import HELD_OUT_STYLES, OBJECT_NAMES, STYLES, Scene, Thing, caption, library, render, sample_scene

AMONG = 500  # pictures among which the nearest is looked for


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Of uint8 pictures, in dB."""
    return float(-10 * np.log10(max(1e-10, np.square((a.astype(np.float32) - b) / 255).mean())))


def autoencoder(models: Models, count: int, seed: int) -> Figures:
    """PSNR on frames of held-out combinations, and on drawings in styles that no model has seen."""
    rng = np.random.default_rng([seed, 70])
    figures: Figures = {}
    for name, styles in (("autoencoder_psnr", STYLES), ("autoencoder_psnr_unseen", HELD_OUT_STYLES)):
        scenes = [sample_scene(rng, OBJECT_NAMES, held_out=True, styles=styles) for _ in range(count)]
        frames = np.concatenate([render(scene, size=SIZE, only=[int(rng.integers(80))]).frames for scene in scenes])
        again = decode(models, encode(models, frames))
        figures[name] = round(float(np.mean([psnr(a, b) for a, b in zip(again, frames, strict=True)])), 2)
    return figures


def captioned(models: Models, judges: Judges, objects: Sequence[str], count: int, how: Asked, out: Path, group: str, two: float) -> Figures:
    """What the judges find of held-out captions; a quarter of the things are asked for in a colour."""
    scenes, captions = held_out(count, objects, how.seed, two=two, colour=0.25)
    frames = sample_images(models, told(models, scenes, captions), how)
    save_sheet(out.with_name(f"quality_{group}.png"), frames[:64], 8, [text[:40] for text in captions])
    return beside(group, evaluate_images(frames, scenes, judges), evaluate_images(truth(models, scenes), scenes, judges))


def galleries(judges: Judges, scenes: Sequence[Scene], seed: int) -> dict[str, Gallery]:
    """For each style pictures of AMONG things, those of the scenes among them."""
    rng = np.random.default_rng([seed, 71])
    drawn = library.names() or OBJECT_NAMES
    asked = {thing.object for scene in scenes for thing in scene.things}
    names = sorted(asked | {str(name) for name in rng.permutation(drawn)[:max(0, AMONG - len(asked))]})
    return {style: judges.gallery(names, style) for style in {scene.things[0].style for scene in scenes}}


def unseen_things(models: Models, judges: Judges, count: int, how: Asked, out: Path) -> Figures:
    """Things that were never trained on, judged by their looks: most have no word, only their picture says what they are."""
    rng = np.random.default_rng([how.seed, 72])
    scenes = [sample_scene(rng, library.unseen(), two=0.0, local=0.0, camera=0.0, colour=0.0) for _ in range(count)]
    scenes = [still(scene) for scene in scenes]
    captions = [caption(scene, rng, nameless=scene.things[0].object not in OBJECT_NAMES) for scene in scenes]
    frames = sample_images(models, told(models, scenes, captions), how)
    among = galleries(judges, scenes, how.seed)
    save_sheet(out.with_name("quality_unseen.png"), frames[:64], 8, [scene.things[0].object[:40] for scene in scenes])
    return {"image_nearest": nearest_share(frames, scenes, judges, among), "image_nearest_chance": CHANCE["nearest"],
            "image_nearest_truth": nearest_share(truth(models, scenes), scenes, judges, among)}


def still(scene: Scene) -> Scene:
    """The same thing, standing upright."""
    thing: Thing = replace(scene.things[0], motion="still", speed=1.0)
    return replace(scene, things=(thing,), named=scene.named - {"speed"})


def measure(models: Models, judges: Judges, objects: Sequence[str], images: int, pairs: int, how: Asked, out: Path) -> Figures:
    figures: Figures = {}
    if images:
        figures |= autoencoder(models, min(images, 64), how.seed)
        figures |= captioned(models, judges, objects, images, how, out, "image", 0.0)
        figures |= unseen_things(models, judges, images, how, out)
    if pairs:
        figures |= captioned(models, judges, objects, pairs, how, out, "pairs", 1.0)
    return figures
