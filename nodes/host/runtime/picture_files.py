"""Pictures and clips that nodes read from files: the pack's own examples, and what ComfyUI's mask editor made."""

from pathlib import Path, PurePath
from typing import Any

import folder_paths
import numpy as np
import torch
from PIL import Image
from torch import Tensor

EXAMPLES = Path(__file__).resolve().parents[3] / "workflows" / "input"
PICTURES, CLIPS = ".png", ".mp4"
OWN = {PICTURES: "Load Image loads pictures of your own, and those of the mask editor", CLIPS: "Load Video loads clips of your own"}
EDITED = "clipspace"  # where the mask editor puts its pictures, in the input folder


def examples(kind: str) -> list[str]:
    """Names of the pack's examples, for a drop-down."""
    return sorted(path.name for path in EXAMPLES.glob(f"*{kind}"))


def example(label: str, name: Any, kind: str) -> Path:
    """The file of an example, and of nothing else. Raises ValueError naming the input `label` when there is none."""
    known = examples(kind)
    if name in known:
        return EXAMPLES / name
    if not known:
        raise ValueError(f"{label}: the pack's examples are missing, {EXAMPLES} has none; install the pack again")
    raise ValueError(f"{label}: the pack has no example {name!r}, but {', '.join(known)}. {OWN[kind]}")


def edited(label: str, name: Any) -> Path:
    """The picture that the mask editor wrote into a node's field, such as 'clipspace/x.png [input]'.

    Raises ValueError when it is not there, or would not lie in ComfyUI's input folder.
    """
    inputs = Path(folder_paths.get_input_directory())
    bare, folder = folder_paths.annotated_filepath(str(name).strip())
    inside = PurePath(bare)
    if folder in (None, folder_paths.get_input_directory()) and not inside.anchor and ".." not in inside.parts:
        for path in (inputs / inside, inputs / EDITED / inside):  # newer frontends leave the folder out
            if path.is_file():
                return path
    raise ValueError(f"{label}: the mask editor's picture {name!r} is not in {inputs}. Empty the field, run, and paint again")


def folder_in_inputs(path: Path) -> str:
    """The folder of a file below ComfyUI's input folder, as its frontend names it."""
    folder = path.parent.relative_to(folder_paths.get_input_directory()).as_posix()
    return "" if folder == "." else folder


def said_of(find: Any, *arguments: Any) -> bool | str:
    """For `validate_inputs`: True when `find(*arguments)` finds a file, else what it says."""
    try:
        return bool(find(*arguments))
    except ValueError as error:
        return str(error)


def read(label: str, path: Path, mode: str) -> tuple[Tensor, bool]:
    """A picture in PIL's `mode` as h w channels in [0, 1], and whether its file is grey. Raises ValueError when it is damaged."""
    try:
        with Image.open(path) as picture:
            return torch.from_numpy(np.array(picture.convert(mode)).astype(np.float32) / 255), picture.mode == "L"
    except Exception as error:  # PIL's own kinds, and those of what it reads with
        raise ValueError(f"{label}: {path} is no picture, or damaged ({error})") from error
