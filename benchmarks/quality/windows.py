"""One pass against windows: the same weights, run without time strides in windows of 16 frames with an overlap of 4."""

import numpy as np
import torch
from torch import Tensor

from benchmarks.common.models import Models
from benchmarks.quality.conditioned import FRAMES, Asked, answer, ask, decode
from stunet_core.mini.host import forward_clip
from stunet_core.model.walk import Clip
from stunet_core.model.windows import windowed
from training.common.conditions import model_input
from training.common.sampling import STEADY, sample
from training.judges.evaluate import evaluate_clips
from training.judges.judges import Judges

LENGTH, OVERLAP = 16, 4  # frames
LONG = ("left", "right", "up", "down", "grow", "shrink", "bounce", "swing", "circle", "spin")  # periodic or long-range


@torch.no_grad()
def in_windows(models: Models, asked: Asked, seed: int, *, cfg: float = 2.5, steps: int = 24) -> np.ndarray:
    """The scene's caption as a clip, denoised in windows -> F H W 3 uint8; the same noise as the single pass has."""
    assert models.skeleton is not None
    skeleton = models.skeleton
    noise = torch.randn(FRAMES, 4, 16, 16, generator=torch.Generator().manual_seed(seed))
    context, y = models.text(torch.cat([models.ids([asked.text]), models.ids([""])]))
    nothing = (1,) * len(skeleton.config.ratios)

    def predict(x: Tensor, t: Tensor) -> Tensor:
        def window(part: Tensor) -> Tensor:
            rows = model_input(part, torch.zeros_like(part), torch.zeros_like(part[:, :1])).repeat(2, 1, 1, 1)
            v = forward_clip(models.net, skeleton, rows, t[:1].expand(2), context, y, Clip(2, len(part), ratios=nothing))
            with_text, without = v.float().chunk(2)
            return without + cfg * (with_text - without)

        return windowed(window, x, LENGTH, OVERLAP)

    with torch.autocast("cpu", torch.bfloat16):
        return decode(models, sample(predict, noise, steps, clips=1, averaged=STEADY))


def measure(models: Models, judges: Judges, objects: tuple[str, ...], count: int, seed: int) -> dict[str, float]:
    """Motion and identity of `count` clips, by a single pass and by windows."""
    rng = np.random.default_rng([seed, 99])
    scenes = [ask(models, rng, objects, lambda s: "motion" in s.named and s.things[0].motion in LONG) for _ in range(count)]
    keep = np.zeros((FRAMES, 16, 16), bool)
    single = [answer(models, asked, keep, seed + k) for k, asked in enumerate(scenes)]
    windows = [in_windows(models, asked, seed + k) for k, asked in enumerate(scenes)]
    figures: dict[str, float] = {}
    for name, clips in (("single", single), ("windows", windows)):
        seen = evaluate_clips(clips, [asked.scene for asked in scenes], judges)
        figures |= {f"{name}_{figure}": seen[figure] for figure in ("motion", "object_held", "steady")}
    return figures
