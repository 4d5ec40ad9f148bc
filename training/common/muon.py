"""Muon: momentum whose matrices are made orthogonal before they are applied, so that every direction of a layer learns alike.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024, kellerjordan.github.io/posts/muon); scaled as AdamW's
updates are, with weight decay, as in Moonlight (Liu et al., "Muon is Scalable for LLM Training", 2502.16982, sec. 2.2), so that one
learning rate serves both. Embeddings, norms, biases, the first and the last layer stay with AdamW.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from stunet_core.model.precision import multiplies_bfloat16

QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's coefficients: singular values between 0.7 and 1.2 after five rounds
ROUNDS = 5
LIKE_ADAM = 0.2  # root mean square of an update (Moonlight, eq. 4)


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearest matrices with all singular values about 1, by Newton-Schulz iteration, in bf16 where that is fast: n r c -> n r c"""
    a, b, c = QUINTIC
    x = matrices.bfloat16() if multiplies_bfloat16(matrices.device) else matrices.float()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Muon for the groups with `muon=True`, AdamW for all others. A kernel counts as a matrix of output channels by all the rest."""

    def __init__(self, groups: Iterable[dict[str, Any]], learning_rate: float, *, weight_decay: float = 0.01, momentum: float = 0.95,
                 betas: tuple[float, float] = (0.9, 0.99)):
        super().__init__(groups, {"lr": learning_rate, "weight_decay": weight_decay, "momentum": momentum, "betas": betas,
                                  "muon": False, "scale": 1.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if group["muon"]:
                self._orthogonal_step(parameters, group)
            else:
                for p in parameters:
                    self._adam_step(p, group)

    def _orthogonal_step(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        alike: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = {}  # matrices of one shape are iterated together
        for p in parameters:
            state = self.state[p]
            if not state:
                state["momentum"] = torch.zeros_like(p)
            state["momentum"].lerp_(p.grad, 1 - group["momentum"])
            update = p.grad.lerp(state["momentum"], group["momentum"])  # Nesterov's
            alike.setdefault((p.shape[0], p.numel() // p.shape[0]), []).append((p, update))
        for (rows, columns), some in alike.items():
            updates = orthogonal(torch.stack([update.reshape(rows, columns) for _, update in some])).float()
            size = LIKE_ADAM * max(rows, columns) ** 0.5
            for (p, _), update in zip(some, updates, strict=True):
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update.view_as(p), alpha=-group["lr"] * size)

    def _adam_step(self, p: nn.Parameter, group: dict[str, Any]) -> None:
        state, (first, second) = self.state[p], group["betas"]
        if not state:
            state.update(mean=torch.zeros_like(p), square=torch.zeros_like(p), steps=0)
        state["steps"] += 1
        state["mean"].lerp_(p.grad, 1 - first)
        state["square"].lerp_(p.grad.square(), 1 - second)
        mean = state["mean"] / (1 - first ** state["steps"])
        square = state["square"] / (1 - second ** state["steps"])
        p.mul_(1 - group["lr"] * group["weight_decay"])
        p.addcdiv_(mean, square.sqrt() + 1e-8, value=-group["lr"])
