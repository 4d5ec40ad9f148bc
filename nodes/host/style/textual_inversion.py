"""Words of a style fitted to pictures inside ComfyUI: a few steps on the model's own loss, and what they do to conditioning."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import comfy.model_management as mm
import comfy.utils
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ....stunet_core.guidance.textual_inversion import Found, Words, add_words
from ..mini.styled import nearest_style, styled
from ..mini.things import THINGS
from ..walk.apply import SAID
from .descent import Descent
from .fitting import Loss, Task, described, half, prepared, shower

SHOW_EVERY = 10  # steps between previews

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InversionSettings:
    """`learning_rate`: in deviations of the text's embedding. `batch`: noised pictures per step, each at a noise level of its own."""

    steps: int
    learning_rate: float
    seed: int
    batch: int = 4

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("batch", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: {getattr(self, name)}; give {least} or more")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate: {self.learning_rate:g}; give more than 0")


def fit_words(model: ModelPatcher, clip: Any, vae: Any, pixels: Tensor, caption: str, settings: InversionSettings) -> Words:
    """What to add to a prompt so that `model` draws as in `pixels` [F, H, W, 3], whose content `caption` says.

    Raises ValueError naming the input that is wrong.
    """
    kept, task, conditioning = prepared(model, clip, vae, pixels, caption, settings.batch)
    style = None
    if THINGS in conditioning[0][1]:
        pictures = task.latents[:len(pixels)]
        style = nearest_style(conditioning[:1], told_to(kept, task, pictures))
    if style is not None:
        log.info("STUNet: of the picture book's styles, %r is nearest to the picture", style)
        conditioning = [list(styled(conditioning[0][0], conditioning[0][1], style))]
        task = described(kept, conditioning, pictures)
    words, before, after = fitted(kept, task, pooled_in(conditioning), settings)
    log.info("STUNet: fitted words to %d picture(s): loss %.4f -> %.4f", len(pixels), before, after)
    return replace(words, style=style)


def told_to(model: ModelPatcher, task: Task, pictures: Tensor) -> Callable[[list], float]:
    """The model's loss on `pictures`, on noise that is always the same, by what conditioning it is told."""
    loss = Loss(model, task)

    def told(conditioning: list) -> float:
        inputs = described(model, conditioning, pictures).inputs
        with half(model.load_device):
            return loss.checked(loss.weights, {name: value.float() for name, value in inputs.items()})

    return told


def pooled_in(conditioning: list) -> Tensor | None:
    """The pooled embedding 1 p of a prompt, where it has one."""
    return conditioning[0][1].get("pooled_output")


def fitted(model: ModelPatcher, task: Task, pooled: Tensor | None, settings: InversionSettings) -> tuple[Words, float, float]:
    """The words after all steps, and the loss on the same noise before and after. A cancel in ComfyUI ends it."""
    generator = torch.Generator().manual_seed(settings.seed)
    bar = comfy.utils.ProgressBar(settings.steps)
    show = shower(model)
    with torch.inference_mode(False), torch.enable_grad(), half(model.load_device):
        loss = Loss(model, task)
        found = Found(loss.inputs["context"], pooled_of(loss.inputs.get("y"), pooled))
        adam = torch.optim.Adam(found.parameters(), lr=settings.learning_rate)
        before, descent = loss.checked(loss.weights), Descent(settings.batch)

        def value(*drawn: Tensor) -> tuple[Tensor, Tensor]:
            return loss(loss.weights, found.told(loss.inputs), *drawn)

        for step in range(settings.steps):
            mm.throw_exception_if_processing_interrupted()
            rows = (torch.arange(settings.batch) + step) % len(task.latents)
            strata = (torch.rand(settings.batch, generator=generator) + torch.arange(settings.batch)) / settings.batch
            noise = torch.randn(settings.batch, *task.latents.shape[1:], generator=generator)
            clean = descent.gradients(list(found.parameters()), value, rows, (strata * len(loss.sigmas)).long(), noise)
            adam.step()
            bar.update_absolute(step + 1, settings.steps, show(clean) if step % SHOW_EVERY == 0 else None)
        after = loss.checked(loss.weights, found.told(loss.inputs))
        words = found.words()
    pooled = None if words.pooled is None else words.pooled.detach().cpu()
    return Words(words.tokens.detach().cpu(), pooled), before, after


def pooled_of(y: Tensor | None, pooled: Tensor | None) -> Tensor | None:
    """The part r p of a U-Net's `y` (r p or more) that is the pooled embedding as it is (SDXL's, the mini model's), or None."""
    if y is None or pooled is None or y.shape[1] < pooled.shape[1]:
        return None
    part = y[:, :pooled.shape[1]]
    return part if torch.allclose(part, pooled.to(part).expand_as(part), atol=1e-3) else None


def worded(conditioning: list, words: Words, strength: float) -> list:
    """Conditioning with the words in every prompt of it; at strength 0 it is what it was. What says how things move stays beside it.

    Above 0, things of the mini model's picture book are shown as the book has them in the words' style, if the prompt names none.
    """
    if not strength:
        return conditioning
    out = []
    for context, options in conditioning:
        if words.style is not None and strength > 0:
            context, options = styled(context, options, words.style)
        before = options.get("pooled_output")
        context, pooled = add_words(context, before, words, strength)
        out.append([context, options if pooled is None else {SAID: before} | options | {"pooled_output": pooled}])
    return out
