"""The model to measure, in plain torch: the shipped weights, or the checkpoints of a training in progress."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from stunet_core.checkpoints.weights import load_skeleton
from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.mini.text import TextEncoder
from stunet_core.mini.tokenizer import Tokenizer
from stunet_core.mini.unet import UNet
from stunet_core.model.skeleton import Skeleton
from training.common import load
from training.common.mini import Mini
from training.world import OBJECT_NAMES, library


@dataclass(frozen=True)
class Models:
    """Everything that text to video needs, in evaluation mode; `skeleton` is None where only images are wanted."""

    mini: Mini
    autoencoder: Autoencoder
    skeleton: Skeleton | None

    @property
    def net(self) -> UNet:
        return self.mini.unet

    @property
    def text(self) -> TextEncoder:
        return self.mini.text

    @property
    def tokenizer(self) -> Tokenizer:
        return self.mini.tokenizer

    def ids(self, captions: Sequence[str]) -> Tensor:
        """Captions -> token ids [n, text_tokens]."""
        return self.mini.ids(captions)


def load_runs(folder: Path, *, skeleton: bool) -> Models:
    """The averaged weights of the trainers' checkpoints under `folder`. FileNotFoundError names a stage that has none yet."""
    mini = load.load_mini(load.image_of(folder))
    moving = load.load_skeleton(folder / "video" / "state.pt", mini.unet) if skeleton else None
    return Models(mini, load.load_autoencoder(folder / "autoencoder" / "state.pt"), moving)


def load_shipped(folder: Path, *, skeleton: bool = True) -> Models:
    """`mini.safetensors` and `mini_stunet.safetensors` of a folder, in float32."""
    mini = load.load_mini(folder / "mini.safetensors")
    moving = load_skeleton(folder / "mini_stunet.safetensors").float().eval().requires_grad_(False) if skeleton else None
    return Models(mini, load.load_autoencoder(folder / "mini.safetensors"), moving)


def known(count: int | None = None) -> tuple[str, ...]:
    """Things with a name that models train on, or the first `count` of them."""
    return tuple(name for name in library.trained() if name in OBJECT_NAMES)[:count]


