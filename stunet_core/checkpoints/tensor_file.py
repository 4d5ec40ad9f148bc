"""Files of named tensors: safetensors, and pickles that hold nothing but data."""

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

PICKLED = (".ckpt", ".pt", ".pth", ".bin")
NESTS = ("state_dict", "module", "model")  # where trainers put the weights in what they pickle


@dataclass(frozen=True)
class TensorFile:
    """An opened file. `tensors()` reads what `names` lists; of a safetensors file nothing is read before."""

    metadata: Mapping[str, str]
    names: tuple[str, ...]
    tensors: Callable[[], dict[str, Tensor]]


def open_tensors(path: Path) -> TensorFile:
    """The file at `path`.

    Raises:
        ValueError: naming the file, when it is missing, damaged, or a pickle with anything in it that would run.
    """
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    return _open_pickled(path) if path.suffix.lower() in PICKLED else _open_safetensors(path)


def _open_safetensors(path: Path) -> TensorFile:
    def read() -> dict[str, Tensor]:
        with safe_open(str(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in names}

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata, names = file.metadata() or {}, tuple(file.keys())
    except SafetensorError as error:
        raise ValueError(f"{path}: the file is damaged, cut short, or no safetensors file ({error}): copy or download "
                         "it again") from error
    return TensorFile(metadata, names, read)


def _open_pickled(path: Path) -> TensorFile:
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path}: it holds more than tensors, and reading it could run whatever code was put into it, "
                         "so it is not read. Get the same weights as .safetensors, or convert the file on a machine "
                         "where you trust it.") from error
    except (RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"{path}: the file is damaged, cut short, or no file of weights "
                         f"({str(error).splitlines()[0]}): copy or download it again") from error
    for nest in NESTS:
        if isinstance(content, dict) and isinstance(content.get(nest), dict):
            content = content[nest]
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds a {type(content).__name__}, no named tensors: choose another file")
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    return TensorFile({}, tuple(tensors), lambda: tensors)
