"""When a sampled clip's frames are: drawn with the noise, the same at every step, and left unsaid where a clip goes on."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch

from stunet_core.checkpoints.weights import save_skeleton
from stunet_core.mini.clock import SPREAD, evenly
from stunet_core.mini.host import forward_clip
from stunet_core.model.walk import Clip
from tests import tiny
from tests.core.test_clock import ticking

LATENT = torch.zeros(6, 4, 8, 8)


@pytest.fixture
def model(graph: Any) -> tuple[Any, Any]:
    """The mini model with a clock of random weights, and its CLIP."""
    save_skeleton(graph.weights / "ticking.safetensors", ticking(0.3), {})
    plain, clip, _ = graph.mini()
    return graph.apply(plain, "ticking.safetensors"), clip


def heard(graph: Any, model: Any, clip: Any, latent: torch.Tensor = LATENT, **inputs: Any) -> list[float | None]:
    """What each model call of a sampling is told"""
    seen: list[float | None] = []
    listening = model.clone()

    def listen(executor: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(args[-1]["stunet_late"])
        return executor(*args, **kwargs)

    kind = importlib.import_module("comfy.patcher_extension").WrappersMP.DIFFUSION_MODEL
    listening.add_wrapper_with_key(kind, "listening", listen)
    graph.sample(listening, clip, latent, steps=3, **inputs)
    return seen


def test_each_seed_has_its_time_and_keeps_it(graph: Any, model: tuple[Any, Any]) -> None:
    times = [heard(graph, *model, seed=seed) for seed in range(4)]
    assert all(len(steps) >= 3 and len(set(steps)) == 1 for steps in times)
    assert len({steps[0] for steps in times}) == 4 and all(abs(steps[0] or SPREAD) < SPREAD for steps in times)


def test_a_clip_to_go_on_from_says_itself_when_it_is(graph: Any, model: tuple[Any, Any]) -> None:
    assert set(heard(graph, *model, latent=torch.randn(6, 4, 8, 8), denoise=0.5)) == {None}


def test_the_model_hears_the_time_that_was_drawn(graph: Any, model: tuple[Any, Any]) -> None:
    generator = torch.Generator().manual_seed(3)
    x, context, y = (torch.randn(6, *shape, generator=generator) for shape in ((9, 8, 8), (32, 32), (32,)))
    x[:, 4] = 1
    text = torch.zeros(6, dtype=torch.long)

    def forward(late: float | None) -> torch.Tensor:
        patched = model[0]
        wrappers = importlib.import_module("comfy.patcher_extension").merge_nested_dicts(
            {"wrappers": patched.wrappers}, patched.model_options["transformer_options"])
        return patched.model.diffusion_model(x, torch.full((6,), 500.0), context=context[text], y=y[text],
                                             transformer_options=wrappers | {"cond_or_uncond": [0], "stunet_late": late})

    def expected(clip: Clip) -> torch.Tensor:
        return forward_clip(tiny.unet(), ticking(0.3), x, torch.tensor([500.0]), context[:1], y[:1], clip)

    later = expected(Clip(1, 6, times=evenly(1, 6) + 7))
    assert torch.allclose(forward(7.0), later, atol=1e-2)
    assert torch.allclose(forward(None), expected(Clip(1, 6, clock=False)), atol=1e-2)
    assert not torch.allclose(later, expected(Clip(1, 6)), atol=3e-2)
