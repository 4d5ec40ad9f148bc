"""What a step of the image and of the video stage is made of: scenes of a cache, and what the model is told of each.

Everything is left out in some of them, so that the model can do without it: words for guidance, times for loops and single images,
pictures for things nobody has one of, drafts where something is given. What is given would say it all if words and pictures did.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from stunet_core.mini import frame_time
from stunet_core.mini.poses.given_thing import given_whole
from stunet_core.mini.tokenizer import Tokenizer

from .cache import Cache
from .conditions import HOLES, MEMORY, TELLING, draw_tasks, keep_batch, shifted
from .mini import Mini

ON_THING, ON_LOCAL = 0.4, 0.4  # of a cell, from which it counts as the thing's
THERE = 4  # of a pose
APART = 3  # cells by which a memory of another time is moved


@dataclass(frozen=True)
class Shares:
    """How often what is left out, or done."""

    wordless: float = 0.10        # no caption
    wordless_given: float = 0.10  # where what is given tells the rest (TELLING)
    timeless: float = 0.12        # not told when, besides all that something is given of
    pictureless: float = 0.08
    pictureless_given: float = 0.40
    draft: float = 0.88           # a draft is shown
    draft_timeless: float = 0.40
    draft_hole: float = 0.6       # the hole may be where the thing is
    draft_whole: float = 0.8      # whole frames are given, of one thing: it is known what it looks like
    draft_given: float = 0.2      # of all else that something is given of


IMAGE_SHARES = Shares()
VIDEO_SHARES = Shares(wordless_given=0.25, timeless=0.10, pictureless=0.06, pictureless_given=0.5, draft=0.93)


@dataclass(frozen=True)
class Batch:
    """b scenes of f frames. z, given: b f 8 h w; keep: b f 1 h w, 1 where given; ids: b n; wordless: bool b; labels: b kinds;
    times: b f, NaN where not told; on: b f 1 h w, 1 on things; pictures: b 2 9 12 12; shown: bool b 2; poses: b f 3 5; drafts: b f 18 h w,
    0 where none are shown; alone: bool b, whether nothing is given.
    """

    z: Tensor
    given: Tensor
    keep: Tensor
    ids: Tensor
    wordless: Tensor
    labels: Tensor
    times: Tensor
    on: Tensor
    pictures: Tensor
    shown: Tensor
    poses: Tensor
    drafts: Tensor
    alone: Tensor

    def to(self, device: torch.device) -> "Batch":
        return replace(self, **{field.name: getattr(self, field.name).to(device, non_blocking=True) for field in fields(self)})

    @property
    def frames(self) -> int:
        return self.z.shape[1]

    def weight(self, on_things: float) -> Tensor:
        """b f 1 h w with mean 1, `on_things` times larger where a thing is than elsewhere"""
        weight = 1 + (on_things - 1) * self.on
        return weight / weight.mean()


def tokenised(cache: Cache, tokenizer: Tokenizer, length: int) -> Tensor:
    """The captions of a cache as ids: n wordings length"""
    return torch.tensor([[tokenizer.pad(tokenizer.encode(text), length) for text in some] for some in cache.captions])


def draw_batch(rng: np.random.Generator, cache: Cache, ids: Tensor, empty: Tensor, count: int, frames: int, tasks: dict[str, float],
               shares: Shares) -> Batch:
    """Random scenes of a cache, a random cut of `frames` frames of each, with a task each."""
    index = torch.from_numpy(rng.integers(0, len(cache), count))
    first = torch.from_numpy(rng.integers(0, cache.z.shape[1] - frames + 1, count))
    cut = first[:, None] + torch.arange(frames)                                   # b f
    at = index[:, None], cut
    z = cache.z[at].float()                                                       # b f 8 h w
    covered = cache.things[index].movedim(2, 1)[torch.arange(count)[:, None], cut].amax(2)  # b f h w
    on = (covered > 255 * ON_THING) | (cache.local[at] > 255 * ON_LOCAL)

    chosen = draw_tasks(rng, tasks, count)
    telling = np.array([task in TELLING for task in chosen])
    wordless = rng.random(count) < np.where(telling, shares.wordless_given, shares.wordless)
    said = ids[index, torch.from_numpy(rng.integers(0, ids.shape[1], count))]
    said[torch.from_numpy(wordless)] = empty
    keep = keep_batch(rng, chosen, frames, *z.shape[-2:], things=on[:, None].numpy(), wordless=wordless).unflatten(0, (count, frames))
    memory = torch.tensor([task == MEMORY for task in chosen])
    given = z * keep + remembered(rng, cache, z, index, cut) * memory[:, None, None, None, None]

    alone = (keep.amax((1, 2, 3, 4)) == 0) & ~memory
    timeless = torch.from_numpy(rng.random(count) < shares.timeless) | ~alone
    times = torch.where(timeless[:, None], torch.nan, cache.times[at])
    without_picture = rng.random(count) < np.where(alone.numpy(), shares.pictureless, shares.pictureless_given)
    seen = ~torch.from_numpy(without_picture | wordless)
    shown = seen[:, None] & (torch.arange(2) < cache.shown[index][:, None])
    draft = seen & torch.from_numpy(rng.random(count) < wanted(cache, index, chosen, keep, alone, timeless, shares))
    drafts = cache.drafts[at].float() * draft[:, None, None, None, None]
    return Batch(z, given, keep, said, torch.from_numpy(wordless), cache.labels[index], times, on[:, :, None].float(),
                 cache.pictures[index].float(), shown, cache.poses[at], drafts, alone)


def wanted(cache: Cache, index: Tensor, chosen: list[str], keep: Tensor, alone: Tensor, timeless: Tensor, shares: Shares) -> np.ndarray:
    """How often a draft is shown beside each of the batch."""
    single = cache.poses[index, 0, :, THERE].sum(dim=1) == 1
    out = np.full(len(index), shares.draft_given)
    for row, task in enumerate(chosen):
        if bool(alone[row]):
            out[row] = shares.draft_timeless if bool(timeless[row]) else shares.draft
        elif task in HOLES:
            out[row] = shares.draft_hole
        elif bool(single[row]) and (task == MEMORY or given_whole(1 - keep[row, :, 0]) is not None):  # in clips, memory is of such frames
            out[row] = shares.draft_whole
    return out


def remembered(rng: np.random.Generator, cache: Cache, z: Tensor, index: Tensor, cut: Tensor) -> Tensor:
    """What stands where nothing is given, as if it had been given at another time: of single frames the picture moved a little, else
    another frame of the scene. b f 8 h w"""
    if cache.z.shape[1] == 1:
        return shifted(z.flatten(0, 1), rng, APART).view_as(z)
    other = torch.from_numpy(rng.integers(0, cache.z.shape[1], cut.shape))
    return cache.z[index[:, None], other].float()


def told(mini: Mini, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the U-Net hears of a batch.

    Returns context b n c, pooled b p, the pose head's guesses b f 3 6, and the pooled words b p without pictures.
    """
    b, f = batch.z.shape[:2]
    words_context, words = mini.text(batch.ids)
    context, pooled = mini.pictures.beside(words_context, words, batch.pictures, batch.shown)
    guess = mini.pose_head(words.repeat_interleave(f, dim=0), frame_time.told(batch.times.flatten())).unflatten(0, (b, f))
    return context, pooled, guess, words
