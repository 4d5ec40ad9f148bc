"""The walk inside ComfyUI against ComfyUI's own forward pass: time of the processor, as the ratio of alternating calls.

Run by `benchmarks.speed` in a process of its own, since ComfyUI's modules and the pack's have the same names. A U-Net of
SD1.5's depth and a fifth of its channels, two conditionings, no strides, no temporal blocks. Prints JSON.
"""

import argparse
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from launch.environment import COMFYUI
from launch.server import PACK_NAME, prepare_base
from stunet_core.checkpoints.weights import save_skeleton
from stunet_core.model.layout import read_layout
from stunet_core.model.skeleton import Skeleton, SkeletonConfig

CHANNELS, TEXT, SIZE = 64, 160, 8  # SD1.5 has 320 channels and a text of 768; cells


def load(base: Path) -> Any:
    """The pack's `nodes.host` inside ComfyUI: a function that imports a module of it by name."""
    prepare_base(base)
    sys.path.insert(0, str(COMFYUI))
    arguments = importlib.import_module("comfy.cli_args").args
    arguments.cpu, arguments.base_directory = True, str(base)
    sys.path.insert(0, str(base / "custom_nodes"))
    return lambda name: importlib.import_module(f"{PACK_NAME}.nodes.host.{name}")


def image_model(channels: int = CHANNELS, text: int = TEXT, dtype: torch.dtype = torch.float32) -> Any:
    """A MODEL of SD1.5's depth and of random weights, of so many channels at the finest level."""
    config = {
        "image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": channels, "num_res_blocks": [2] * 4,
        "channel_mult": (1, 2, 4, 4), "use_spatial_transformer": True, "legacy": False,
        "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_output": [1] * 9 + [0] * 3,
        "transformer_depth_middle": 1, "context_dim": text, "use_linear_in_transformer": False,
        "use_temporal_attention": False, "dtype": dtype}
    family = importlib.import_module("comfy.supported_models").SD15(config)
    family.set_inference_dtype(dtype, None)
    model = family.get_model({}, "").requires_grad_(False)
    for parameter in model.diffusion_model.parameters():
        parameter.data = torch.randn_like(parameter) * 0.02
    cpu = torch.device("cpu")
    return importlib.import_module("comfy.model_patcher").ModelPatcher(model, load_device=cpu, offload_device=cpu)


def call(model: Any, frames: int) -> float:
    """Seconds of the processor for one call of the U-Net as a sampler makes it."""
    generator, rows = torch.Generator().manual_seed(0), 2 * frames
    options = importlib.import_module("comfy.patcher_extension").merge_nested_dicts(
        {"wrappers": model.wrappers}, model.model_options["transformer_options"]) | {"cond_or_uncond": [0, 1]}
    x = torch.randn(rows, 4, SIZE, SIZE, generator=generator)
    text = torch.randn(2, 77, TEXT, generator=generator).repeat_interleave(frames, 0)
    start = time.process_time()
    model.model.diffusion_model(x, torch.full((rows,), 500.0), context=text, transformer_options=options)
    return time.process_time() - start


def ratio(walk: Any, own: Any, frames: int, times: int) -> float:
    """The median over alternating pairs, of which each begins with the other one."""
    pairs = []
    for i in range(times + 1):
        seconds = [call(model, frames) for model in ((walk, own) if i % 2 else (own, walk))]
        pairs.append(seconds if i % 2 else seconds[::-1])
    return sorted(first / second for first, second in pairs[1:])[times // 2]


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--times", type=int, default=41)
    args = parser.parse_args()
    torch.set_num_threads(1)  # time of the processor then means the same in every call
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        host = load(base)
        model = image_model()
        layout = read_layout(model.model.diffusion_model)
        nothing = Skeleton(SkeletonConfig((), (2, 2, 2), layout.down_channels, layout.up_channels, layout.emb_channels))
        save_skeleton(base / "nothing.safetensors", nothing, {})
        weight_cache = host("runtime.weight_cache").WeightCache()
        clip = host("walk.apply").apply_skeleton(weight_cache, model, base / "nothing.safetensors", time_strides="none")
        patched_clip, patched_model = clip.clone(), model.clone()
        for each in (patched_clip, patched_model):
            each.set_model_attn2_patch(lambda q, k, v, options: (q, k, v))  # then the text is read frame by frame
        print(json.dumps({"overhead": ratio(clip, model, args.frames, args.times),
                          "overhead_text_per_frame": ratio(patched_clip, patched_model, args.frames, args.times),
                          "overhead_one_frame": ratio(clip, model, 1, args.times)}))


if __name__ == "__main__":
    main()
