"""What one step sees. Everything follows from (seed, step, place in the step's batch): a resumed run sees what an
uninterrupted one would have, and two processes with two clips each see what one process with four does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm

import numpy as np
import torch
from torch import Tensor

from ..common.conditions import VIDEO_TASKS, draw_tasks, keep_batch
from .cache import CachedClip
from .image_model import Text

NO_TEXT = 0.1  # share of empty captions, for classifier-free guidance (2207.12598)
ALIKE = 2**32 - 1  # in the place of a clip's: what is drawn for the whole step


@dataclass(frozen=True)
class Batch:
    """z, noise: (b f) c h w; context: b n c; y: b p or None; t: b, in 0 to 1; keep: (b f) 1 h w, 1 = given"""

    z: Tensor
    noise: Tensor
    context: Tensor
    y: Tensor | None
    t: Tensor
    keep: Tensor

    def to(self, device: torch.device) -> "Batch":
        return Batch(self.z.to(device), self.noise.to(device), self.context.to(device),
                     None if self.y is None else self.y.to(device), self.t.to(device), self.keep.to(device))


class Batches:
    """Draws from the cache. All clips of a step are of one size, so that they stack and every process has as much to do."""

    def __init__(self, clips: Sequence[CachedClip], frames: int, seed: int):
        self.clips, self.frames, self.seed = clips, frames, seed

    def draw(self, step: int, places: Sequence[int]) -> Batch:
        """The clips at `places` of this step's batch."""
        first = self.clips[int(np.random.default_rng([self.seed, step, ALIKE]).integers(len(self.clips)))]
        alike = [clip for clip in self.clips if clip.size == first.size]
        z, texts, noise, t, keep = [], [], [], [], []
        for place in places:
            rng = np.random.default_rng([self.seed, step, place])
            clip = alike[int(rng.integers(len(alike)))]
            z.append(clip.latents(int(rng.integers(clip.frames - self.frames + 1)), self.frames))
            said = clip.texts - 1
            texts.append(clip.text(said if rng.random() < NO_TEXT else int(rng.integers(said))))
            t.append(rng.random())
            noise.append(torch.from_numpy(rng.standard_normal(z[-1].shape, dtype=np.float32)))
            keep.append(keep_batch(rng, draw_tasks(rng, VIDEO_TASKS, 1), self.frames, *clip.size))
        context, y = stack(texts)
        return Batch(torch.cat(z), torch.cat(noise), context, y, torch.tensor(t), torch.cat(keep))


def stack(texts: Sequence[Text]) -> tuple[Tensor, Tensor | None]:
    """b n c, b p. A shorter context is repeated to the length of the longest: to softmax, copies are as one."""
    length = lcm(*(len(text.context) for text in texts))
    context = torch.stack([text.context.repeat(length // len(text.context), 1) for text in texts])
    y = [text.y for text in texts if text.y is not None]
    return context, torch.stack(y) if y else None
