"""The modules that checkpoints hold, averaged and frozen: of the stages in `runs/`, of the shipped weights, or of the trial's scripts."""

from pathlib import Path

import torch

from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.mini.checkpoint import load_checkpoint
from stunet_core.mini.unet import UNet
from stunet_core.model.skeleton import Skeleton

from . import lab
from .mini import Mini, new_skeleton
from .run_state import averaged, read_state

SHIPPED = ".safetensors"
TRAINED = "mini."  # in the states of the stages that train it, beside heads that only they need


def load_autoencoder(path: Path = Path("runs/autoencoder/state.pt")) -> Autoencoder:
    """The autoencoder of any of these files."""
    if path.suffix == SHIPPED:
        return load_checkpoint(path).autoencoder.eval().requires_grad_(False)
    state = read_state(path)
    if lab.is_autoencoder(state):
        return lab.autoencoder_from_lab(path)
    model = Autoencoder()
    model.load_state_dict(averaged(state))
    return model.eval().requires_grad_(False)


def image_of(runs: Path) -> Path:
    """The image model that the stages in `runs` ended with: with the pose head trained on, if it was."""
    last = runs / "poses" / "state.pt"
    return last if last.is_file() else runs / "image" / "state.pt"


def load_mini(path: Path = Path("runs/image/state.pt"), live: bool = False) -> Mini:
    """The image model of any of these files; of a stage's state averaged, or `live`, as it stood."""
    if path.suffix == SHIPPED:
        return shipped(path)
    state = read_state(path)
    if lab.is_image_model(state):
        model, _ = lab.from_lab(path)
    else:
        model = Mini(state["words"])
        weights = state["model"] if live else averaged(state)
        model.load_state_dict({name.removeprefix(TRAINED): value for name, value in weights.items() if name.startswith(TRAINED)})
    return model.eval().requires_grad_(False)


def shipped(path: Path) -> Mini:
    """The image model of an exported file."""
    found = load_checkpoint(path)
    with torch.device("meta"):
        model = Mini(found.tokenizer.words, found.config)
    model.text, model.pictures, model.pose_head = found.text, found.pictures, found.pose_head
    model.unet.load_state_dict(found.unet, assign=True)
    return model.eval().requires_grad_(False)


def load_skeleton(path: Path, unet: UNet) -> Skeleton:
    """The skeleton of the video stage."""
    skeleton = new_skeleton(unet)
    skeleton.load_state_dict(averaged(read_state(path)))
    return skeleton.eval().requires_grad_(False)
