"""Fixtures for every folder: one headless ComfyUI with the pack, shared by all tests that need a server."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from launch.client import Client
from launch.server import Server

ROOT = Path(__file__).resolve().parent.parent
# Without these a dialog for newcomers covers the canvas.
SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.InstalledVersion": "1.32.9"}


class RootIsNotATestPackage:
    """Keeps pytest from importing the repository's `__init__.py`, which only ComfyUI can: it holds the nodes."""

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == ROOT else None


def pytest_configure(config: pytest.Config) -> None:
    """A terminated run stops its ComfyUI as Ctrl-C does."""
    config.pluginmanager.register(RootIsNotATestPackage())

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def comfyui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ComfyUI on a free port whose only custom node is this pack; what it prints is in `comfyui.log`."""
    base = tmp_path_factory.mktemp("comfyui")
    with Server(Path(sys.executable), base=base, settings=SETTINGS, arguments=["--preview-method", "auto"],
                log=base / "comfyui.log") as server:
        yield server


@pytest.fixture
def client(comfyui: Server) -> Client:
    """The HTTP client of the shared ComfyUI."""
    return comfyui.client
