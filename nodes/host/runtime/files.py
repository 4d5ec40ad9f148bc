"""Where weights lie: the pack's own `weights/`, and the model folders that users fill.

`stunet` is for all of them; `animatediff_models` and `animatediff_motion_lora` are where users of other packs keep their motion
modules and the LoRAs of these.
"""

from pathlib import Path
from typing import Any

import folder_paths

FOLDER, MOTION_FOLDER, LORA_FOLDER = "stunet", "animatediff_models", "animatediff_motion_lora"
SEARCHED = {"weights": (FOLDER, MOTION_FOLDER), "lora": (LORA_FOLDER, FOLDER, "loras")}  # by a node's input, the first one first
EXTENSIONS = {".safetensors", ".ckpt", ".pt", ".pth"}  # all but the first are read only as far as they are plain tensors
WEIGHTS = Path(__file__).resolve().parents[3] / "weights"
MINI = "mini.safetensors"  # the embedded model
SKELETON = "mini_stunet.safetensors"  # its temporal layers
BUNDLED = (MINI, SKELETON)


def register_folders() -> None:
    """Make the folders known to ComfyUI; entries of `extra_model_paths.yaml` stay. Harmless when repeated."""
    for folder in (FOLDER, MOTION_FOLDER, LORA_FOLDER):
        folder_paths.add_model_folder_path(folder, str(Path(folder_paths.models_dir) / folder))
        folder_paths.folder_names_and_paths[folder][1].update(EXTENSIONS)


def choices(bundled: str) -> list[str]:
    """Names for a drop-down: the bundled file first, then what lies in the `stunet` folders, then motion modules."""
    names = list(folder_paths.get_filename_list(FOLDER))
    if bundled == SKELETON:
        names += folder_paths.get_filename_list(MOTION_FOLDER)
    return [bundled, *dict.fromkeys(name for name in names if name not in BUNDLED)]


def motion_loras() -> list[str]:
    """Names for a drop-down: what lies in the LoRAs' own folder first."""
    return list(dict.fromkeys(name for folder in SEARCHED["lora"] for name in folder_paths.get_filename_list(folder)))


def find(name: str, kind: str = "weights") -> Path:
    """The file called `name` for the input `kind`: the user's if there is one, else the bundled one.

    Workflows from Windows name folders with a backslash, those from elsewhere with a slash: either is found.

    Raises ValueError naming the folders searched when neither exists.
    """
    for spelt in dict.fromkeys((name, name.replace("\\", "/"))):
        for folder in SEARCHED[kind]:
            found = folder_paths.get_full_path(folder, spelt)
            if found is not None:
                return Path(found)
    searched = [path for folder in SEARCHED[kind] for path in folder_paths.get_folder_paths(folder)]
    if kind == "weights":
        if name in BUNDLED and (WEIGHTS / name).is_file():
            return WEIGHTS / name
        searched.append(str(WEIGHTS))
    raise ValueError(f"{kind}: {name!r} is in none of the folders searched: {', '.join(searched)}. Put the file into the first of "
                     "them and refresh the page, or choose another one.")


def check(name: Any, kind: str = "weights") -> bool | str:
    """For `validate_inputs`: True, or why there is no such file. What is no text a link brings later, or ComfyUI refuses itself."""
    try:
        return not isinstance(name, str) or bool(find(name, kind))
    except ValueError as error:
        return str(error)


def fingerprint(name: str, kind: str = "weights") -> str:
    """Changes when the file called `name` does, so that cached outputs of the old one are not used."""
    return stamp(find(name, kind))


def stamp(path: Path) -> str:
    """Changes when the file does."""
    stat = path.stat()
    return f"{stat.st_mtime_ns} {stat.st_size}"
