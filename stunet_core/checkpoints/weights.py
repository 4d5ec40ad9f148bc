"""Temporal weights as files: safetensors whose metadata holds all that is needed to build the module again.

Motion modules in the layouts of others are read too (`motion_layouts`); their shapes tell what to build.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..model.skeleton import Skeleton, SkeletonConfig
from . import motion_layouts
from .checks import check_kinds, check_numbers, check_tensors, plain
from .tensor_file import TensorFile, open_tensors

CONFIG = "stunet_config"  # metadata keys
RECORD = "record"

C = TypeVar("C")
M = TypeVar("M", bound=nn.Module)


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
    values = file.described(CONFIG, "STUNet weights (temporal layers) and no motion modules")
    config = told(path, lambda: SkeletonConfig.from_dict(values))
    return built(lambda: Skeleton(config), file.tensors(), path).float()


def _load_motion_module(path: Path, file: TensorFile) -> Skeleton:
    found = file.tensors()
    check_kinds({name: tensor for name, tensor in found.items() if motion_layouts.recognised([name])}, path)
    config, tensors = told(path, lambda: motion_layouts.read_layout(found))
    return built(lambda: Skeleton(config), tensors, path)


def told(path: Path, read: Callable[[], C]) -> C:
    """What `read()` returns; its ValueError is raised again with the file's name before it."""
    try:
        return read()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def built(build: Callable[[], M], tensors: Mapping[str, Tensor], path: Path) -> M:
    """The module that `build()` makes, with `tensors`, which must be exactly its own, in the file's precision.

    It is built without content first: a description may ask for more than any memory holds.

    Raises:
        ValueError: naming the file, the tensor and what to do.
    """
    with torch.device("meta"):
        try:
            module = build()
        except ValueError as error:
            raise ValueError(f"{path}: its description makes no module ({error}): the file was altered") from error
    fill(module, tensors, path, assign=True)
    return module


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Save `tensors`: matrices and kernels in bf16; biases, norms and statistics, which are few, in float32."""
    kept = {name: t.detach().to("cpu", torch.bfloat16 if t.ndim > 1 else torch.float32).contiguous()
            for name, t in tensors.items()}
    save_file(kept, str(path), {name: json.dumps(value) for name, value in metadata.items()})


def read(path: Path, key: str, what: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(the JSON under `key` in the metadata, tensors) of a file of ours at `path`.

    Raises:
        ValueError: naming the file, when it is no `what`, damaged, or has tensors that no trained weights are.
    """
    file = open_tensors(path)
    values, tensors = file.described(key, what), file.tensors()
    check_numbers(tensors, path)
    return values, tensors


def fill(module: nn.Module, tensors: Mapping[str, Tensor], path: Path, assign: bool = False) -> None:
    """Load `tensors` into `module`; with `assign` it takes over the tensors themselves, in their precision.

    Raises ValueError naming `path`, the tensor and what to do when they are not exactly its own.
    """
    check_tensors({name: tensor.shape for name, tensor in module.state_dict().items()}, tensors, path)
    module.load_state_dict(plain(tensors), assign=assign)
