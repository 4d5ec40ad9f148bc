"""Loads ComfyUI into this process and the pack into it, the way ComfyUI loads a custom node."""

from __future__ import annotations

import asyncio
import importlib
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from launch.environment import COMFYUI
from launch.server import PACK_NAME, prepare_base


@dataclass(frozen=True)
class Pack:
    """The loaded pack: `nodes` are ComfyUI's node classes by name, core's among them."""

    name: str
    nodes: dict[str, Any]

    def module(self, path: str) -> ModuleType:
        """A module of the pack, e.g. `module("nodes.host")`: the one the nodes use, not a second copy of it."""
        return importlib.import_module(f"{self.name}.{path}")


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    base = tmp_path_factory.mktemp("base")
    prepare_base(base)
    sys.path.insert(0, str(COMFYUI))  # before the repository: ComfyUI's `nodes` is a module, ours a folder
    arguments = importlib.import_module("comfy.cli_args").args
    arguments.cpu = True
    arguments.base_directory = str(base)
    core = importlib.import_module("nodes")
    place = str(base / "custom_nodes" / PACK_NAME)
    assert asyncio.run(core.load_custom_node(place)), "ComfyUI could not load the pack; its log says why"
    return Pack(place.replace(".", "_x_"), core.NODE_CLASS_MAPPINGS)
