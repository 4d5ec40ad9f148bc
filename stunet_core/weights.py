"""Temporal weights as files: safetensors whose metadata holds all that is needed to build the module again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from .skeleton import Skeleton, SkeletonConfig

CONFIG = "stunet_config"  # metadata keys
RECORD = "record"


def save_skeleton(path: Path, skeleton: Skeleton, record: Mapping[str, Any]) -> None:
    """Write `skeleton` to `path` in bf16. `record` says how it was trained and on what (data, licences, steps)."""
    write(path, skeleton.state_dict(), {CONFIG: skeleton.config.to_dict(), RECORD: dict(record)})


def load_skeleton(path: Path) -> Skeleton:
    """The skeleton at `path`, in float32.

    Raises:
        ValueError: naming the file, when it is missing, damaged, or holds something else.
    """
    config, tensors = read(path, CONFIG, "STUNet weights (temporal layers)")
    try:
        skeleton = Skeleton(SkeletonConfig(**config))
    except TypeError as error:
        raise ValueError(f"{path}: its config is of another version of the pack ({error}): update the pack") from error
    fill(skeleton, tensors, path)
    return skeleton


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Save `tensors`: matrices and kernels in bf16; biases, norms and statistics, which are few, in float32."""
    kept = {name: t.detach().to("cpu", torch.bfloat16 if t.ndim > 1 else torch.float32).contiguous()
            for name, t in tensors.items()}
    save_file(kept, str(path), {name: json.dumps(value) for name, value in metadata.items()})


def read(path: Path, key: str, what: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(the JSON under `key` in the metadata, tensors) of the file at `path`; a ValueError says that it is no `what`."""
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names} if key in metadata else {}
    except SafetensorError as error:
        raise ValueError(f"{path}: the file is damaged, cut short, or no safetensors file ({error}): copy or download "
                         "it again") from error
    if key not in metadata:
        raise ValueError(f"{path}: holds no {what}. It has {len(names)} tensors such as {', '.join(names[:2])}, and no "
                         f"{key!r} in its metadata: choose another file")
    return json.loads(metadata[key]), tensors


def fill(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load `tensors` into `module`. Raises ValueError naming `path` when they are not exactly its own."""
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"{path}: its tensors do not fit its config; the file was altered or not written completely "
                         f"({str(error).splitlines()[-1].strip()})") from error
