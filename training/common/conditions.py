"""What is given in training: every task of the paper as a random keep mask (1 = given), drawn at latent resolution.

Lumiere trains one condition at a time; here the tasks are mixed from the start, since the input has the mask channel anyway
(2401.12945, sec. 4: image to video, inpainting, cinemagraph; outpainting and continuation are the same with other masks).
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

VIDEO_TASKS = {"none": 0.38, "first": 0.20, "first_last": 0.04, "keys": 0.04, "hole": 0.04, "thing": 0.06, "region": 0.08,
               "outpaint": 0.06, "prefix": 0.10}
TELLING = ("first", "first_last", "keys", "region", "outpaint", "prefix")  # what is given says what the rest of the clip shows
HOLES = ("hole", "thing")  # what is around them is given
MEMORY = "memory"  # nothing is given, but the input shows another time of the scene, as clips do (`mini.nearest_given`)
IMAGE_TASKS = {"none": 0.60, "all": 0.03, "hole": 0.08, "thing": 0.11, "outpaint": 0.05, MEMORY: 0.13}


def _box(rng: np.random.Generator, h: int, w: int, low: float, high: float) -> np.ndarray:
    """A random box, or the ellipse in it, of `low` to `high` of each side -> bool h w"""
    bh, bw = (max(1, round(side * rng.uniform(low, high))) for side in (h, w))
    top, left = int(rng.integers(0, h - bh + 1)), int(rng.integers(0, w - bw + 1))
    out = np.zeros((h, w), bool)
    if rng.random() < 0.5:
        out[top:top + bh, left:left + bw] = True
    else:
        y, x = np.mgrid[:h, :w]
        out[((y - top - bh / 2 + 0.5) / (bh / 2)) ** 2 + ((x - left - bw / 2 + 0.5) / (bw / 2)) ** 2 <= 1] = True
    return out


def _moved(box: np.ndarray, frames: int, rng: np.random.Generator) -> np.ndarray:
    """The box drifting over the clip -> bool f h w"""
    reach = rng.uniform(-0.4, 0.4, 2) * box.shape
    t = np.linspace(-0.5, 0.5, frames)
    return np.stack([np.roll(box, tuple(np.round(reach * s).astype(int)), (0, 1)) for s in t])


def _grown(mask: np.ndarray, cells: int) -> np.ndarray:
    """bool f h w, dilated by a square of 2 cells + 1"""
    soft = torch.from_numpy(mask)[:, None].float()
    return F.max_pool2d(soft, 2 * cells + 1, stride=1, padding=cells)[:, 0].bool().numpy()


def _around(rng: np.random.Generator, things: np.ndarray) -> np.ndarray:
    """Where one of the things is (t f h w), as its silhouette or its box, a little too large -> bool f h w"""
    seen = np.flatnonzero(things.any((1, 2, 3)))
    mask = things[int(rng.choice(seen))].copy()
    if rng.random() < 0.5:
        for frame in mask:
            y, x = frame.any(1).nonzero()[0], frame.any(0).nonzero()[0]
            if len(y):
                frame[y[0]:y[-1] + 1, x[0]:x[-1] + 1] = True
    return _grown(mask, int(rng.integers(0, 3)))


def keep_mask(rng: np.random.Generator, task: str, frames: int, h: int, w: int, things: np.ndarray | None = None) -> np.ndarray:
    """A random keep mask of one of the tasks -> bool f h w, True where the clip is given.

    `things`: bool t f h w, where each thing is. "thing", a hole where one of them is, is a "hole" without them.
    """
    keep = np.zeros((frames, h, w), bool)
    if task == "thing" and (things is None or not things.any()):
        task = "hole"
    if task == "all":
        keep[:] = True
    elif task == "first":
        keep[0] = True
    elif task == "first_last":
        keep[[0, -1]] = True
    elif task == "keys":
        keep[rng.choice(frames, min(frames, int(rng.integers(2, 5))), replace=False)] = True
    elif task == "hole":
        box = _box(rng, h, w, 0.3, 0.8)
        keep = ~(_moved(box, frames, rng) if rng.random() < 0.5 else np.broadcast_to(box, keep.shape))
    elif task == "thing":
        assert things is not None
        keep = ~_around(rng, things)
    elif task == "region":
        keep[:] = ~_box(rng, h, w, 0.3, 0.9)
        keep[0] = True
    elif task == "outpaint":
        top, left = rng.integers(0, h // 3 + 1), rng.integers(0, w // 3 + 1)
        keep[:, top:h - rng.integers(0, h // 3 + 1), left:w - rng.integers(0, w // 3 + 1)] = True
    elif task == "prefix":
        keep[: int(rng.integers(1, max(2, frames // 2)))] = True
    elif task not in ("none", MEMORY):
        raise ValueError(f"task: {task!r} is unknown; it is one of {', '.join({**VIDEO_TASKS, **IMAGE_TASKS})}")
    return keep


def draw_tasks(rng: np.random.Generator, tasks: dict[str, float], batch: int) -> list[str]:
    """A task for each of the batch"""
    return [str(t) for t in rng.choice(list(tasks), batch, p=np.array(list(tasks.values())) / sum(tasks.values()))]


def keep_batch(rng: np.random.Generator, chosen: Sequence[str], frames: int, h: int, w: int, *,
               things: np.ndarray | None = None, wordless: np.ndarray | None = None) -> Tensor:
    """A mask of the task `chosen` for each of the batch -> (batch frames) 1 h w, 1.0 where given.

    `things`: bool batch t frames h w. `wordless`: bool batch, whose captions are empty: their holes leave every thing
    in sight, so that a hole without a word is filled with background (what removing an object asks for).
    """
    masks = []
    for i, task in enumerate(chosen):
        own = None if things is None else things[i]
        if wordless is not None and wordless[i] and own is not None and task in HOLES:
            masks.append(keep_mask(rng, "hole", frames, h, w) | _grown(own.any(0), 1))
        else:
            masks.append(keep_mask(rng, task, frames, h, w, own))
    return torch.from_numpy(np.concatenate(masks))[:, None].float()


def model_input(noisy: Tensor, clean: Tensor, keep: Tensor, memory: Tensor | None = None) -> Tensor:
    """noisy, clean: b 4 h w; keep: b 1 h w -> b 9 h w: noisy latent, mask (1 = generate), given latent

    `memory`: b 4 h w, what stands where nothing is given; 0 without it. (Of clips, the walk holds it: `stunet_core.mini.nearest_given`.)
    """
    given = clean * keep
    return torch.cat([noisy, 1 - keep, given if memory is None else given + memory * (1 - keep)], dim=1)


def shifted(z: Tensor, rng: np.random.Generator, cells: int = 4) -> Tensor:
    """What each picture may have shown at another time: b c h w, moved by up to `cells`, its border repeated."""
    h, w = z.shape[-2:]
    y, x = (rng.integers(-cells, cells + 1, len(z)) for _ in range(2))
    rows = torch.from_numpy(np.clip(np.arange(h) + y[:, None], 0, h - 1))     # b h
    columns = torch.from_numpy(np.clip(np.arange(w) + x[:, None], 0, w - 1))  # b w
    z = z.gather(2, rows[:, None, :, None].expand(-1, z.shape[1], -1, w))
    return z.gather(3, columns[:, None, None].expand(-1, z.shape[1], h, -1))
