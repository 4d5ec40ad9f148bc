"""One pass against windows: the same weights, run without time strides in windows of 16 frames with an overlap of 4."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from benchmarks.common.models import Models
from benchmarks.common.sampling import FRAMES, decode, sample_clips, told
from benchmarks.quality.conditioned import CELLS, ask
from benchmarks.quality.figures import Figures
from stunet_core.mini.frame_time import drawn, evenly, with_time
from stunet_core.mini.host import forward_clip
from stunet_core.mini.inputs import beside_clip
from stunet_core.mini.noise import ALONE, clip_noise
from stunet_core.mini.poses.drafter import Drafter
from stunet_core.model.precision import half
from stunet_core.model.walk import Clip
from stunet_core.model.windows import windowed
from training.common.sampling import STEADY, Asked, Told, drafted, heard, sample
from training.judges.evaluate import evaluate_clips
from training.judges.judges import Judges

LENGTH, OVERLAP = 16, 4  # frames
LONG = ("left", "right", "up", "down", "grow", "shrink", "bounce", "swing", "circle", "spin")  # periodic or long-range


@torch.no_grad()
def in_windows(models: Models, asked: Told, how: Asked, frames: int = FRAMES, cells: int = CELLS) -> np.ndarray:
    """One prompt as a clip, denoised in windows -> F H W 3 uint8; it begins with the noise that the single pass has.

    Every window's frames are told their times in the whole clip and shown drafts, as the single pass is: what it lacks is the others.
    """
    assert models.skeleton is not None
    mini, skeleton = models.mini, models.skeleton
    noise = clip_noise(1, frames, (mini.config.latent_channels, cells, cells), torch.Generator().manual_seed(how.seed),
                       shared=ALONE)
    times = evenly(1, frames)[0] + drawn(noise)
    context, pooled, words = heard(mini, asked)
    empty, nothing = mini.nothing()
    context, pooled = torch.cat([context, empty]), torch.cat([pooled, nothing])
    draft = drafted(Drafter(mini.pose_head, models.autoencoder), asked, words, times[None], (cells, cells))
    strides = (1,) * len(skeleton.config.ratios)
    of_frame = torch.arange(frames, dtype=noise.dtype)[:, None, None, None].expand(-1, 1, cells, cells)

    def predict(x: Tensor, t: Tensor) -> Tensor:
        def window(part: Tensor) -> Tensor:
            part, which = part[:, :-1], part[:, -1, 0, 0].round().long()  # a window finds out which frames it has
            count, mask = len(part), torch.ones_like(part[:, :1])
            rest = torch.cat([beside_clip(mask, torch.zeros_like(part), count, shown) for shown in (draft[which], None)])
            y = with_time(pooled.repeat_interleave(count, dim=0), times[which].repeat(2))
            rows = torch.cat([part.repeat(2, 1, 1, 1), rest], dim=1)
            v = forward_clip(mini.unet, skeleton, rows, t[:1].expand(2), context, y, Clip(2, count, ratios=strides))
            told_v, without = v.float().chunk(2)
            return torch.cat([without + how.cfg * (told_v - without), torch.zeros_like(mask)], dim=1)

        return windowed(window, torch.cat([x, of_frame], dim=1), LENGTH, OVERLAP)[:, :-1]

    with half():
        return decode(models, sample(predict, noise[0], how.steps, clips=1, averaged=STEADY))


def measure(models: Models, judges: Judges, objects: Sequence[str], count: int, how: Asked) -> Figures:
    """Motion and identity of `count` clips, by a single pass and by windows."""
    rng = np.random.default_rng([how.seed, 99])
    wanted = [ask(models, rng, objects, lambda s: "motion" in s.named and s.things[0].motion in LONG) for _ in range(count)]
    scenes = [one.scene for one in wanted]
    asked = told(models, scenes, [one.text for one in wanted])
    single = sample_clips(models, asked, FRAMES, replace(how, averaged=STEADY))
    windows = np.stack([in_windows(models, asked.part(k, 1), replace(how, seed=how.seed + k)) for k in range(count)])
    figures: Figures = {}
    for name, clips in (("single", single), ("windows", windows)):
        seen = evaluate_clips(clips, scenes, judges)
        figures |= {f"{name}_{figure}": seen[figure] for figure in ("motion", "object_held", "steady")}
    return figures
