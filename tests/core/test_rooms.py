"""The rules of ARCHITECTURE.md: which room may import which, and that the core needs no ComfyUI."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = "stunet_core/"
ARROWS = {  # room -> rooms of the same half that it may import
    "stunet_core/model": set(),
    "stunet_core/checkpoints": {"stunet_core/model"},
    "stunet_core/mini": {"stunet_core/model", "stunet_core/checkpoints"},
    "stunet_core/guidance": set(),
    "stunet_core/editing": {"stunet_core/guidance"},
    "stunet_core/report": {"stunet_core/editing"},
    "nodes/host/runtime": set(),
    "nodes/host/walk": {"nodes/host/runtime"},
    "nodes/host/mini": {"nodes/host/runtime", "nodes/host/walk"},
    "nodes/host/guidance": {"nodes/host/runtime", "nodes/host/walk"},
    "nodes/host/style": {"nodes/host/runtime", "nodes/host/walk", "nodes/host/mini"},
}


def room(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return "/".join(parts[: 3 if parts[:2] == ("nodes", "host") else 2][: len(parts) - 1])


def imported(path: Path) -> set[Path]:
    """The files of ours that a file imports."""
    package, found = path.relative_to(ROOT).parent.parts, set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = (list(package[: len(package) - node.level + 1]) if node.level else []) + (node.module or "").split(".")
        folder = ROOT.joinpath(*(part for part in base if part))
        candidates = [folder.with_suffix(".py"), *(folder / f"{alias.name}.py" for alias in node.names)]
        found |= {file for file in candidates if file.is_file() and ROOT in file.parents}
    return found


def arrows() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for folder in ("stunet_core", "nodes"):
        for path in (ROOT / folder).rglob("*.py"):
            found[room(path)] |= {room(file) for file in imported(path)} - {room(path)}
    return found


def test_arrows_only_run_down() -> None:
    for start, ends in arrows().items():
        half = {end for end in ends if end.startswith((CORE, "nodes/host")) and end.startswith(start.split("/")[0])}
        if start in ARROWS:
            assert half <= ARROWS[start], f"{start} imports {sorted(half - ARROWS[start])}: see ARCHITECTURE.md"
        if start.startswith(CORE):
            assert not {end for end in ends if end.startswith("nodes")}, f"{start} imports nodes"


def test_the_arrows_are_still_needed() -> None:
    """A rule that allows what nobody does is forgotten here."""
    found = arrows()
    unused = {start: ends - found[start] for start, ends in ARROWS.items() if ends - found[start]}
    assert not unused


def test_the_core_is_imported_without_comfyui() -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "stunet_core").rglob("*.py")]
    code = (
        "import importlib, sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0] in ('comfy', 'comfy_api', 'nodes', 'folder_paths'):\n"
        "            raise ImportError(f'the core imports {name}')\n"
        "sys.meta_path.insert(0, Refuse())\n"
        f"for name in {sorted(m.removesuffix('.__init__') for m in modules)!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_folders_stay_small_enough_to_read() -> None:
    for folder in [*(ROOT / "stunet_core").iterdir(), *(ROOT / "nodes" / "host").iterdir()]:
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"] if folder.is_dir() else []
        assert len(files) <= 18, f"{folder.relative_to(ROOT)} holds {len(files)} files: it is two rooms"


def test_every_public_function_of_the_core_says_what_it_does() -> None:
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in (ROOT / "stunet_core").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert not silent
