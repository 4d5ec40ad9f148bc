"""Gradients in little memory: the same as all at once, whatever had to be done for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

ROWS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def weight(graph: Any) -> Iterator[torch.Tensor]:
    with torch.inference_mode(False), torch.enable_grad():  # ComfyUI turns gradients off
        yield torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))


def short_of_memory(weight: torch.Tensor, fits: int, seen: list[int], main_memory: Any = None) -> Any:
    """A loss that only so many rows of fit into memory; 0: only one, with main memory's help."""
    def value(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(len(rows))
        if len(rows) > max(fits, 1) or (not fits and not main_memory()):
            raise torch.OutOfMemoryError("pretended")
        return ((rows * weight).tanh() ** 2).mean(), rows.detach()
    return value


@pytest.mark.parametrize(("fits", "tried"), [(4, [4]), (2, [4, 2, 2]), (1, [4, 2, 1, 1, 1, 1]), (0, [4, 2, 1, 1, 1, 1, 1])])
def test_gradients_are_the_same_in_any_memory(graph: Any, weight: torch.Tensor, fits: int, tried: list[int]) -> None:
    ((ROWS * weight).tanh() ** 2).mean().backward()
    wanted = weight.grad.clone()
    seen: list[int] = []
    descent = graph.pack.module("nodes.host.style.descent").Descent(4)
    value = short_of_memory(weight, fits, seen, lambda: descent.in_main_memory)
    shown = descent.gradients([weight], value, ROWS)
    assert torch.allclose(weight.grad, wanted, atol=1e-6), "nothing of a failed attempt is left in it"
    assert seen == tried and torch.equal(shown[0], ROWS[0])
    seen.clear()
    descent.gradients([weight], value, ROWS)
    assert len(seen) == 4 // max(fits, 1), "what was found out is kept"


def test_what_fits_nowhere_is_said(graph: Any, weight: torch.Tensor) -> None:
    descent = graph.pack.module("nodes.host.style.descent").Descent(2)
    with pytest.raises(torch.OutOfMemoryError):
        descent.gradients([weight], short_of_memory(weight, 0, [], lambda: False), ROWS[:2])


def test_a_fit_in_little_memory_finds_the_same_words(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, clip, vae = graph.mini()
    fitting = graph.pack.module("nodes.host.style.fitting")
    given = {"model": model, "clip": clip, "vae": vae, "image": torch.rand(1, 64, 64, 3), "caption": "a rocket", "steps": 2, "seed": 0,
             "learning_rate": 0.02, "size": 64, "fit": "crop"}
    (whole,) = graph.run("STUNetFitWords", **given)
    real = fitting.Loss.__call__

    def short(self: Any, weights: Any, inputs: Any, rows: torch.Tensor, times: torch.Tensor, noise: torch.Tensor) -> Any:
        if torch.is_grad_enabled() and len(rows) > 1:
            raise torch.OutOfMemoryError("pretended")
        return real(self, weights, inputs, rows, times, noise)

    monkeypatch.setattr(fitting.Loss, "__call__", short)
    (parts,) = graph.run("STUNetFitWords", **given)
    assert torch.nn.functional.cosine_similarity(whole.tokens, parts.tokens, dim=0) > 0.99
