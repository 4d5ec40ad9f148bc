"""Small videos with captions, a small checkpoint, and the trainer on them: shared by the tests of `training.train_own`."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from launch.server import free_port
from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.mini.checkpoint import save_checkpoint
from stunet_core.mini.text import TextEncoder
from stunet_core.mini.tokenizer import Tokenizer
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
    tokenizer, autoencoder = Tokenizer(tiny.WORDS), tiny.seeded(Autoencoder, 3)
    autoencoder.mean, autoencoder.std = torch.tensor([2.0, 1.0, -2.0, 0.5]), torch.full((4,), 2.5)
    save_checkpoint(path, tiny.CONFIG, tokenizer, tiny.seeded(lambda: TextEncoder(tiny.CONFIG, len(tokenizer)), 2), autoencoder,
                    tiny.unet(), latent_rgb=tiny.RGB)
    return path


def arguments(folder: Path, out: str, **options: Any) -> list[str]:
    """Of the trainer on `folder`/videos and `folder`/mini.safetensors; True is an option without a value."""
    told = {"checkpoint": folder / "mini.safetensors", "videos": folder / "videos", "cache": folder / "cache", "out": folder / out,
            "size": 64, "fps": 16, "frames": 4, "batch": 2, "steps": 16, "warmup": 2, "decay": 4, "lr": 2e-3, "precision": "fp32",
            "log-steps": 4} | options
    return [part for name, value in told.items() for part in ([f"--{name}"] if value is True else [f"--{name}", str(value)])]


def two_processes(told: list[str]) -> str:
    """The trainer as a launcher starts it, twice, joined by gloo. Returns what the first one printed."""
    shared = os.environ | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()),
                           "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "training.train_own", *told]
    started = [subprocess.Popen(command, cwd=ROOT, env=shared | {"RANK": rank, "LOCAL_RANK": rank}, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for rank in ("0", "1")]
    try:
        printed = [process.communicate(timeout=300)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], "\n".join(printed)
    return printed[0]
