"""What every trainer needs around its loss: a learning-rate shape, an EMA, checkpoints, an exact resume, a stop when it diverges.

The data of a step depends only on (seed, step, process), so that a resumed run sees what an uninterrupted one would have.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from stunet_core.model.precision import mixed_precision

DIVERGED = 1.7  # times the best loss so far


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, constant, linear decay to zero over the last `decay` of `steps`."""

    steps: int
    learning_rate: float
    warmup: int = 100
    decay: int = 1000

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps={self.steps}: give at least 1")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate={self.learning_rate}: it must be positive")

    def at(self, step: int) -> float:
        return self.learning_rate * min(1.0, (step + 1) / max(1, self.warmup), self.left(step))

    def left(self, step: int) -> float:
        """How much of the learning rate the decay has left: 1 before it, 0 at its end."""
        return min(1.0, max(0.0, (self.steps - step) / max(1, self.decay)))


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


def read_state(path: Path) -> dict[str, Any]:
    """A checkpoint; its tensors are read from disk when they are used. FileNotFoundError says which stage makes it."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: train that stage first (`run.py train`)")
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)


def averaged(state: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The weights of a run's state: averaged those that it trained, as they were the others."""
    return {**state["model"], **state["ema"]}


class Run:
    """One training run in `folder`: `state.pt` (everything to go on), the one before it, `log.json` (the learning curve).

    `extra` (such as a vocabulary) is stored beside the weights. `rows` is how many samples all processes see in a step.
    """

    def __init__(self, folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, schedule: Schedule, *, rows: int = 1,
                 extra: Mapping[str, Any] | None = None, ema_decay: float = 0.9985, save_minutes: float = 5.0, main: bool = True,
                 process: int = 0):
        self.folder, self.model, self.optimizer, self.schedule, self.main = folder, model, optimizer, schedule, main
        self.rows, self.extra, self.process = rows, dict(extra or {}), process
        self.ema = Ema(model, ema_decay)
        self.step = self.samples = 0
        self.hours = 0.0
        self.log: list[dict[str, float]] = []
        self.save_minutes = save_minutes
        self._clock = self._saved = time.monotonic()
        self._told: dict[str, list[float]] = {}
        self._best = float("inf")
        folder.mkdir(parents=True, exist_ok=True)

    def resume(self) -> bool:
        """Continue from `state.pt`, with its schedule, if there is one."""
        path = self.folder / "state.pt"
        if not path.is_file():
            return False
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name, average in self.ema.shadow.items():
            average.copy_(state["ema"][name])  # stays on its device
        self.step, self.samples, self.hours, self.log = state["step"], state["samples"], state["hours"], state["log"]
        self.schedule = Schedule(**state["schedule"])
        self._best = min((line["loss"] for line in self.log), default=self._best)
        torch.set_rng_state(state["rng"])
        return True

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Meanwhile the model has the averaged weights."""
        live = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self.ema.copy_to(self.model)
        try:
            yield
        finally:
            for name, p in self.model.named_parameters():
                p.data.copy_(live[name])

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def begin_decay(self, steps: int) -> None:
        """Let the learning rate fall from here to zero in so many steps, whatever the schedule was."""
        self.schedule = Schedule(self.step + steps, self.schedule.learning_rate, self.schedule.warmup, steps)
        self._best = float("inf")  # things count more again than at the end of a fall: losses from before do not compare

    def save(self) -> None:
        if not self.main:
            return
        now = time.monotonic()
        self.hours += (now - self._clock) / 3600
        self._clock = self._saved = now
        state = {**self.extra, "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "ema": self.ema.shadow,
                 "step": self.step, "samples": self.samples, "hours": self.hours, "log": self.log, "schedule": asdict(self.schedule),
                 "rng": torch.get_rng_state()}
        part = self.folder / "state.part"
        torch.save(state, part)
        if (self.folder / "state.pt").exists():
            (self.folder / "state.pt").replace(self.folder / "state.previous.pt")
        part.replace(self.folder / "state.pt")
        (self.folder / "log.json").write_text("[\n" + ",\n".join(map(json.dumps, self.log)) + "\n]\n", encoding="utf-8")

    def rng(self, seed: int) -> np.random.Generator:
        """The data of this step on this process."""
        return np.random.default_rng([seed, self.step, self.process] if self.process else [seed, self.step])

    def update(self, loss: torch.Tensor, *, clip: float = 1.0, log_every: int = 50, **figures: float) -> None:
        """One optimiser step; gradients must be there. Logs the loss and `figures`, checkpoints, counts."""
        nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.requires_grad], clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.at(self.step) * group.get("scale", 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.update(self.model, self.step)
        self.step += 1
        self.samples += self.rows
        for name, value in {"loss": float(loss.detach()), **figures}.items():
            self._told.setdefault(name, []).append(value)
        if self.step % log_every == 0:
            self._write_log()
        if time.monotonic() - self._saved > self.save_minutes * 60:
            self.save()

    def skip(self) -> None:
        """Leave this step out: its data are not seen again."""
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        print(f"step {self.step} was skipped: its loss leapt", flush=True)

    def _write_log(self) -> None:
        line: dict[str, float] = {"step": self.step, "samples": self.samples}
        line |= {name: round(float(np.mean(values)), 5) for name, values in self._told.items()}
        line |= {"hours": round(self.hours + (time.monotonic() - self._clock) / 3600, 4), "lr": round(self.schedule.at(self.step), 7)}
        self._told.clear()
        self._check(line["loss"])
        self.log.append(line)
        if self.main:
            print(line, flush=True)

    def _check(self, loss: float) -> None:
        """Stop before good checkpoints are overwritten by a run that has left the rails."""
        if not loss < DIVERGED * self._best:
            raise FloatingPointError(f"the loss went from {self._best} to {loss} at step {self.step}: rename "
                                     f"{self.folder / 'state.previous.pt'} to state.pt and --resume with a lower --lr")
        self._best = min(self._best, loss)

    @property
    def running(self) -> bool:
        return self.step < self.schedule.steps


def add_arguments(parser: argparse.ArgumentParser, stage: str, *, steps: int, learning_rate: float, batch: int, batch_gpu: int) -> None:
    """What all stages can be told."""
    parser.add_argument("--steps", type=int, default=steps, help="in all (default: %(default)s)")
    parser.add_argument("--decay", type=int, help="let the learning rate fall to zero over the last so many steps (default: a quarter of "
                        "them); with --resume: begin that now, and stop when it is done")
    parser.add_argument("--lr", type=float, default=learning_rate)
    parser.add_argument("--batch", type=int, default=batch_gpu if torch.cuda.is_available() else batch,
                        help=f"samples in a step of each process (default: {batch}, with a GPU {batch_gpu})")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="go on exactly where the last checkpoint was written")
    parser.add_argument("--minutes", type=float, default=5.0, help="from one checkpoint to the next (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs") / stage)


def accelerate() -> Accelerator:
    """A GPU if there is one, else the CPU; bf16 where that is fast."""
    cuda = torch.cuda.is_available()
    return Accelerator(cpu=not cuda, mixed_precision=mixed_precision(torch.device("cuda" if cuda else "cpu")))


def start(args: argparse.Namespace, accelerator: Accelerator, model: nn.Module, optimizer: torch.optim.Optimizer, **options: Any) -> Run:
    """The run that the command line asks for: a new one, or one that goes on."""
    decay = args.decay or max(1, args.steps // 4)
    run = Run(args.out, model, optimizer, Schedule(args.steps, args.lr, decay=decay), rows=args.batch * accelerator.num_processes,
              save_minutes=args.minutes, main=accelerator.is_main_process, process=accelerator.process_index, **options)
    if args.resume:
        if not run.resume():
            raise SystemExit(f"--resume: there is no checkpoint in {args.out}")
        if args.decay:
            run.begin_decay(args.decay)
    return run
