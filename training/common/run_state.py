"""What every trainer needs around its loss: a learning-rate shape, an EMA, checkpoints, an exact resume, a stop when it diverges.

The data of a step depends only on (seed, step), so that a resumed run sees what an uninterrupted one would have.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

DIVERGED = 1.7  # times the best loss so far


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, constant, linear decay to zero over the last `decay` steps."""

    steps: int
    learning_rate: float
    warmup: int = 200
    decay: int = 1000

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps={self.steps}: give at least 1")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate={self.learning_rate}: it must be positive")

    def at(self, step: int) -> float:
        up = min(1.0, (step + 1) / max(1, self.warmup))
        down = min(1.0, max(0.0, (self.steps - step) / max(1, self.decay)))
        return self.learning_rate * min(up, down)


class Ema:
    """Exponential moving average of the trainable parameters, warming up with the step count."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.shadow = {k: p.detach().clone() for k, p in model.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        live = [p.detach() for p in model.parameters() if p.requires_grad]
        torch._foreach_lerp_(list(self.shadow.values()), live, 1 - decay)

    def copy_to(self, model: nn.Module) -> None:
        for name, p in model.named_parameters():
            if name in self.shadow:
                p.data.copy_(self.shadow[name])


def averaged(path: Path) -> dict[str, torch.Tensor]:
    """The weights of a run's `state.pt`: averaged those that it trained, as they were the others."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {**state["model"], **state["ema"]}


class Run:
    """One training run in `folder`: `state.pt` (everything to go on), the one before it, `log.jsonl` (the curve)."""

    def __init__(self, folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, schedule: Schedule, *,
                 ema_decay: float = 0.999, save_minutes: float = 4.0, main: bool = True):
        self.folder, self.model, self.optimizer, self.schedule, self.main = folder, model, optimizer, schedule, main
        self.ema = Ema(model, ema_decay)
        self.step = 0
        self.hours = 0.0
        self.save_minutes = save_minutes
        self._clock = self._saved = time.monotonic()
        self._losses: list[float] = []
        self._best = float("inf")
        folder.mkdir(parents=True, exist_ok=True)

    def resume(self) -> bool:
        """Continue from `state.pt` if there is one."""
        path = self.folder / "state.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name, average in self.ema.shadow.items():
            average.copy_(state["ema"][name])  # stays on its device
        self.step, self.hours = state["step"], state["hours"]
        torch.set_rng_state(state["rng"])
        return True

    def save(self) -> None:
        if not self.main:
            return
        now = time.monotonic()
        self.hours += (now - self._clock) / 3600
        self._clock = self._saved = now
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "ema": self.ema.shadow,
                 "step": self.step, "hours": self.hours, "rng": torch.get_rng_state()}
        part = self.folder / "state.part"
        torch.save(state, part)
        if (self.folder / "state.pt").exists():
            (self.folder / "state.pt").replace(self.folder / "state.previous.pt")
        part.replace(self.folder / "state.pt")

    def rng(self, seed: int) -> np.random.Generator:
        """The data of this step."""
        return np.random.default_rng([seed, self.step])

    def update(self, loss: torch.Tensor, *, clip: float = 1.0, log_every: int = 50) -> None:
        """One optimiser step; gradients must be there. Logs, checkpoints, counts."""
        nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.requires_grad], clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.at(self.step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.update(self.model, self.step)
        self.step += 1
        self._losses.append(float(loss.detach()))
        if self.main and self.step % log_every == 0:
            line = {"step": self.step, "loss": round(float(np.mean(self._losses)), 5),
                    "hours": round(self.hours + (time.monotonic() - self._clock) / 3600, 4),
                    "lr": round(self.schedule.at(self.step), 7)}
            self._losses.clear()
            self._check(line["loss"])
            with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
            print(line, flush=True)
        if time.monotonic() - self._saved > self.save_minutes * 60:
            self.save()

    def _check(self, loss: float) -> None:
        """Stop before good checkpoints are overwritten by a run that has left the rails."""
        if not loss < DIVERGED * self._best:
            raise FloatingPointError(f"the loss went from {self._best} to {loss} at step {self.step}: rename "
                                     f"{self.folder / 'state.previous.pt'} to state.pt and --resume with a lower --lr")
        self._best = min(self._best, loss)

    @property
    def running(self) -> bool:
        return self.step < self.schedule.steps
