"""The model to measure, in plain torch: the shipped weights, or the checkpoints of a training in progress."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from stunet_core.checkpoints.weights import RECORD, load_skeleton
from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.mini.checkpoint import load_checkpoint
from stunet_core.mini.text import TextEncoder
from stunet_core.mini.tokenizer import Tokenizer
from stunet_core.mini.unet import UNet
from stunet_core.model.skeleton import Skeleton


@dataclass(frozen=True)
class Models:
    """Everything that text to video needs, in evaluation mode; `skeleton` is None where only images are wanted."""

    text: TextEncoder
    tokenizer: Tokenizer
    net: UNet
    autoencoder: Autoencoder
    skeleton: Skeleton | None

    def ids(self, captions: Sequence[str]) -> Tensor:
        """Captions -> token ids [n, text_tokens]."""
        length = self.net.config.text_tokens
        return torch.tensor([self.tokenizer.pad(self.tokenizer.encode(text), length) for text in captions])


def load_runs(folder: Path, *, skeleton: bool) -> Models:
    """The averaged weights of the trainers' checkpoints under `folder`. FileNotFoundError names a stage that has none
    yet.
    """
    from training.common.latents import load_autoencoder, load_text
    from training.common.run_state import averaged
    from training.stages.video import load_unet, new_skeleton

    text, tokenizer = load_text(folder / "text" / "state.pt")
    net = load_unet(folder / "image" / "state.pt")
    moving = None
    if skeleton:
        moving = new_skeleton(net)
        moving.load_state_dict(averaged(folder / "video" / "state.pt"))
        moving.eval().requires_grad_(False)
    return Models(text, tokenizer, net, load_autoencoder(folder / "autoencoder" / "autoencoder.pt"), moving)


def load_shipped(folder: Path) -> Models:
    """`mini.safetensors` and `mini_stunet.safetensors` of a folder, in float32."""
    mini = load_checkpoint(folder / "mini.safetensors")
    net = UNet(mini.config)
    net.load_state_dict(mini.unet)
    skeleton = load_skeleton(folder / "mini_stunet.safetensors")
    for module in (net, mini.text, mini.autoencoder, skeleton):
        module.float().eval().requires_grad_(False)
    return Models(mini.text, mini.tokenizer, net, mini.autoencoder, skeleton)


def learned(path: Path) -> int:
    """How many of the world's objects a checkpoint says it learned."""
    with safe_open(str(path), framework="pt") as file:
        return int(json.loads(file.metadata()[RECORD])["objects"])
