"""Figures of what the model does with something given: image to video, inpainting, a moving region, going on with a clip.

Everything is asked of rendered scenes of combinations kept out of training, so that the truth is known. What comes out is
measured as it leaves the autoencoder: given latents stand as they are, as with any sampler's noise mask, but no pixel is pasted back.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.common.models import Models
from stunet_core.report.metrics import motion
from training.common.data import to_tensor
from training.common.latents import cells
from training.common.sheets import to_uint8
from training.judges.judges import Judges
from training.stages import video as video_stage
from training.world import BACKGROUNDS, MOTIONS, Clip, Scene, caption, render, sample_scene

FRAMES = 80
PREFIX = 40   # frames given to be continued
IN_PLACE = ("spin", "swing", "shake", "bounce", "circle")  # motions that a region in the middle can hold


@dataclass(frozen=True)
class Asked:
    """One rendered scene, its caption, and its latents F 4 h w."""

    scene: Scene
    text: str
    clip: Clip
    z: Tensor


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Of uint8 pictures, in dB."""
    return float(-10 * np.log10(max(1e-10, np.square((a.astype(np.float32) - b) / 255).mean())))


@torch.no_grad()
def encode(models: Models, frames: np.ndarray) -> Tensor:
    return torch.cat([models.autoencoder.encode(part) for part in to_tensor(frames).split(16)])


@torch.no_grad()
def decode(models: Models, z: Tensor) -> np.ndarray:
    """F 4 h w -> F H W 3 uint8"""
    return np.concatenate([to_uint8(models.autoencoder.decode(part).float()) for part in z.float().split(16)])


def ask(models: Models, rng: np.random.Generator, objects: tuple[str, ...], fits: Callable[[Scene], bool]) -> Asked:
    """A random held-out scene with one thing for which `fits`."""
    while True:
        scene = sample_scene(rng, objects, two=0.0, local=0.0, held_out=True)
        if fits(scene):
            clip = render(scene, frames=FRAMES)
            return Asked(scene, caption(scene, rng), clip, encode(models, clip.frames))


@torch.no_grad()
def answer(models: Models, asked: Asked, keep: np.ndarray, seed: int, *, text: str | None = None, cfg: float = 2.5,
           steps: int = 24) -> np.ndarray:
    """What the model makes of the scene's clip where `keep` (F h w, cells) says it is given -> F H W 3 uint8"""
    assert models.skeleton is not None
    kept = torch.from_numpy(keep)[:, None].float()
    with torch.autocast("cpu", torch.bfloat16):
        z = video_stage.samples(models.net, models.skeleton, models.text, models.ids([asked.text if text is None else text]),
                                models.ids([""]), len(keep), seed=seed, cfg=cfg, steps=steps, given=asked.z, keep=kept)
    return decode(models, z)


def image_to_video(models: Models, judges: Judges, rng: np.random.Generator, objects: tuple[str, ...], seed: int) -> dict[str, float]:
    """The first frame is given: how much of it is left after the autoencoder, and whether its thing is still there at the end."""
    asked = ask(models, rng, objects, lambda scene: True)
    keep = np.zeros((FRAMES, 16, 16), bool)
    keep[0] = True
    out = answer(models, asked, keep, seed)
    found = judges.objects[int(judges.look(out[-1:]).object[0].argmax())]
    return {"i2v_first_psnr": psnr(out[0], asked.clip.frames[0]),
            "i2v_object_last": float(found == asked.scene.things[0].object)}


def inpainting(models: Models, judges: Judges, rng: np.random.Generator, objects: tuple[str, ...], seed: int) -> dict[str, float]:
    """A hole that moves with the thing: filled with it when the caption names it, with background when nothing is named.

    Whether a thing is really gone, and others take its place, `benchmarks.tasks` measures.
    """
    asked = ask(models, rng, objects, lambda scene: "background" in scene.named)
    hole = cells(asked.clip.masks).any(0)
    hole = F.max_pool2d(torch.from_numpy(hole)[:, None].float(), 3, stride=1, padding=1)[:, 0].bool().numpy()
    middle = FRAMES // 2
    seen = judges.look(answer(models, asked, ~hole, seed)[middle:middle + 1])
    empty = judges.look(answer(models, asked, ~hole, seed, text="")[middle:middle + 1])
    return {"inpaint_object": float(judges.objects[int(seen.object[0].argmax())] == asked.scene.things[0].object),
            "inpaint_background": float(BACKGROUNDS[int(empty.background[0].argmax())] == asked.scene.background)}


def region(models: Models, judges: Judges, rng: np.random.Generator, objects: tuple[str, ...], seed: int) -> dict[str, float]:
    """One region of a still picture moves: mean flow in pixels a frame inside it and outside."""
    asked = ask(models, rng, objects, lambda scene: scene.things[0].motion in IN_PLACE)
    inside = np.zeros((1, 16, 16), bool)
    inside[0, 2:14, 2:14] = True
    keep = np.broadcast_to(~inside, (FRAMES, 16, 16)).copy()
    keep[0] = True
    still = replace(asked, z=asked.z[:1].expand(FRAMES, -1, -1, -1))
    out = answer(models, still, keep, seed)
    flow = motion(out, inside.repeat(8, axis=1).repeat(8, axis=2))
    return {"region_flow_inside": float(np.mean(flow.inside)), "region_flow_outside": float(np.mean(flow.outside))}


def prefix(models: Models, judges: Judges, rng: np.random.Generator, objects: tuple[str, ...], seed: int) -> dict[str, float]:
    """The first half of a clip is given: the first frame made against the true one, and whether the whole moves as the caption says."""
    asked = ask(models, rng, objects, lambda scene: "motion" in scene.named)
    keep = np.zeros((FRAMES, 16, 16), bool)
    keep[:PREFIX] = True
    out = answer(models, asked, keep, seed)
    said = MOTIONS[int(judges.motions([out])[0].argmax())]
    return {"prefix_joint_psnr": psnr(out[PREFIX], decode(models, asked.z[PREFIX:PREFIX + 1])[0]),
            "prefix_motion": float(said == asked.scene.things[0].motion)}


TASKS = {"image to video": image_to_video, "inpainting": inpainting, "region": region, "prefix": prefix}


def measure(models: Models, judges: Judges, objects: tuple[str, ...], count: int, seed: int) -> dict[str, float]:
    """The mean of every task's figures over `count` scenes each."""
    figures: dict[str, list[float]] = {}
    for number, task in enumerate(TASKS.values()):
        for k in range(count):
            for name, value in task(models, judges, np.random.default_rng([seed, number, k]), objects, seed + k).items():
                figures.setdefault(name, []).append(value)
    return {name: round(float(np.mean(values)), 4) for name, values in figures.items()}
