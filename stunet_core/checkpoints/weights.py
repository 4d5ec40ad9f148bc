"""Temporal weights as files: safetensors whose metadata holds all that is needed to build the module again.

Motion modules in the layouts of others are read too (`motion_layouts`); their shapes tell what to build.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..model.skeleton import Skeleton, SkeletonConfig
from . import motion_layouts
from .tensor_file import TensorFile, open_tensors

CONFIG = "stunet_config"  # metadata keys
RECORD = "record"


def save_skeleton(path: Path, skeleton: Skeleton, record: Mapping[str, Any]) -> None:
    """Write `skeleton` to `path` in bf16. `record` says how it was trained and on what (data, licences, steps)."""
    write(path, skeleton.state_dict(), {CONFIG: skeleton.config.to_dict(), RECORD: dict(record)})


def load_skeleton(path: Path) -> Skeleton:
    """The skeleton at `path`: ours in float32, a motion module in the precision of its file.

    Raises:
        ValueError: naming the file, when it is missing, damaged, or holds something else.
    """
    file = open_tensors(path)
    if CONFIG not in file.metadata and motion_layouts.recognised(file.names):
        return _load_motion_module(path, file)
    config, tensors = described(path, file, CONFIG, "STUNet weights (temporal layers) and no motion modules")
    try:
        skeleton = Skeleton(SkeletonConfig.from_dict(config))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    fill(skeleton, tensors, path)
    return skeleton


def _load_motion_module(path: Path, file: TensorFile) -> Skeleton:
    try:
        config, tensors = motion_layouts.read_layout(file.tensors())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    with torch.device("meta"):  # the file's tensors are taken as they are, so that there is only one set in memory
        skeleton = Skeleton(config)
    fill(skeleton, tensors, path, assign=True)
    return skeleton


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Save `tensors`: matrices and kernels in bf16; biases, norms and statistics, which are few, in float32."""
    kept = {name: t.detach().to("cpu", torch.bfloat16 if t.ndim > 1 else torch.float32).contiguous()
            for name, t in tensors.items()}
    save_file(kept, str(path), {name: json.dumps(value) for name, value in metadata.items()})


def read(path: Path, key: str, what: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(the JSON under `key` in the metadata, tensors) of the file at `path`; a ValueError says that it is no `what`."""
    return described(path, open_tensors(path), key, what)


def described(path: Path, file: TensorFile, key: str, what: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The same of an opened file."""
    if key not in file.metadata:
        raise ValueError(f"{path}: holds no {what}. It has {len(file.names)} tensors such as "
                         f"{', '.join(file.names[:2])}, and no {key!r} in its metadata: choose another file")
    return json.loads(file.metadata[key]), file.tensors()


def fill(module: nn.Module, tensors: Mapping[str, Tensor], path: Path, assign: bool = False) -> None:
    """Load `tensors` into `module`. Raises ValueError naming `path` when they are not exactly its own."""
    try:
        module.load_state_dict(tensors, assign=assign)
    except RuntimeError as error:
        raise ValueError(f"{path}: its tensors do not fit its config; the file was altered or not written completely "
                         f"({str(error).splitlines()[-1].strip()})") from error
