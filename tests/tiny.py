"""Tiny models with random weights, written in a second, for tests that are not about what a model has learned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from stunet_core.checkpoints.weights import save_skeleton
from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.mini.checkpoint import save_checkpoint
from stunet_core.mini.config import MiniConfig
from stunet_core.mini.text import TextEncoder
from stunet_core.mini.tokenizer import Tokenizer
from stunet_core.mini.unet import UNet
from stunet_core.model.layout import read_layout
from stunet_core.model.skeleton import Skeleton, lumiere

M = TypeVar("M", bound=nn.Module)
CONFIG = MiniConfig(model_channels=32, channel_mult=(1, 2, 2), head_channels=16, context_dim=32, pooled_dim=32, scale_shift=True)
WORDS = ("a", "3d", "style", "rocket", "flying", "up", "on", "purple", "background")
RGB = [[0.3, 0.2, 0.1], [0.1, 0.3, 0.2], [0.2, 0.1, 0.3], [-0.1, -0.2, -0.3], [0.0, 0.1, 0.0]]


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


def skeleton(config: MiniConfig = CONFIG, *, clock: bool = False) -> Skeleton:
    """Temporal layers for the U-Net of `config`, time halved at each of its two steps."""
    layout = read_layout(UNet(config))
    return seeded(lambda: Skeleton(lumiere(layout, (2, 2), pooled_channels=config.pooled_dim, head_channels=16,
                                           clock=clock, model="mini")), 1)


def write_weights(folder: Path, mini: str = "mini.safetensors", temporal: str = "mini_stunet.safetensors") -> None:
    """Both files in `folder`. In a user's `stunet` folder, the default names stand in for the bundled weights."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(WORDS)
    text = seeded(lambda: TextEncoder(CONFIG, len(tokenizer)), 2)
    save_checkpoint(folder / mini, CONFIG, tokenizer, text, seeded(Autoencoder, 3), unet(),
                    latent_rgb=RGB)
    save_skeleton(folder / temporal, skeleton(), {})
