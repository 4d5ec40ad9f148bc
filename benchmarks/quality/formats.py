"""Clips of other lengths and sizes than those the weights were trained with: what the judges find in them."""

from benchmarks.common.models import Models
from benchmarks.common.sampling import held_out, sample_clips
from stunet_core.editing.keep_mask import CELL
from training.judges.evaluate import evaluate_clips
from training.judges.judges import Judges

FORMATS = ((16, 128), (40, 128), (80, 128), (120, 128), (80, 96), (80, 192))  # frames, pixels along each side
WHOLE = 80  # frames from which a clip is as long as the motions that the judges know
SHOWN = ("object", "style", "background", "object_held")


def measure(models: Models, judges: Judges, objects: tuple[str, ...], count: int, seed: int, cfg: float, steps: int) -> dict[str, float]:
    """The same `count` captions of single things in every format: "80x96_object" is 80 frames of 96 x 96 pixels."""
    scenes, captions = held_out(count, objects, seed + 20, two=0.0)
    figures: dict[str, float] = {}
    for frames, side in FORMATS:
        clips = sample_clips(models, captions, frames, cfg, steps, size=side // CELL)
        seen = evaluate_clips(clips, scenes, judges)
        wanted = SHOWN + (("motion",) if frames >= WHOLE else ())
        figures |= {f"{frames}x{side}_{name}": seen[name] for name in wanted if name in seen}
    return figures
