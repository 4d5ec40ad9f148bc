"""Figures of what the model does with something given: image to video, inpainting, a moving region, going on with a clip.

Everything is asked of rendered scenes of combinations kept out of training, so that the truth is known. What comes out is
measured as it leaves the autoencoder: given latents stand as they are, as with any sampler's noise mask, but no pixel is pasted back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.common.models import Models
from benchmarks.common.sampling import FRAMES, decode, encode, told
from benchmarks.quality.images import psnr
from stunet_core.mini.autoencoder import SCALE
from stunet_core.model.precision import half
from stunet_core.report.metrics import motion
from training.common import sampling
from training.common.cache import shares
from training.common.data import SIZE
from training.common.sampling import Asked as How
from training.judges.judges import Judges
from training.judges.looks import cut
from training.world import BACKGROUNDS, HELD_OUT_STYLES, MOTIONS, Rendered, Scene, caption, render, sample_scene

CELLS = SIZE // SCALE
PREFIX = 40   # frames given to be continued
TRAVELLING = ("left", "right", "up", "down", "still", "bounce", "shake")  # motions that neither turn a thing nor change its size
IN_PLACE = ("spin", "swing", "shake", "bounce", "circle")  # motions that a region in the middle can hold
COVERED = 0.12  # of a cell, from which a hole covers it


@dataclass(frozen=True)
class Asked:
    """One rendered scene, its caption, and its latents F 8 h w."""

    scene: Scene
    text: str
    clip: Rendered
    z: Tensor


def ask(models: Models, rng: np.random.Generator, objects: Sequence[str], fits: Callable[[Scene], bool]) -> Asked:
    """A random held-out scene with one thing, and a camera that stands still, for which `fits`."""
    while True:
        scene = sample_scene(rng, objects, two=0.0, local=0.0, camera=0.0, held_out=True)
        if fits(scene):
            clip = render(scene, frames=FRAMES, size=SIZE)
            return Asked(scene, caption(scene, rng), clip, encode(models, clip.frames))


@torch.no_grad()
def answer(models: Models, asked: Asked, keep: np.ndarray, seed: int, *, text: str | None = None, shown: bool = True,
           how: How = How()) -> np.ndarray:  # noqa: B008
    """What the model makes of the scene's clip where `keep` (F h w, cells) says it is given -> F H W 3 uint8

    `text` instead of the scene's caption; without `shown` no picture of the thing stands beside it.
    """
    assert models.skeleton is not None
    kept = torch.from_numpy(keep)[:, None].float()
    prompt = told(models, [asked.scene], [asked.text if text is None else text])
    prompt = replace(prompt, shown=prompt.shown & shown & (text != ""))
    with half():
        z = sampling.sample_clips(models.mini, models.skeleton, models.autoencoder, prompt, len(keep), replace(how, seed=seed),
                                  given=asked.z, keep=kept)
    return decode(models, z)


def image_to_video(models: Models, judges: Judges, rng: np.random.Generator, objects: Sequence[str], seed: int) -> dict[str, float]:
    """The first frame is given: how much of it is left after the autoencoder, and whether its thing is still there at the end."""
    asked = ask(models, rng, objects, lambda scene: True)
    keep = np.zeros((FRAMES, CELLS, CELLS), bool)
    keep[0] = True
    out = answer(models, asked, keep, seed)
    found = judges.objects[int(judges.look(out[-1:]).object[0].argmax())]
    return {"i2v_first_psnr": psnr(out[0], asked.clip.frames[0]),
            "i2v_object_last": float(found == asked.scene.things[0].object)}


def inpainting(models: Models, judges: Judges, rng: np.random.Generator, objects: Sequence[str], seed: int) -> dict[str, float]:
    """A hole that moves with the thing: filled with it when the caption names it, with background when nothing is named.

    Whether a thing is really gone, and others take its place, `benchmarks.tasks` measures.
    """
    asked = ask(models, rng, objects, lambda scene: "background" in scene.named)
    hole = (shares(asked.clip.masks) > 255 * COVERED).any(0)
    hole = F.max_pool2d(torch.from_numpy(hole)[:, None].float(), 3, stride=1, padding=1)[:, 0].bool().numpy()
    middle = FRAMES // 2
    seen = judges.look(answer(models, asked, ~hole, seed)[middle:middle + 1])
    empty = judges.look(answer(models, asked, ~hole, seed, text="")[middle:middle + 1])
    return {"inpaint_object": float(judges.objects[int(seen.object[0].argmax())] == asked.scene.things[0].object),
            "inpaint_background": float(BACKGROUNDS[int(empty.background[0].argmax())] == asked.scene.background)}


def region(models: Models, judges: Judges, rng: np.random.Generator, objects: Sequence[str], seed: int) -> dict[str, float]:
    """One region of a still picture moves: mean flow in pixels a frame inside it and outside."""
    asked = ask(models, rng, objects, lambda scene: scene.things[0].motion in IN_PLACE)
    inside = np.zeros((1, CELLS, CELLS), bool)
    inside[0, 2:14, 2:14] = True
    keep = np.broadcast_to(~inside, (FRAMES, CELLS, CELLS)).copy()
    keep[0] = True
    still = replace(asked, z=asked.z[:1].expand(FRAMES, -1, -1, -1))
    out = answer(models, still, keep, seed)
    flow = motion(out, inside.repeat(SCALE, axis=1).repeat(SCALE, axis=2))
    return {"region_flow_inside": float(np.mean(flow.inside)), "region_flow_outside": float(np.mean(flow.outside))}


def prefix(models: Models, judges: Judges, rng: np.random.Generator, objects: Sequence[str], seed: int) -> dict[str, float]:
    """The first half of a clip is given: the first frame made against the true one, and whether the whole moves as the caption says."""
    asked = ask(models, rng, objects, lambda scene: "motion" in scene.named)
    keep = np.zeros((FRAMES, CELLS, CELLS), bool)
    keep[:PREFIX] = True
    out = answer(models, asked, keep, seed)
    said = MOTIONS[int(judges.motions([out])[0].argmax())]
    return {"prefix_joint_psnr": psnr(out[PREFIX], decode(models, asked.z[PREFIX:PREFIX + 1])[0]),
            "prefix_motion": float(said == asked.scene.things[0].motion)}


def drawing(models: Models, judges: Judges, rng: np.random.Generator, objects: Sequence[str], seed: int) -> dict[str, float]:
    """Image to video of a drawing in a style that no model has seen, without a picture of it and without its name: how much of the thing
    is left on frame 40 in its own coordinates (it is found by the judge's mask and held against the first frame's), and whether it still
    looks most like itself among others.
    """
    scene = sample_scene(rng, objects, two=0.0, local=0.0, camera=0.0, colour=0.0, styles=HELD_OUT_STYLES, motions=TRAVELLING)
    clip = render(scene, frames=FRAMES, size=SIZE)
    asked = Asked(scene, caption(scene, rng, nameless=True), clip, encode(models, clip.frames))
    keep = np.zeros((FRAMES, CELLS, CELLS), bool)
    keep[0] = True
    out = answer(models, asked, keep, seed, shown=False)
    middle = FRAMES // 2
    among = judges.gallery(sorted({*objects[:99], scene.things[0].object}), scene.things[0].style)
    same = judges.nearest(out[middle:middle + 1], among)[0] == scene.things[0].object
    return {"drawing_psnr": own_psnr(out[0], out[middle], judges), "drawing_same": float(same)}


def own_psnr(first: np.ndarray, later: np.ndarray, judges: Judges) -> float:
    """PSNR of a thing on a later frame against the first one, both cut out and laid over each other, where both show it."""
    masks = judges.look(np.stack([first, later])).mask
    a, b = (cut(frame, mask) for frame, mask in zip((first, later), masks, strict=True))
    both = (a[3] > 0) & (b[3] > 0)
    if not bool(both.any()):
        return 0.0
    error = float(((a[:3] - b[:3])[:, both] / 2).square().mean())
    return float(-10 * np.log10(max(error, 1e-10)))


TASKS = {"image to video": image_to_video, "inpainting": inpainting, "region": region, "prefix": prefix}


def measure(models: Models, judges: Judges, objects: Sequence[str], count: int, seed: int) -> dict[str, float]:
    """The mean of every task's figures over `count` scenes each."""
    figures: dict[str, list[float]] = {}
    for number, task in enumerate((*TASKS.values(), drawing)):
        for k in range(count):
            for name, value in task(models, judges, np.random.default_rng([seed, number, k]), objects, seed + k).items():
                figures.setdefault(name, []).append(value)
    return {name: round(float(np.mean(values)), 4) for name, values in figures.items()}
