"""Small videos with captions, a small checkpoint, and the trainer on them: shared by the tests of `training.finetune.train`."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from launch.server import free_port
from tests import tiny

ROOT = Path(__file__).resolve().parent.parent


def video(frames: np.ndarray, fps: int = 16) -> bytes:
    """An .mp4 of uint8 [F, H, W, 3]"""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def greys(*levels: int, width: int = 64, height: int = 64) -> np.ndarray:
    """One frame of each brightness"""
    return np.stack([np.full((height, width, 3), level, np.uint8) for level in levels])


def write_videos(folder: Path, count: int) -> None:
    """Clips of the training world, with what it says of them."""
    from training.world import OBJECT_NAMES, caption, render, sample_scene

    folder.mkdir(parents=True)
    for i in range(count):
        rng = np.random.default_rng(i)
        scene = sample_scene(rng, OBJECT_NAMES[:8])
        (folder / f"clip {i}.mp4").write_bytes(video(render(scene, frames=12, size=64).frames))
        (folder / f"clip {i}.txt").write_text(caption(scene, rng), encoding="utf-8")


def write_checkpoint(path: Path) -> Path:
    """A small mini model of random weights, whose latents are of about unit variance as in a real one."""
    tiny.write_weights(path.parent, path.name, "of_tiny_stunet.safetensors")
    return path


def arguments(folder: Path, out: str, **options: Any) -> list[str]:
    """Of the trainer on `folder`/videos and `folder`/mini.safetensors; True is an option without a value."""
    told = {"checkpoint": folder / "mini.safetensors", "videos": folder / "videos", "cache": folder / "cache", "out": folder / out,
            "size": 64, "fps": 16, "frames": 4, "batch": 2, "steps": 16, "warmup": 2, "decay": 4, "lr": 2e-3, "precision": "fp32",
            "log-steps": 4} | options
    return [part for name, value in told.items() for part in ([f"--{name}"] if value is True else [f"--{name}", str(value)])]


@contextmanager
def one_thread() -> Iterator[None]:
    """Meanwhile torch computes on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def two_processes(told: list[str]) -> str:
    """The trainer as a launcher starts it, twice, joined by gloo. Returns what the first one printed."""
    shared = os.environ | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()),
                           "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "training.finetune.train", *told]
    started = [subprocess.Popen(command, cwd=ROOT, env=shared | {"RANK": rank, "LOCAL_RANK": rank}, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for rank in ("0", "1")]
    try:
        printed = [process.communicate(timeout=300)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], "\n".join(printed)
    return printed[0]


def write_sd15(path: Path, vae: Path | None = None) -> None:
    """A checkpoint that ComfyUI takes for SD1.5: its widths and text encoder, two levels of one block, all at random; and a TAESD, in
    a file of its own or in the checkpoint.

    Run it in a process that has ComfyUI in its search path.
    """
    import importlib

    from safetensors.torch import save_file
    from transformers import CLIPTextConfig, CLIPTextModel

    unet = importlib.import_module("comfy.ldm.modules.diffusionmodules.openaimodel").UNetModel(
        image_size=32, in_channels=4, out_channels=4, model_channels=320, num_res_blocks=[1, 1], channel_mult=(1, 1), num_heads=8,
        use_spatial_transformer=True, transformer_depth=[1, 1], transformer_depth_output=[1, 1, 1, 1], transformer_depth_middle=1,
        context_dim=768, legacy=False, use_linear_in_transformer=False, dtype=torch.float32)
    text = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                                        hidden_act="quick_gelu"))
    small_vae = importlib.import_module("comfy.taesd.taesd").TAESD()
    generator = torch.Generator().manual_seed(2)
    for name, parameter in (*unet.named_parameters(), *small_vae.named_parameters()):  # ComfyUI's layers hold whatever was in memory
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1:
            parameter.data = noise * parameter[0].numel() ** -0.5
        elif parameter.ndim == 1:
            parameter.data = 0.05 * noise + float(name.endswith("weight"))
    tensors = {f"model.diffusion_model.{name}": tensor for name, tensor in unet.state_dict().items()}
    words = {name if name.startswith("text_model.") else f"text_model.{name}": tensor for name, tensor in text.state_dict().items()}
    tensors |= {f"cond_stage_model.transformer.{name}": tensor for name, tensor in words.items()}
    if vae is None:
        tensors |= {f"first_stage_model.{name}": tensor for name, tensor in small_vae.state_dict().items()}
    else:
        save_file(small_vae.state_dict(), str(vae))
    save_file({name: tensor.half().contiguous() for name, tensor in tensors.items()}, str(path))
