"""Figures of clips that are made of words and pictures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.common.models import Models
from benchmarks.common.sampling import held_out, sample_clips, told, truth
from benchmarks.quality.controls import diversity
from benchmarks.quality.figures import Figures, beside
from training.common.sampling import STEADY, Asked
from training.common.sheets import save_sheet
from training.judges.evaluate import evaluate_clips, flicker, sharpness, speed_error
from training.judges.judges import Judges

AGAIN = 4  # clips that are made with another seed too, and without Steady


def measure(models: Models, judges: Judges, objects: Sequence[str], count: int, frames: int, how: Asked, out: Path) -> Figures:
    """Judges, speed, flicker (alone and with Steady), sharpness inside of things, and how far seeds are apart."""
    scenes, captions = held_out(count, objects, how.seed + 1, camera=0.2)
    asked, steadied = told(models, scenes, captions), replace(how, averaged=STEADY)
    clips, true = sample_clips(models, asked, frames, steadied), truth(models, scenes, frames)
    figures = beside("clip", evaluate_clips(clips, scenes, judges), evaluate_clips(true, scenes, judges))
    some = min(AGAIN, count)
    alone = sample_clips(models, asked.part(0, some), frames, how)
    other = sample_clips(models, asked.part(0, some), frames, replace(steadied, seed=how.seed + 1000))
    more = {
        "clip_flicker": flicker(alone, scenes[:some]), "clip_flicker_steady": flicker(clips, scenes),
        "clip_flicker_truth": flicker(true, scenes),
        "clip_speed_error": speed_error(clips, scenes, judges), "clip_speed_error_truth": speed_error(true, scenes, judges),
        "clip_sharpness": sharpness(clips, true, judges), "clip_diversity": diversity(judges, clips[:some], other),
    }
    figures |= {name: round(value, 4) for name, value in more.items() if value is not None}
    shown = clips[:16, np.linspace(0, frames - 1, 8).round().astype(int)]
    titles = [text[40 * k:40 * (k + 1)] for text in captions[:16] for k in range(8)]
    save_sheet(out.with_name("quality_clips.png"), shown.reshape(-1, *shown.shape[2:]), shown.shape[1], titles)
    return figures
