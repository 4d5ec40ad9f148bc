"""Tiny models with random weights, written in a second, for tests that are not about what a model has learned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from stunet_core.checkpoints.weights import save_skeleton
from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.mini.checkpoint import Checkpoint, save_checkpoint
from stunet_core.mini.config import MiniConfig
from stunet_core.mini.frame_time import with_time
from stunet_core.mini.picture_encoder import PictureEncoder
from stunet_core.mini.poses.draft import INSTANCES
from stunet_core.mini.poses.pose_head import NUMBERS, PoseHead
from stunet_core.mini.text import TextEncoder
from stunet_core.mini.tokenizer import Tokenizer
from stunet_core.mini.unet import UNet
from stunet_core.model.layout import read_layout
from stunet_core.model.skeleton import Skeleton, lumiere

M = TypeVar("M", bound=nn.Module)
CONFIG = MiniConfig(model_channels=32, channel_mult=(1, 2, 2), num_res_blocks=(1, 1, 1), attention=(False, True, True), head_channels=16,
                    context_dim=32, pooled_dim=32)
WORDS = ("a", "3d", "style", "rocket", "flying", "up", "on", "purple", "background")
RGB = [[0.3, 0.2, 0.1], [0.1, 0.3, 0.2], [0.2, 0.1, 0.3], [-0.1, -0.2, -0.3], [0.1, 0.0, 0.1], [0.0, 0.2, 0.0], [0.2, 0.0, 0.0],
       [0.0, 0.0, 0.2], [0.0, 0.1, 0.0]]


def seeded(build: Callable[[], M], seed: int) -> M:
    """A module with every parameter at random, so that no branch is zero as it is at the start of training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build()
        for parameter in module.parameters():
            parameter.data += torch.randn_like(parameter) * 0.05
            parameter.data = parameter.data.bfloat16().float()  # files hold bf16: what is read equals what was written
    return module.eval().requires_grad_(False)


def unet(config: MiniConfig = CONFIG) -> UNet:
    return seeded(lambda: UNet(config), 0)


def skeleton(config: MiniConfig = CONFIG) -> Skeleton:
    """Temporal layers for the U-Net of `config`, time halved at each of its two steps."""
    layout = read_layout(UNet(config))
    return seeded(lambda: Skeleton(lumiere(layout, (2, 2), pooled_channels=config.y_channels, head_channels=16, model="mini")), 1)


def autoencoder() -> Autoencoder:
    """Its latents are of about unit variance and its pictures within [-1, 1], as a real one's."""
    made = seeded(Autoencoder, 3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        latents = made.encode(torch.rand(8, 3, 64, 64) * 2 - 1)
    made.mean.copy_(latents.mean(dim=(0, 2, 3)))
    made.std.copy_(latents.std(dim=(0, 2, 3)))
    last = made.decoder[-2]  # what is amplified a hundredfold and clamped would hide or flip what is tested
    gain = 0.3 / made.decode(torch.randn(8, 8, 4, 4, generator=torch.Generator().manual_seed(4))).std()
    for parameter in last.parameters():
        parameter.data = (parameter.data * gain).bfloat16().float()
    return made


def pictures(config: MiniConfig = CONFIG) -> PictureEncoder:
    return seeded(lambda: PictureEncoder(config), 5)


def pose_head(config: MiniConfig = CONFIG) -> PoseHead:
    """It guesses that everything is there."""
    made = seeded(lambda: PoseHead(config), 6)
    made.net[-1].bias.view(INSTANCES, NUMBERS)[:, -1] = 2.0  # type: ignore[union-attr, operator]
    return made


def inputs(rows: int, frames: int, seed: int = 5, h: int = 8, w: int = 8, config: MiniConfig = CONFIG) -> tuple[Tensor, ...]:
    """What `forward_clip` takes: x (rows frames) c h w, timesteps rows, context rows n c, y (rows frames) p."""
    g = torch.Generator().manual_seed(seed)
    x, context = torch.randn(rows * frames, config.in_channels, h, w, generator=g), torch.randn(rows, 5, config.context_dim, generator=g)
    pooled = torch.randn(rows, config.pooled_dim, generator=g).repeat_interleave(frames, dim=0)
    return x, torch.linspace(50, 900, rows), context, with_time(pooled, torch.full((rows * frames,), torch.nan))


def write_weights(folder: Path, mini: str = "mini.safetensors", temporal: str = "mini_stunet.safetensors") -> None:
    """Both files in `folder`. In a user's `stunet` folder, the default names stand in for the bundled weights."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(WORDS)
    text = seeded(lambda: TextEncoder(CONFIG, len(tokenizer)), 2)
    parts = Checkpoint(CONFIG, tokenizer, text, pictures(), pose_head(), autoencoder(), unet().state_dict(), RGB)
    save_checkpoint(folder / mini, parts)
    save_skeleton(folder / temporal, skeleton(), {})
