"""Figures of what the user steers with: guidance, negative prompts, seeds."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.common.models import Models
from benchmarks.common.sampling import held_out, sample_images, told
from benchmarks.quality.figures import Figures
from training.common.sampling import Asked
from training.judges.evaluate import evaluate_images
from training.judges.judges import Judges
from training.world import STYLES, caption

SCALES = (1.0, 2.0, 4.0, 8.0)


def guidance(models: Models, judges: Judges, objects: Sequence[str], count: int, how: Asked) -> Figures:
    """Object and style of the same captions at several scales."""
    scenes, captions = held_out(count, objects, how.seed + 10)
    asked = told(models, scenes, captions)
    figures: Figures = {}
    for scale in SCALES:
        seen = evaluate_images(sample_images(models, asked, replace(how, cfg=scale)), scenes, judges)
        figures |= {f"cfg{scale:g}_{name}": seen[name] for name in ("object", "style")}
    return figures


def negative(models: Models, judges: Judges, objects: Sequence[str], count: int, how: Asked) -> Figures:
    """The share of line art among captions that name no style and show no picture, without a negative prompt and with "line style"."""
    scenes, _ = held_out(count, objects, how.seed + 11, two=0.0)
    rng = np.random.default_rng([how.seed, 12])
    captions = [caption(replace(scene, named=frozenset({"object", "background"})), rng) for scene in scenes]
    asked = told(models, scenes, captions)
    asked = replace(asked, shown=asked.shown & False)
    figures: Figures = {}
    for name, words in (("line_share", ""), ("line_share_negative", "line style")):
        seen = judges.look(sample_images(models, asked, how, words)).style.argmax(axis=1)
        figures[name] = round(float((seen == STYLES.index("line")).mean()), 4)
    return figures


def diversity(judges: Judges, some: np.ndarray, others: np.ndarray) -> float:
    """How far apart the thing is in two clips of one caption and two seeds: the mean over clips and frames, in frame widths."""
    apart = [np.linalg.norm(judges.follow(a).centre - judges.follow(b).centre, axis=1) for a, b in zip(some, others, strict=True)]
    return round(float(np.nanmean(apart)), 4) if np.isfinite(apart).any() else 0.0
