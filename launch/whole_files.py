"""Files that are either whole or not there, whenever the process that writes them is killed: written beside their place, then renamed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any


def write_bytes(path: Path, content: bytes) -> None:
    """`content` as the file at `path`."""
    beside = beside_of(path)
    beside.write_bytes(content)
    beside.replace(path)


def write_json(path: Path, content: Any, indent: int | None = 1) -> None:
    """`content` as JSON at `path`."""
    write_bytes(path, json.dumps(content, indent=indent).encode())


def copy(source: Path, path: Path) -> None:
    """A copy of the file `source` at `path`."""
    beside = beside_of(path)
    shutil.copyfile(source, beside)
    beside.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in the file at `path`; {} when there is none, or it was damaged: what it records is then done again."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def beside_of(path: Path) -> Path:
    """Where `path` is written before it is renamed; each process has its own."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")
