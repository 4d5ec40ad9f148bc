"""A denoising step of a clip inside ComfyUI: our single pass against core's own context windows, and against frames without motion.

Run by `benchmarks.speed` in a process of its own, since ComfyUI's modules and the pack's have the same names. Core's KSampler
(euler, one step, guidance) on random weights of SD1.5's size with motion modules of 32 positions. Prints JSON: seconds of each way.

Core's context windows (16 frames, overlap 4, its node's other defaults) see clips without time strides. In ComfyUI 0.3.75 they
do not run along the batch, where a U-Net's frames are: the step is looked up for every frame at once. `AlongBatch` mends that.
"""

import argparse
import importlib
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed.inside import image_model, load
from benchmarks.speed.subject import CELL, LENGTH, OVERLAP, skeleton
from stunet_core.checkpoints.weights import save_skeleton

CHANNELS, TEXT = 320, 768  # SD1.5's
WAYS = ("single", "windows", "frames")
WARM = 4  # frames of the clip that is made first, untimed


def in_windows(model: Any) -> Any:
    """A clone that core samples in context windows, as its node sets them."""
    core = importlib.import_module("comfy.context_windows")
    handler: Any = core.IndexListContextHandler

    class AlongBatch(handler):
        """Core's windows along the batch: all of its frames are at one step."""

        def set_step(self, timestep: torch.Tensor, model_options: dict[str, Any]) -> None:
            super().set_step(timestep[:1], model_options)

    out = model.clone()
    out.model_options["context_handler"] = AlongBatch(
        context_schedule=core.get_matching_context_schedule(core.ContextSchedules.STATIC_STANDARD),
        fuse_method=core.get_matching_fuse_method(core.ContextFuseMethods.PYRAMID),
        context_length=LENGTH, context_overlap=OVERLAP, dim=0)
    core.create_prepare_sampling_wrapper(out)
    return out


def step(model: Any, frames: int, cells: int) -> float:
    """Seconds of one step of core's sampling; the clip is thrown away."""
    sample = importlib.import_module("comfy.sample").sample
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(frames, 4, cells, cells, generator=generator)
    positive, negative = ([[torch.randn(1, 77, TEXT, generator=generator), {}]] for _ in range(2))
    start = time.perf_counter()
    made = sample(model, noise, 1, 7.0, "euler", "normal", positive, negative, torch.zeros_like(noise), disable_pbar=True, seed=0)
    seconds = time.perf_counter() - start
    if not made.isfinite().all() or made.shape != noise.shape:
        raise RuntimeError(f"sampling gave {tuple(made.shape)}, or numbers that are none: what was timed is no step")
    return seconds


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--size", type=int, default=256, help="pixels")
    parser.add_argument("--channels", type=int, default=CHANNELS, help="of the finest level")
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    parser.add_argument("--times", type=int, default=2, help="each way is run so often, in turn, and the least counts")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        host = load(base)
        model = image_model(args.channels, TEXT, torch.bfloat16)
        motion = skeleton(model.model.diffusion_model, temporal=True).to(torch.bfloat16)
        for parameter in motion.parameters():
            parameter.data = torch.randn_like(parameter) * 0.02
        save_skeleton(base / "motion.safetensors", motion, {})
        apply, weight_cache = host("walk.apply").apply_skeleton, host("runtime.weight_cache").WeightCache()
        ways = {"single": apply(weight_cache, model, base / "motion.safetensors", time_strides="lumiere"),
                "windows": in_windows(apply(weight_cache, model, base / "motion.safetensors", time_strides="none")),
                "frames": model}
        ways = {name: ways[name] for name in args.ways}
        cells, seconds = args.size // CELL, dict.fromkeys(ways, math.inf)
        for way in ways.values():
            step(way, min(WARM, args.frames), cells)
        for _ in range(args.times):
            for name, way in ways.items():
                seconds[name] = min(seconds[name], step(way, args.frames, cells))
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
