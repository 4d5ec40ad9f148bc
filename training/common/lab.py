"""Checkpoints of the trial that the second generation grew out of (`t2i4.py`, `ae.py`, `video3.py`), under the project's names.

Only weights are taken over, averaged ones where there are two: a run that goes on from them warms its optimiser up anew.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.mini.unet import UNet
from stunet_core.model.skeleton import Skeleton

from .mini import Mini, fill_grown, new_skeleton

PARTS = {  # name there, name here
    "ref_in": "pictures.stem", "ref_a": "pictures.blocks.0", "ref_down": "pictures.down", "ref_b": "pictures.blocks.1",
    "ref": "pictures.out", "ref_pos": "pictures.positions", "ref_null": "pictures.absent", "ref_slot": "pictures.slots",
    "ref_pool.0": "pictures.pool_in", "ref_pool.2": "pictures.pool_out.0", "ref_pool_second": "pictures.pool_out.1", "pose": "pose_head",
}
FIRST = "unet.input_blocks.0.0.weight"
KEPT = 19  # of its input channels: what stood behind them before there were drafts means something else


def is_image_model(state: Mapping[str, Any]) -> bool:
    """Whether a loaded file is a checkpoint of the trial's image model."""
    return {"ema", "text_ema", "words"} <= set(state)


def is_autoencoder(state: Mapping[str, Any]) -> bool:
    """Whether a loaded file is the trial's autoencoder."""
    return "enc.1.weight" in state


def from_lab(path: Path) -> tuple[Mini, int]:
    """The image model of a trial's checkpoint (its averaged weights), and the steps it was trained for.

    What an early checkpoint lacks (drafts, the second slot, pictures of this size) is as it would be at first. ValueError for another
    kind of file.
    """
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if not is_image_model(state):
        raise ValueError(f"{path}: is no checkpoint of the trial's image model: it has no `ema`, `text_ema` and `words`")
    model = Mini(state["words"])
    weights = {renamed(name): value.float() for name, value in state["ema"].items()}
    weights |= {f"text.{name}": value.float() for name, value in state["text_ema"].items()}
    if weights[FIRST].shape[1] < model.config.in_channels:
        weights[FIRST] = weights[FIRST][:, :KEPT]
    if weights["pictures.positions"].shape != model.pictures.positions.shape:  # of smaller pictures: only which slot is which is alike
        weights = {name: value for name, value in weights.items() if not name.startswith("pictures.") or name == "pictures.slots"}
    grown = fill_grown(model, weights)
    if grown:
        print(f"{path}: {len(grown)} tensors are new in this model, or have grown, such as {', '.join(grown[:3])}")
    return model.eval(), int(state.get("step", 0))


def renamed(name: str) -> str:
    """A weight of the trial's `Net` -> the same weight of `Mini`"""
    if name.startswith("net."):
        return "unet." + name.removeprefix("net.").replace("label_emb.", "label_emb.0.", 1)
    part = max((part for part in PARTS if name == part or name.startswith(part + ".")), key=len)
    return PARTS[part] + name.removeprefix(part)


def autoencoder_from_lab(path: Path) -> Autoencoder:
    """The autoencoder of a trial's checkpoint."""
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    parts = {"enc": "encoder", "dec": "decoder"}
    inside = {"a": "first", "b": "second"}

    def here(name: str) -> str:
        pieces = name.split(".")
        return ".".join([parts.get(pieces[0], pieces[0]), *(inside.get(piece, piece) for piece in pieces[1:])])

    model = Autoencoder()
    model.load_state_dict({here(name): value.float() for name, value in state.items()})
    return model.eval().requires_grad_(False)


def skeleton_from_lab(path: Path, unet: UNet) -> tuple[Skeleton, int]:
    """The temporal layers of the trial's space-time stage (averaged), and the steps it was trained for.

    ValueError for those of `video.py`, whose blocks also hear the spacing of frames.
    """
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    skeleton = new_skeleton(unet)
    try:
        skeleton.load_state_dict({name: value.float() for name, value in state["ema"].items()})
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"{path}: holds no temporal layers for this image model ({str(error).splitlines()[-1].strip()})") from error
    return skeleton.eval(), int(state.get("step", 0))
