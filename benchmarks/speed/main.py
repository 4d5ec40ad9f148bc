"""What a clip costs: one pass with time strides, against windows and against frames without motion.

    python run.py bench speed                              # an SD1.5-size U-Net, 80 frames at 256x256: 50 minutes on two cores
    python run.py bench speed --frames 20 --size 64 --tiny # a small net, to see that it runs: a few minutes
    python run.py bench speed --counted                    # only the floating-point operations, without computing them

One denoising step with guidance (two conditionings), random weights of SD1.5's size and motion modules of 32 positions, in
plain torch: the same layers, walk and chunks as in ComfyUI. Each way is timed twice in turn and the least counts; times are
compared within one run only. On Linux, preload tcmalloc (LD_PRELOAD), or more time goes into taking and giving back memory
than into the model. `comfyui_` is the same step inside ComfyUI, against core's own context windows (`context`); `level_N` a clip
at 512x512, level by level (`levels`), timed once. `memory` is the peak of what torch allocates, in MiB, of the single
pass and of one window. `overhead` is the walk without strides and temporal blocks against the U-Net's own forward pass, inside
ComfyUI (`inside`) and in plain torch. `frame_N` is the time of a frame in a single pass of N frames (at 64x64), `linear` how far
that is off the time at 80 frames at most. `text` and `embedding` are the shares of all operations that read the text and embed
the time step: frame by frame, as an image model does, and once for all frames. Prints a table and writes output/bench/speed.json.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed.levels import levels
from benchmarks.speed.peak import peak
from benchmarks.speed.subject import LENGTH, OVERLAP, SD15, TINY, Subject
from stunet_core.mini.config import MiniConfig
from stunet_core.model.windows import windows

TEXT = (".attn2.to_k", ".attn2.to_v")  # the layers that read it
ROOT = Path(__file__).resolve().parents[2]
WAYS = ("single", "gentle", "windows", "frames")  # one pass with strides lumiere or gentle, windows, the image model frame by frame
TIMES = 2  # each way is timed, the least counts
COUNTS, NORMAL, SMALL = (16, 40, 80, 120, 160, 240), 80, 64  # frames of the clips whose times are compared, with which one, their size
WANTED = {  # at least so many times the single pass
    "windows_time": 2.2, "comfyui_windows_time": 2.2, "windows_flops": 2.2, "windows_flops_512": 2.2}
MOST = {  # at most so many times a window's, the U-Net's own; so far off
    "single_memory_of_window": 1.5, "overhead": 1.03, "overhead_one_frame": 1.03, "linear": 0.1, "linear_tflop": 0.1}


def measure(run: Callable[[], object], device: str) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def counted(config: MiniConfig, frames: int, size: int) -> dict[str, float]:
    """Floating-point operations of each way, in units of 10^12, on torch's meta device: nothing is computed."""
    subject, length = Subject(config, frames, size, "meta", torch.float32), min(LENGTH, frames)
    count = len(windows(frames, length, min(OVERLAP, length - 1))[0])
    parts: dict[str, tuple[Callable[[], Tensor], int]] = {  # what is the same several times is counted once
        "single": (lambda: subject.clip(subject.x, "lumiere"), 1), "gentle": (lambda: subject.clip(subject.x, "gentle"), 1),
        "windows": (lambda: subject.window(subject.x[:length]), count),
        "frames": (lambda: subject.frame(subject.x[:1]), frames),
    }
    out = {}
    for name, (run, times) in parts.items():
        out[name] = operations(run) * times
    return out


def operations(run: Callable[[], Tensor]) -> float:
    """In units of 10^12."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 1e12


def shares(config: MiniConfig, frames: int, size: int) -> dict[str, float]:
    """What the text and the time step take of all operations without temporal blocks: worked out frame by frame, and once."""
    subject = Subject(config, frames, size, "meta", torch.float32)
    out: dict[str, float] = {}
    ways = {"each": (lambda: subject.image(subject.x), frames), "once": (lambda: subject.clip(subject.x, "none", temporal=False), 1)}
    for way, (run, times) in ways.items():
        with FlopCounterMode(display=False) as counter:
            run()
        with FlopCounterMode(display=False) as embedding:
            subject.net.embed(subject.t.repeat(times), subject.y.repeat(times, 1))
        text = sum(sum(ops.values()) for name, ops in counter.get_flop_counts().items() if name.endswith(TEXT))
        out |= {f"text_{way}": text / counter.get_total_flops(),
                f"embedding_{way}": embedding.get_total_flops() / counter.get_total_flops()}
    return out


def inside() -> dict[str, float]:
    """The overhead inside ComfyUI, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.speed.inside"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def multiply_rate(device: str, dtype: torch.dtype) -> float:
    """What this machine's matrix multiplication reaches, in 10^12 operations per second."""
    n = 2048
    a = torch.randn(n, n, device=device, dtype=dtype)
    a @ a
    return 3 * 2 * n**3 / measure(lambda: [a @ a for _ in range(3)], device) / 1e12


