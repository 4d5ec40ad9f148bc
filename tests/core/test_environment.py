"""The set-up: which packages for which machine, what is skipped, and what a failed step says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from launch import environment, server
from launch.environment import SetupError, Step


def wanted(system: str, nvidia: bool) -> list[tuple[str, ...]]:
    return [attempt for step in environment.torch_steps(system, nvidia) for attempt in step.attempts]


def test_a_machine_without_gpu_gets_cpu_builds_first() -> None:
    torch, vision = environment.torch_steps("Linux", nvidia=False)
    assert torch.attempts[0] == ("torch==2.13.0+cpu",)
    assert "--no-deps" in vision.attempts[0], "torchvision must not bring another torch"
    assert vision.check == "import torchvision", "the pair must import together before it counts as installed"


@pytest.mark.parametrize(("system", "nvidia"), [("Linux", True), ("Darwin", False), ("Windows", False)])
def test_elsewhere_the_matching_pair_comes_from_the_default_index(system: str, nvidia: bool) -> None:
    attempts = wanted(system, nvidia)
    assert ("torch==2.13.0",) in attempts
    assert ("torchvision==0.28.0",) in attempts
    assert not any("cpu" in word for attempt in attempts for word in attempt)


def test_windows_with_nvidia_asks_for_cuda() -> None:
    assert all(any("cu1" in word for word in attempt) for attempt in wanted("Windows", True))


def test_the_pack_never_asks_for_torch() -> None:
    requirements = environment.read_lines(environment.ROOT / "requirements.txt")
    assert not [line for line in requirements if line.startswith("torch") or "==" in line or "<" in line]


def test_steps_that_are_done_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    monkeypatch.setattr(environment, "STAMP", tmp_path / "steps.json")
    monkeypatch.setattr(environment, "make_venv", lambda: None)
    monkeypatch.setattr(environment, "unpack_comfyui", lambda: None)
    monkeypatch.setattr(environment, "install", lambda step: installed.append(step.name))
    environment.prepare()
    assert "PyTorch" in installed[0]
    first = len(installed)
    environment.prepare(("train",))
    assert installed[first:] == ["packages for 'train'"]
    stamps = json.loads((tmp_path / "steps.json").read_text())
    stamps["the pack's packages"] = "of another version"
    (tmp_path / "steps.json").write_text(json.dumps(stamps))
    environment.prepare(("train",))
    assert installed[first + 1 :] == ["the pack's packages"]


def use_this_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "LOG", tmp_path / "install.log")
    monkeypatch.setattr(environment, "venv_python", lambda: Path(sys.executable))


def test_without_a_network_the_error_names_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_this_python(tmp_path, monkeypatch)
    nowhere = f"http://127.0.0.1:{server.free_port()}/simple"  # nobody listens there
    step = Step("PyTorch", (("--isolated", "--retries", "0", "--index-url", nowhere, "no-such-package-as-this"),))
    with pytest.raises(SetupError, match=r"step 'PyTorch'.*network"):
        environment.install(step)


def test_a_package_that_does_not_import_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_this_python(tmp_path, monkeypatch)
    with pytest.raises(SetupError, match="step 'broken'") as caught:
        environment.install(Step("broken", (("--dry-run", "pip"),), check="import no_such_module"))
    assert "No module named 'no_such_module'" in str(caught.value)


def test_an_existing_comfyui_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="not a ComfyUI folder"):
        environment.python_of(tmp_path)
    comfyui = tmp_path / "ComfyUI"
    (comfyui / "comfy").mkdir(parents=True)
    (comfyui / "main.py").touch()
    assert environment.python_of(comfyui) == Path(sys.executable)
    beside = tmp_path / ("venv/Scripts/python.exe" if sys.platform == "win32" else "venv/bin/python")
    beside.parent.mkdir(parents=True)
    beside.touch()
    assert environment.python_of(comfyui) == beside


def test_the_models_of_an_existing_comfyui_are_named(tmp_path: Path) -> None:
    (tmp_path / "models" / "checkpoints").mkdir(parents=True)
    config = json.loads(server.models_config(tmp_path, tmp_path).read_text())["existing_comfyui"]
    assert config == {"base_path": str(tmp_path / "models"), "checkpoints": "checkpoints"}


def test_the_pack_is_linked_and_relinked(tmp_path: Path) -> None:
    place = tmp_path / "custom_nodes" / "stunet"
    place.parent.mkdir()
    place.symlink_to(tmp_path, target_is_directory=True)  # as after moving the repository
    server.link_pack(place)
    assert place.resolve() == environment.ROOT
    server.link_pack(place)
    assert (place / "pyproject.toml").is_file()


def test_without_links_the_pack_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "repository"
    for name in ("nodes", ".venv", "output"):
        (root / name).mkdir(parents=True)
    (root / "__init__.py").write_text("old")
    monkeypatch.setattr(server, "ROOT", root)

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("no right to symlink")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    place = tmp_path / "stunet"
    server.link_pack(place)
    (root / "__init__.py").write_text("new")
    server.link_pack(place)
    assert (place / "__init__.py").read_text() == "new"
    assert sorted(child.name for child in place.iterdir()) == ["__init__.py", "nodes"]
