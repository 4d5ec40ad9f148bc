"""Sampling in plain torch, for contact sheets and figures: Euler steps (= DDIM) with classifier-free guidance."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from stunet_core.guidance.deflicker import steady
from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.mini.frame_time import drawn, evenly, with_time
from stunet_core.mini.host import forward_clip
from stunet_core.mini.inputs import beside, beside_clip, draft_channels
from stunet_core.mini.noise import ALONE, TRAINED, clip_noise
from stunet_core.mini.poses.drafter import Drafter, PromptThings
from stunet_core.mini.schedule import TIMESTEPS, add_noise, alphas_bar
from stunet_core.model.skeleton import Skeleton
from stunet_core.model.walk import Clip

from .mini import Mini

Predict = Callable[[Tensor, Tensor], Tensor]  # (latent rows, timesteps per row) -> v
STEADY = 4.0  # frames over which clips are averaged while they are made, and how much these may differ, as in the templates
DIFFERENCE = 0.3


def guided(conditional: Predict, unconditional: Predict, scale: float) -> Predict:
    """v_uncond + scale (v_cond - v_uncond) (Ho & Salimans, 2207.12598)"""

    def predict(x: Tensor, t: Tensor) -> Tensor:
        base = unconditional(x, t)
        return base + scale * (conditional(x, t) - base)

    return predict


@torch.no_grad()
def sample(predict: Predict, noise: Tensor, steps: int = 24, *, clips: int = 0, averaged: float = 0.0) -> Tensor:
    """From unit noise to latents, over `steps` evenly spaced timesteps, as ComfyUI's euler with the `normal` scheduler.

    Rows that are the frames of `clips` clips are averaged over `averaged` frames (`stunet_core.guidance.deflicker`) at each step.
    """
    bars = alphas_bar().to(noise.device)
    times = torch.linspace(TIMESTEPS - 1, 0, steps).round().long().to(noise.device)
    x = noise
    for i, t in enumerate(times):
        bar = bars[t]
        v = predict(x, t.expand(x.shape[0]))
        clean = bar.sqrt() * x - (1 - bar).sqrt() * v
        if clips and averaged:
            clean = torch.cat([steady(clip, averaged, DIFFERENCE) for clip in clean.chunk(clips)])
        eps = (x - bar.sqrt() * clean) / (1 - bar).sqrt()
        if i + 1 == steps:
            return clean
        x = bars[times[i + 1]].sqrt() * clean + (1 - bars[times[i + 1]]).sqrt() * eps
    return x


@dataclass(frozen=True)
class Told:
    """What the model is told of n prompts: ids n t; pictures n 2 9 12 12; shown: bool n 2."""

    ids: Tensor
    pictures: Tensor
    shown: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, start: int, count: int) -> "Told":
        return Told(*(x[start:start + count] for x in (self.ids, self.pictures, self.shown)))

    def to(self, device: torch.device) -> "Told":
        return Told(self.ids.to(device), self.pictures.to(device), self.shown.to(device))


@dataclass(frozen=True)
class Asked:
    """How to sample: guidance, steps, the seed, and for clips over how many frames they are averaged."""

    cfg: float = 2.5
    steps: int = 24
    seed: int = 0
    averaged: float = 0.0
    size: tuple[int, int] = (16, 16)  # cells: height, width


@torch.no_grad()
def sample_images(mini: Mini, autoencoder: Autoencoder, told: Told, asked: Asked = Asked(), against: Told | None = None) -> Tensor:
    """Latents n 8 h w of single images.

    `autoencoder`: with which drafts are made. `against`: a negative prompt (one row) instead of the empty one.
    """
    n, device = len(told), told.ids.device
    shape = (n, mini.config.latent_channels, *asked.size)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(asked.seed)).to(device)
    context, pooled, words = heard(mini, told)
    context0, pooled0 = (t.expand(n, *t.shape[1:]) for t in (heard(mini, against)[:2] if against else mini.nothing()))
    times = torch.zeros(n, device=device)  # an image is the middle of its clip
    draft = drafted(Drafter(mini.pose_head, autoencoder), told, words, times[:, None], asked.size)
    nothing, mask = torch.zeros(shape, device=device), torch.ones(n, 1, *asked.size, device=device)

    def predict(context: Tensor, pooled: Tensor, draft: Tensor | None) -> Predict:
        rest, y = beside(mask, nothing, draft), with_time(pooled, times)
        return lambda x, t: mini.unet(torch.cat([x, rest], dim=1), t, context, y).float()

    return sample(guided(predict(context, pooled, draft), predict(context0, pooled0, None), asked.cfg), noise, asked.steps)


@torch.no_grad()
def sample_clips(mini: Mini, skeleton: Skeleton, autoencoder: Autoencoder, told: Told, frames: int, asked: Asked = Asked(), *,
                 given: Tensor | None = None, keep: Tensor | None = None, ratios: tuple[int, ...] | None = None) -> Tensor:
    """Latents (n frames) 8 h w of clips. `given`: (n frames) 8 h w, where `keep` (n frames) 1 h w is 1; `ratios`: other time strides."""
    n, device = len(told), told.ids.device
    shape = (mini.config.latent_channels, *asked.size)
    alone = keep is None or not bool(keep.any())
    noise = clip_noise(n, frames, shape, torch.Generator().manual_seed(asked.seed), shared=ALONE if alone else TRAINED).to(device)
    when = evenly(n, frames, device=device) + drawn(noise)[:, None]
    times = when.flatten() if alone else torch.full_like(when, torch.nan).flatten()
    noise = noise.flatten(0, 1)
    keep = torch.zeros(n * frames, 1, *asked.size, device=device) if keep is None else keep
    given = torch.zeros_like(noise) if given is None else given
    context, pooled, words = heard(mini, told)
    context0, pooled0 = (t.expand(n, *t.shape[1:]) for t in mini.nothing())
    drafter = Drafter(mini.pose_head, autoencoder)
    draft = drafted(drafter, told, words, when, asked.size) if alone else beside_given(drafter, told, words, when, 1 - keep, given)
    clip, bars = Clip(n, frames, ratios=ratios), alphas_bar().to(device)

    def predict(context: Tensor, pooled: Tensor, draft: Tensor | None) -> Predict:
        rest, y = beside_clip(1 - keep, given, frames, draft), with_time(pooled.repeat_interleave(frames, dim=0), times)

        def v(x: Tensor, t: Tensor) -> Tensor:
            x = torch.where(keep > 0.5, add_noise(given, noise, bars[t[0]]), x)  # as a sampler's noise mask does
            return forward_clip(mini.unet, skeleton, torch.cat([x, rest], dim=1), t[::frames], context, y, clip).float()

        return v

    clean = sample(guided(predict(context, pooled, draft), predict(context0, pooled0, None), asked.cfg), noise, asked.steps, clips=n,
                   averaged=asked.averaged if alone else 0.0)
    return torch.where(keep > 0.5, given, clean)


def drafted(drafter: Drafter, told: Told, words: Tensor, times: Tensor, size: tuple[int, int]) -> Tensor:
    """Drafts (n f) 18 h w of n prompts at their times n f. words: n p"""
    rows = (drafter.drawn(drafter.guess(words[k:k + 1], when), told.pictures[k], told.shown[k], *size) for k, when in enumerate(times))
    return torch.cat(list(rows))


def beside_given(drafter: Drafter, told: Told, words: Tensor, times: Tensor, mask: Tensor, given: Tensor, loop: bool = False) -> Tensor:
    """Drafts (n f) 18 h w of clips of which something is given, as the nodes make them; 0 where they make none.

    mask: (n f) 1 h w, 1 where to generate; given: (n f) 8 h w; times: n f; words: n p.
    """
    out, frames = [], times.shape[1]
    for k, when in enumerate(times):
        row, shown = slice(k * frames, (k + 1) * frames), PromptThings(words[k:k + 1], told.pictures[k], told.shown[k])
        drawn, _ = drafter.beside_given(shown, mask[row, 0], given[row], when, loop)
        out.append(torch.zeros(frames, draft_channels(given.shape[1]), *mask.shape[2:]).to(given) if drawn is None else drawn.to(given))
    return torch.cat(out)


def heard(mini: Mini, told: Told) -> tuple[Tensor, Tensor, Tensor]:
    """Context, pooled text with the pictures' share, pooled words alone."""
    context, words = mini.text(told.ids)
    return *mini.pictures.beside(context, words, told.pictures, told.shown), words
