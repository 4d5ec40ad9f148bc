"""Files of named tensors: safetensors, and pickles that hold nothing but data. Every weight file of the pack is read here."""

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .file_kinds import SAFETENSORS, ZIP, kind

PICKLED = (".ckpt", ".pt", ".pth", ".bin")
NESTS = ("state_dict", "module", "model")  # where trainers put the weights in what they pickle
HARMFUL = re.compile(r"Unsupported (global|class)|GLOBAL \S+\.\S+ was not|Trying to (call|instantiate|load unsupported)|TorchScript")
"""What torch says of a pickle that asks for more than tensors; of a damaged one it says other things."""
NEWER = (b"\x80\x03", b"\x80\x04", b"\x80\x05")  # pickles that torch.save did not write
DAMAGED = "copy or download it again"


@dataclass(frozen=True)
class TensorFile:
    """An opened file. `tensors()` reads what `names` lists; of a safetensors file nothing is read before."""

    path: Path
    metadata: Mapping[str, str]
    names: tuple[str, ...]
    tensors: Callable[[], dict[str, Tensor]]

    def described(self, key: str, what: str) -> dict[str, Any]:
        """The JSON object under `key` in the metadata. Raises ValueError naming the file when there is none: it is no `what`."""
        if key not in self.metadata:
            raise ValueError(f"{self.path}: holds no {what}. It has {len(self.names)} tensors{self.such_as()}, and no {key!r} in its "
                             "metadata: choose another file")
        try:
            found = json.loads(self.metadata[key])
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{self.path}: {key!r} in its metadata is no JSON; the file was altered or not written completely: "
                             f"{DAMAGED}") from error
        if not isinstance(found, dict):
            raise ValueError(f"{self.path}: {key!r} in its metadata is {named(found)}, not a JSON object; the file was altered: {DAMAGED}")
        return found

    def such_as(self) -> str:
        """Its first names, for messages."""
        return f" such as {', '.join(short(name) for name in self.names[:2])}" if self.names else ""


def open_tensors(path: Path) -> TensorFile:
    """The file at `path`, whatever its name ends in.

    Raises:
        ValueError: naming the file, when it is missing, no weights, damaged, or a pickle with anything in it that would run.
    """
    if not path.is_file():
        raise ValueError(f"{path}: {'this is a folder or a device, no file of weights' if path.exists() else 'there is no such file'}")
    found = kind(path)
    return _open_safetensors(path) if found == SAFETENSORS else _open_pickled(path, whole_zip=found == ZIP)


def _open_safetensors(path: Path) -> TensorFile:
    def read() -> dict[str, Tensor]:
        try:
            with safe_open(str(path), framework="pt") as file:
                return {name: file.get_tensor(name) for name in names}
        except READING as error:
            raise damaged(path, error) from error

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata, names = file.metadata() or {}, tuple(file.keys())
    except READING as error:
        raise damaged(path, error) from error
    return TensorFile(path, metadata, names, read)


READING = (SafetensorError, RuntimeError, ValueError, TypeError, AttributeError, KeyError, OverflowError, OSError, MemoryError)
"""What safetensors and torch raise at headers of nonsense: kinds that this torch has not, shapes beyond 64 bits, a file that shrank."""


def damaged(path: Path, error: BaseException) -> ValueError:
    """What to say of a file that cannot be read to its end."""
    said = str(error).splitlines() if isinstance(error, SafetensorError | RuntimeError | OSError | zipfile.BadZipFile) else []
    why = short(said[0]) if said else "its content makes no sense"
    return ValueError(f"{path}: the file is damaged, cut short, or no file of weights ({why}): {DAMAGED}")


def _open_pickled(path: Path, whole_zip: bool) -> TensorFile:
    if whole_zip:
        check_zip(path)
    try:
        with path.open("rb") as file:  # of a path, torch would judge by what its name ends in
            content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle is a program of nonsense: it raises whatever it likes
        with path.open("rb") as file:
            newer = file.read(2) in NEWER
        if HARMFUL.search(str(error)) or (newer and "Unsupported operand" in str(error)):
            raise ValueError(f"{path}: it holds more than tensors, and reading it could run whatever code was put into it, "
                             "so it is not read. Get the same weights as .safetensors, or convert the file on a machine "
                             "where you trust it.") from error
        raise damaged(path, error) from error
    for nest in NESTS:
        if isinstance(content, dict) and isinstance(content.get(nest), dict):
            content = content[nest]
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds {named(content)}, no named tensors: choose another file")
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    return TensorFile(path, {}, tuple(tensors), lambda: tensors)


def check_zip(path: Path) -> None:
    """Raises ValueError when a file of torch.save is cut short or a bit of it has changed: torch does not look at the checksums."""
    try:
        with zipfile.ZipFile(path) as file:
            broken = file.testzip() if any(info.CRC for info in file.infolist() if info.file_size) else None
    except Exception as error:  # as above
        raise damaged(path, error) from error
    if broken is not None:
        raise ValueError(f"{path}: the file is damaged ({short(broken)} is not what was written): {DAMAGED}")


def named(value: Any) -> str:
    """A value's kind in words."""
    return "nothing" if value is None else f"a {type(value).__name__}"


def short(name: str, most: int = 160) -> str:
    """A name of a file's own, made fit for a message: no control characters, not longer than `most`."""
    plain = "".join(c if c.isprintable() else "?" for c in name)
    return plain if len(plain) <= most else f"{plain[:most]}..."
