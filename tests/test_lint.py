"""Ruff and mypy are part of the suite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from launch.server import link_pack

ROOT = Path(__file__).resolve().parent.parent


def tool(*arguments: str, **environment: str) -> None:
    """Run a tool of this environment; fails with what it printed."""
    result = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_ruff() -> None:
    tool("ruff", "check", ".")


def test_mypy_of_what_is_imported_from_the_root() -> None:
    tool("mypy")


def test_mypy_of_the_pack(tmp_path: Path) -> None:
    """The nodes import each other relatively, as a package whose name ComfyUI chooses."""
    link_pack(tmp_path / "pack")
    tool("mypy", "-p", "pack.nodes", "-m", "pack", MYPYPATH=str(tmp_path))