def overhead(subject: Subject, device: str, times: int = 5) -> float:
    """The walk without strides and temporal blocks, by the U-Net's own forward pass: the median of alternating runs."""
    x = subject.x[:LENGTH]
    pairs = [(measure(lambda: subject.clip(x, "none", temporal=False, chunk=LENGTH), device),
              measure(lambda: subject.image(x), device)) for _ in range(times + 1)][1:]  # the first warms up
    return sorted(walk / own for walk, own in pairs)[times // 2]


def linear(per_frame: dict[int, float]) -> float:
    """How far the cost of a frame is off that in a clip of NORMAL frames, at most, as a share of it."""
    return max(abs(cost / per_frame[NORMAL] - 1) for frames, cost in per_frame.items() if frames >= NORMAL)


def lengths(config: MiniConfig, device: str, dtype: torch.dtype) -> dict[str, float]:
    """A single pass of more and more frames: seconds and operations of a frame; the first run only warms up."""
    seconds, tflop = {}, {}
    for frames in (COUNTS[0], *COUNTS):
        subject = Subject(config, frames, SMALL, device, dtype)
        took = measure(subject.ways()["single"], device)
        seconds[frames] = took / frames
        tflop[frames] = operations(Subject(config, frames, SMALL, "meta", torch.float32).ways()["single"]) / frames
        print(f"{frames} frames at {SMALL}x{SMALL}: {took:.2f} s", flush=True)
    figures = {f"frame_{frames}_seconds": value for frames, value in seconds.items()}
    return figures | {"linear": linear(seconds), "linear_tflop": linear(tflop)}


def measured(config: MiniConfig, frames: int, size: int, device: str, dtype: torch.dtype, flops: dict[str, float],
             names: Sequence[str]) -> dict[str, float]:
    """Times and peaks of each way, of longer and longer clips, and what the walk itself costs."""
    subject, rate = Subject(config, frames, size, device, dtype), multiply_rate(device, dtype)
    ways, seconds = subject.ways(), dict.fromkeys(names, math.inf)
    ways["window"]()  # what is slow for the first time is not timed
    for _ in range(TIMES):  # one after the other, so that what else the machine does meets them all
        for name in names:
            took = measure(ways[name], device)
            seconds[name] = min(seconds[name], took)
            print(f"{name}: {took:.2f} s", flush=True)
    figures = {f"{name}_seconds": took for name, took in seconds.items()}
    figures |= {f"{name}_of_rate": flops[name] / took / rate for name, took in seconds.items()}
    if "single" in names:
        figures |= {f"{name}_time": took / seconds["single"] for name, took in seconds.items() if name != "single"}
    peaks = {name: peak(ways[name], device) for name in ("single", "window")}
    figures |= {f"{name}_memory": memory for name, memory in peaks.items()}
    figures["single_memory_of_window"] = peaks["single"] / peaks["window"]
    figures |= inside() | {"overhead_plain_torch": overhead(Subject(config, LENGTH, SMALL, device, dtype), device)}
    return figures | lengths(config, device, dtype)


def context_windows(frames: int, size: int, config: MiniConfig) -> dict[str, float]:
    """The same step inside ComfyUI, against core's own context windows, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.speed.context", "--frames", str(frames), "--size", str(size),
               "--channels", str(config.model_channels)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    seconds = json.loads(done.stdout.splitlines()[-1])
    print(f"in ComfyUI: {', '.join(f'{name} {took:.2f} s' for name, took in seconds.items())}", flush=True)
    figures = {f"comfyui_{name}_seconds": took for name, took in seconds.items()}
    return figures | {f"comfyui_{name}_time": seconds[name] / seconds["single"] for name in ("windows", "frames")}


def windows_flops(flops: dict[str, float]) -> float:
    return flops["windows"] / flops["single"]


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--size", type=int, default=256, help="pixels, a multiple of 64")
    parser.add_argument("--large", type=int, default=512, help="pixels of the clip that is timed level by level")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--dtype", default="bfloat16", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS, help="which of them to time")
    parser.add_argument("--tiny", action="store_true", help="a U-Net of a tenth of the channels")
    parser.add_argument("--counted", action="store_true", help="only count operations, at 512x512")
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "bench" / "speed.json")
    args = parser.parse_args()
    config, dtype = TINY if args.tiny else SD15, getattr(torch, args.dtype)

    size = 512 if args.counted else args.size
    flops = counted(config, args.frames, size)
    figures = {f"{name}_tflop": value for name, value in flops.items()}
    figures["windows_flops"] = windows_flops(flops)
    figures |= shares(config, args.frames, size)
    if not args.counted:
        figures["windows_flops_512"] = windows_flops(counted(config, args.frames, 512))
        figures |= measured(config, args.frames, size, args.device, dtype, flops, args.ways)
        figures |= levels(config, args.frames, args.large, args.device, dtype)
        if args.device == "cpu":
            figures |= context_windows(args.frames, size, config)
    print(f"{args.frames} frames at {size}x{size}, {args.dtype} on {args.device}{', tiny net' if args.tiny else ''}")
    for name, value in figures.items():
        wanted = f"at least {WANTED[name]}" if name in WANTED else f"at most {MOST[name]}" if name in MOST else ""
        print(f"{name:<26}{value:>12.4f}  {wanted}".rstrip())
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({**figures, "frames": args.frames, "size": size, "dtype": args.dtype,
                                    "device": args.device, "tiny": args.tiny}, indent=2) + "\n", encoding="utf-8")
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
