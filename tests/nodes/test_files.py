"""Where weights are looked for: ComfyUI's model folders, those of `extra_model_paths.yaml` among them."""

from __future__ import annotations

import importlib
import runpy
from pathlib import Path

import pytest

from launch.environment import COMFYUI
from tests.nodes.conftest import Pack


@pytest.mark.parametrize("folder", ["stunet", "animatediff_models"])
def test_folders_of_extra_model_paths_are_searched(pack: Pack, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ComfyUI starts: the user's file is read first, then the pack registers its folders."""
    files, folder_paths = pack.module("nodes.host.runtime.files"), importlib.import_module("folder_paths")
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", {
        name: (list(paths), set(endings)) for name, (paths, endings) in folder_paths.folder_names_and_paths.items() if name != folder})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.safetensors").touch()
    (elsewhere / "notes.txt").touch()
    (tmp_path / "extra.yaml").write_text(f"studio:\n  base_path: {tmp_path}\n  {folder}: elsewhere\n", encoding="utf-8")
    core = runpy.run_path(str(COMFYUI / "utils" / "extra_config.py"))  # by its path: other packages are called `utils` too
    core["load_extra_path_config"](str(tmp_path / "extra.yaml"))
    files.register_folders()
    assert files.find("mine.safetensors") == elsewhere / "mine.safetensors"
    shown = files.choices(files.SKELETON)
    assert "mine.safetensors" in shown and "notes.txt" not in shown
    assert str(Path(folder_paths.models_dir) / folder) in folder_paths.get_folder_paths(folder)
    with pytest.raises(ValueError, match=str(elsewhere)):
        files.find("missing.safetensors")
