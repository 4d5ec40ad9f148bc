"""How long a forward pass of the walk stays at each level of the U-Net."""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.speed.subject import CHUNK, LENGTH, LEVELS, OVERLAP, Subject
from stunet_core.mini.config import MiniConfig
from stunet_core.mini.host import TorchHost
from stunet_core.model.layout import find
from stunet_core.model.strides import ratios
from stunet_core.model.walk import Block, Clip, walk
from stunet_core.model.windows import windows


def block_levels(net: nn.Module) -> dict[Block, int]:
    """The level at which each block begins; 0 = the finest."""
    levels: dict[Block, int] = {}
    level = 0
    for i, layers in enumerate(net.input_blocks):  # type: ignore[arg-type]
        levels["input", i] = level
        level += find(layers, "Downsample") is not None
    levels["middle", 0] = level
    for i, layers in enumerate(net.output_blocks):  # type: ignore[arg-type]
        levels["output", i] = level
        level -= find(layers, "Upsample") is not None
    return levels


class ClockedHost(TorchHost):
    """Notes how long each block took: an input block and the middle call `after` when they end, an output block `skip` when it begins.

    What joins two levels counts to the level that is left, the output layers to the last block.
    """

    def __init__(self, emb: Tensor, context: Tensor, now: Callable[[], float]):
        super().__init__(emb, context)
        self.now, self.began = now, now()
        self.spent: dict[Block, float] = {}

    def ended(self, block: Block) -> None:
        moment = self.now()
        self.spent[block], self.began = moment - self.began, moment

    def after(self, h: Tensor, rows: Tensor, block: Block) -> Tensor:
        self.ended(block)
        return h

    def skip(self, h: Tensor, skip: Tensor, rows: Tensor, block: Block) -> tuple[Tensor, Tensor]:
        before = ("output", block[1] - 1)
        if block[1] > 0 and before not in self.spent:  # the first chunk of this block
            self.ended(before)
        return h, skip


def level_seconds(subject: Subject, clip: Clip, now: Callable[[], float]) -> list[float]:
    """What `now` says a forward pass of the subject's first frames spends at each level, the finest first."""
    net, x = subject.net, subject.seen(subject.x[:clip.frames])
    host = ClockedHost(net.embed(subject.t, subject.y).repeat_interleave(clip.frames, dim=0), subject.context, now)
    walk(net, x, host.emb, subject.y.repeat_interleave(clip.frames, dim=0), subject.motion, clip, host)
    host.ended(("output", len(net.output_blocks) - 1))
    levels = block_levels(net)
    out = [0.0] * (max(levels.values()) + 1)
    for block, seconds in host.spent.items():
        out[levels[block]] += seconds
    return out


def levels(config: MiniConfig, frames: int, size: int, device: str, dtype: torch.dtype) -> dict[str, float]:
    """Level by level: seconds of a single pass, of all windows and of all frames alone. A window and a frame are timed once each."""
    subject, length = Subject(config, frames, size, device, dtype), min(LENGTH, frames)
    count = len(windows(frames, length, min(OVERLAP, length - 1))[0])

    def now() -> float:
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    parts = {"single": (frames, "lumiere", CHUNK, 1), "windows": (length, "none", length, count), "frames": (1, "none", 1, frames)}
    seconds = {}
    for name, (at_once, strides, chunk, times) in parts.items():
        clip = Clip(2, at_once, ratios=ratios(strides, LEVELS - 1), chunk=chunk)
        runs = [level_seconds(subject, clip, now) for _ in range(2 if at_once == 1 else 1)]  # the first frame warms up
        seconds[name] = [each * times for each in runs[-1]]
        print(f"{name} at {size}x{size}, level by level: {', '.join(f'{each:.2f} s' for each in seconds[name])}", flush=True)
    figures = {f"level_{i}_{name}_seconds_{size}": took for name, each in seconds.items() for i, took in enumerate(each)}
    figures |= {f"level_{i}_windows_time_{size}": b / a for i, (a, b) in enumerate(zip(seconds["single"], seconds["windows"], strict=True))}
    return figures | {f"windows_time_{size}": sum(seconds["windows"]) / sum(seconds["single"]),
                      f"frames_time_{size}": sum(seconds["frames"]) / sum(seconds["single"])}
