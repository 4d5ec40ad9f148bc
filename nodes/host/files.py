"""Where weights lie: the pack's own `weights/`, and the model folders that users fill.

`stunet` is for all of them; `animatediff_models` and `animatediff_motion_lora` are where users of other packs keep their motion
modules and the LoRAs of these.
"""

from pathlib import Path

import folder_paths

FOLDER, MOTION_FOLDER, LORA_FOLDER = "stunet", "animatediff_models", "animatediff_motion_lora"
LORA_FOLDERS = (LORA_FOLDER, FOLDER, "loras")
EXTENSIONS = {".safetensors", ".ckpt", ".pt", ".pth"}  # all but the first are read only as far as they are plain tensors
WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
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


def find(name: str) -> Path:
    """The weights called `name`: the user's file if there is one, else the bundled one.

    Raises ValueError naming the folders searched when neither exists.
    """
    for folder in (FOLDER, MOTION_FOLDER):
        found = folder_paths.get_full_path(folder, name)
        if found is not None:
            return Path(found)
    if name in BUNDLED and (WEIGHTS / name).is_file():
        return WEIGHTS / name
    folders = ", ".join([*folder_paths.get_folder_paths(FOLDER), *folder_paths.get_folder_paths(MOTION_FOLDER), str(WEIGHTS)])
    raise ValueError(f"weights: {name!r} is in none of the folders searched: {folders}. Put the file into the first of "
                     "them and refresh the page, or choose another one.")


def check(name: str | None) -> bool | str:
    """For `validate_inputs`: True, or why there is no such file. None is a value that a link brings later."""
    try:
        return name is None or bool(find(name))
    except ValueError as error:
        return str(error)


def fingerprint(name: str) -> str:
    """Changes when the file called `name` does, so that cached outputs of the old one are not used."""
    return stamp(find(name))


def stamp(path: Path) -> str:
    """Changes when the file at `path` does."""
    stat = path.stat()
    return f"{stat.st_mtime_ns} {stat.st_size}"


def loras() -> list[str]:
    """Names for a drop-down of motion LoRAs: what lies in their own folder first."""
    names = [name for folder in LORA_FOLDERS for name in folder_paths.get_filename_list(folder)]
    return list(dict.fromkeys(names))


def find_lora(name: str) -> Path:
    """The LoRA called `name`. Raises ValueError naming the folders searched when there is none."""
    for folder in LORA_FOLDERS:
        found = folder_paths.get_full_path(folder, name)
        if found is not None:
            return Path(found)
    folders = ", ".join(path for folder in LORA_FOLDERS for path in folder_paths.get_folder_paths(folder))
    raise ValueError(f"lora: {name!r} is in none of the folders searched: {folders}. Put the file into the first of them and refresh "
                     "the page, or choose another one.")


def check_lora(name: str | None) -> bool | str:
    """For `validate_inputs`, as `check` does."""
    try:
        return name is None or bool(find_lora(name))
    except ValueError as error:
        return str(error)
