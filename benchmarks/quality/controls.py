"""Figures of what the user steers with: guidance, negative prompts, seeds."""

from dataclasses import replace

import numpy as np

from benchmarks.common.models import Models
from benchmarks.common.sampling import held_out, sample_images
from training.judges.evaluate import evaluate_images
from training.judges.judges import Judges
from training.world import STYLES, caption

SCALES = (1.0, 2.0, 4.0, 8.0)


def guidance(models: Models, judges: Judges, objects: tuple[str, ...], count: int, seed: int, steps: int) -> dict[str, float]:
    """Object and style of the same captions at several scales."""
    scenes, captions = held_out(count, objects, seed + 10)
    figures: dict[str, float] = {}
    for scale in SCALES:
        seen = evaluate_images(sample_images(models, captions, scale, steps), scenes, judges)
        figures |= {f"cfg{scale:g}_{name}": seen[name] for name in ("object", "style")}
    return figures


def negative(models: Models, judges: Judges, objects: tuple[str, ...], count: int, seed: int, steps: int) -> dict[str, float]:
    """The share of line art among captions that name no style, without a negative prompt and with "line style"."""
    scenes, _ = held_out(count, objects, seed + 11, two=0.0)
    rng = np.random.default_rng([seed, 12])
    captions = [caption(replace(scene, named=frozenset({"object", "background"})), rng) for scene in scenes]
    figures: dict[str, float] = {}
    for name, words in (("line_share", ""), ("line_share_negative", "line style")):
        seen = judges.look(sample_images(models, captions, 2.5, steps, words)).style.argmax(axis=1)
        figures[name] = round(float((seen == STYLES.index("line")).mean()), 4)
    return figures


def diversity(judges: Judges, some: np.ndarray, others: np.ndarray) -> float:
    """How far apart the thing is in two clips of one caption and two seeds: the mean over clips and frames, in frame widths."""
    apart = [np.linalg.norm(judges.follow(a).centre - judges.follow(b).centre, axis=1) for a, b in zip(some, others, strict=True)]
    return round(float(np.nanmean(apart)), 4) if np.isfinite(apart).any() else 0.0
