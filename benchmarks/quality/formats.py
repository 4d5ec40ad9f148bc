"""Clips of other lengths and sizes than those the weights were trained with: what the judges find in them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.common.models import Models
from benchmarks.common.sampling import held_out, sample_clips, told
from benchmarks.quality.figures import Figures
from stunet_core.mini.autoencoder import SCALE
from training.common.sampling import STEADY, Asked
from training.judges.evaluate import evaluate_clips
from training.judges.judges import Judges

FORMATS = ((16, 256, 256), (40, 256, 256), (80, 256, 256), (160, 256, 256), (80, 192, 192), (80, 320, 320), (80, 256, 192), (80, 320, 176))
WHOLE = 80  # frames from which a clip is as long as the motions that the judges know
SHOWN = ("object", "style", "background", "object_held")


def squares(clips: np.ndarray) -> np.ndarray:
    """The middle of clips n F H W 3 that are no squares: judges see squares."""
    height, width = clips.shape[2:4]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(clips[:, :, top:top + side, left:left + side])


def measure(models: Models, judges: Judges, objects: Sequence[str], count: int, how: Asked) -> Figures:
    """The same `count` captions of single things in every format: "80x320x176_object" is 80 frames of 320 x 176 pixels."""
    scenes, captions = held_out(count, objects, how.seed + 20, two=0.0, camera=0.0)
    asked = told(models, scenes, captions)
    figures: Figures = {}
    for frames, width, height in FORMATS:
        clips = sample_clips(models, asked, frames, replace(how, averaged=STEADY, size=(height // SCALE, width // SCALE)))
        seen = evaluate_clips(squares(clips), scenes, judges)
        wanted = SHOWN + (("motion",) if frames >= WHOLE else ())
        figures |= {f"{frames}x{width}x{height}_{name}": seen[name] for name in wanted if name in seen}
    return figures
