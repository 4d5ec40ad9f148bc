"""Attention is the same whichever way it is computed."""

import pytest
import torch
from torch import Tensor

from stunet_core.model import attention


def told(n: int, heads: int, tokens: int, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, heads, tokens, 8, generator=generator).to(dtype) for _ in range(3)]


def by_definition(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v


@pytest.mark.parametrize(("dtype", "tokens", "off"), [
    (torch.bfloat16, attention.SHORT, 2e-2), (torch.bfloat16, attention.SHORT + 1, 2e-2),
    (torch.float16, attention.SHORT, 2e-3), (torch.float32, attention.SHORT, 1e-6)])
def test_each_way_gives_what_the_definition_says(dtype: torch.dtype, tokens: int, off: float) -> None:
    q, k, v = told(2, 3, tokens, dtype)
    out = attention.attend(q, k, v)
    assert out.dtype == dtype
    assert torch.allclose(out.double(), by_definition(q.double(), k.double(), v.double()), atol=off)


def test_what_learns_gives_the_same_and_takes_a_gradient() -> None:
    q, k, v = told(2, 3, 5, torch.float32)
    still = attention.attend(q, k, v)
    learning = attention.attend(q.requires_grad_(), k, v)
    assert torch.allclose(learning, still, atol=1e-6)
    learning.sum().backward()
    assert q.grad is not None and q.grad.abs().sum() > 0


def test_more_heads_than_a_kernel_takes_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = told(7, 3, 5, torch.float32)
    whole = attention.attend(q, k, v)
    monkeypatch.setattr(attention, "LARGEST", 6)
    assert torch.equal(attention.attend(q, k, v), whole)
