"""What the task nodes and a sampler do, in plain torch: encode, condition, denoise, decode."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from benchmarks.common.models import Models
from stunet_core.editing.keep_mask import cells, padded
from stunet_core.editing.static_background import stand_still, stood_still
from stunet_core.editing.tasks import Task
from stunet_core.guidance.deflicker import steady
from stunet_core.guidance.layout_following import follow, follow_motion
from stunet_core.mini.autoencoder import SCALE
from stunet_core.mini.frame_time import drawn, evenly, with_time
from stunet_core.mini.host import forward_clip
from stunet_core.mini.inputs import beside_clip
from stunet_core.mini.noise import ALONE, TRAINED, share
from stunet_core.mini.poses.drafter import Drafter
from stunet_core.mini.poses.places import placed, poses_of
from stunet_core.mini.schedule import TIMESTEPS, add_noise, alphas_bar
from stunet_core.model.precision import half
from stunet_core.model.walk import Clip
from training.common.sampling import DIFFERENCE, STEADY, Told, beside_given, heard

AT_ONCE = 16  # frames per call of the autoencoder
STILL = 0.7  # standard deviations
FOLLOW_UNTIL = 0.55  # of sampling; from there on what changes over time alone
PLACED_UNTIL = 0.4  # the same of a clip that is shown where things are


@dataclass(frozen=True)
class Editing:
    """How a clip is edited, as the nodes' widgets say it. `denoise` below 1 starts from the task's own clip, noised. At each step it is
    averaged over `averaged` frames, and drawn to what stood still by `still`; with `followed` cells, what is coarser is followed."""

    loop: bool = False
    denoise: float = 1.0
    steps: int = 24
    cfg: float = 2.5
    seed: int = 0
    averaged: float = STEADY
    followed: int = 0
    still: float = STILL


@torch.no_grad()
def edit(models: Models, task: Task, asked: Told, how: Editing, places: np.ndarray | None = None) -> Tensor:
    """The task's clip with what is to be made made by the model, before compositing: [F, H, W, 3] in [0, 1].

    `asked`: one prompt. As ComfyUI's euler with the `normal` scheduler and a noise mask: given latents are put back at every step. H and W
    are padded to whole cells. `places`: masks F H W, 1 where the thing is, where its picture is drawn (as Place Things does).

    Raises:
        ValueError: the models have no skeleton.
    """
    skeleton = models.skeleton
    if skeleton is None:
        raise ValueError("models: there is no skeleton to make clips with")
    frames = len(task.keep)
    with half():
        given = torch.cat([models.autoencoder.encode(part).float() for part in pixels(task.given).split(AT_ONCE)])
    keep = cells(task.keep, SCALE)[:, None].float()  # f 1 h w
    free = how.denoise == 1 and not bool(keep.any())
    noise = share(torch.randn(given.shape, generator=torch.Generator().manual_seed(how.seed)), ALONE if free else TRAINED)
    standing = stood_still(given, keep > 0) if how.still else None
    told = (free and not how.loop) or places is not None
    times = evenly(1, frames)[0] + drawn(noise[None]) if told else torch.full((frames,), torch.nan)
    until = FOLLOW_UNTIL if places is None else PLACED_UNTIL
    clip = Clip(2, frames, loop=how.loop)
    context, pooled, words = heard(models.mini, asked)
    empty, nothing = models.mini.nothing()
    context, y = torch.cat([context, empty]), with_time(torch.cat([pooled, nothing]).repeat_interleave(frames, dim=0), times.repeat(2))
    drafter = Drafter(models.mini.pose_head, models.autoencoder)
    if told:
        poses = drafter.guess(words, times)
        if places is not None:
            poses = placed(poses, poses_of(torch.from_numpy(places)), None, False)
        draft = drafter.drawn(poses, asked.pictures[0], asked.shown[0], *given.shape[2:])
    else:
        when = evenly(1, frames) + drawn(noise[None])[:, None]
        draft = beside_given(drafter, asked, words, when, 1 - keep, given, how.loop)
    rest = torch.cat([beside_clip(1 - keep, given, frames, one) for one in (draft, None)])

    def clean(x: Tensor, t: Tensor) -> Tensor:
        """What the model takes `x` (f 8 h w) at timestep `t` for, with guidance and with the given latents in it."""
        bar = alphas_bar()[t]
        x = torch.where(keep > 0, add_noise(given, noise, bar), x)
        twice = torch.cat([x.repeat(2, 1, 1, 1), rest], dim=1)
        with half():
            v = forward_clip(models.net, skeleton, twice, t.expand(2), context, y, clip)
        with_text, without = v.float().chunk(2)
        guess = bar.sqrt() * x - (1 - bar).sqrt() * (without + how.cfg * (with_text - without))
        guess = steady(guess, how.averaged, DIFFERENCE, loop=how.loop)
        if how.followed:
            everything = t >= (1 - until) * TIMESTEPS
            guess = follow(guess, given, how.followed) if everything else follow_motion(guess, given, how.followed, recolour=True)
        if standing:
            guess = stand_still(guess, *standing, how.still)
        return torch.where(keep > 0, given, guess)

    z = walk_down(clean, given, noise, how.steps, how.denoise)
    with half():
        made = torch.cat([models.autoencoder.decode(part).float() for part in z.split(AT_ONCE)])
    return rearrange((made / 2 + 0.5).clamp(0, 1), "f c h w -> f h w c")


def walk_down(clean: Callable[[Tensor, Tensor], Tensor], given: Tensor, noise: Tensor, steps: int, denoise: float) -> Tensor:
    """Euler steps (= DDIM) from `given` noised as `denoise` says, down to none: f 8 h w."""
    times = torch.linspace(TIMESTEPS - 1, 0, round(steps / denoise)).round().long()[-steps:]
    bars = alphas_bar()[times]
    x = add_noise(given, noise, bars[0]) if denoise < 1 else noise
    for i, t in enumerate(times):
        guess = clean(x, t)
        if i + 1 < len(times):
            eps = (x - bars[i].sqrt() * guess) / (1 - bars[i]).sqrt()
            x = add_noise(guess, eps, bars[i + 1])
    return guess


def pixels(frames: Tensor) -> Tensor:
    """[F, H, W, 3] in [0, 1] -> f 3 h w in [-1, 1], padded to whole cells."""
    return padded(rearrange(frames, "f h w c -> f c h w"), SCALE) * 2 - 1
