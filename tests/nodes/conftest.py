"""Loads ComfyUI into this process and the pack into it, the way ComfyUI loads a custom node."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from launch.environment import COMFYUI
from launch.server import PACK_NAME, prepare_base
from tests.core.motion_files import published, skeleton
from tests.nodes import nets
from tests.tiny import write_weights


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


@dataclass(frozen=True)
class Graph:
    """Runs nodes as ComfyUI does, on tiny random weights that lie in the user's `stunet` folder."""

    pack: Pack
    weights: Path

    def run(self, node: str, **inputs: Any) -> tuple:
        """The outputs of a node, ours or core's."""
        found = self.pack.nodes[node]
        if hasattr(found, "EXECUTE_NORMALIZED"):
            return tuple(found.EXECUTE_NORMALIZED(**inputs).args)
        return tuple(getattr(found(), found.FUNCTION)(**inputs))

    def mini(self) -> tuple:
        return self.run("STUNetLoadMini", weights="mini.safetensors")

    def apply(self, model: Any, weights: str = "mini_stunet.safetensors", **inputs: Any) -> Any:
        settings = {"model": model, "weights": weights, "strength": 1.0, "loop": False}
        return self.run("STUNetApply", **settings | inputs)[0]

    def prompt(self, clip: Any, text: str) -> list:
        return self.run("CLIPTextEncode", clip=clip, text=text)[0]

    def sample(self, model: Any, clip: Any, samples: torch.Tensor, node: str = "KSampler", **inputs: Any) -> Any:
        """Latents after a few steps of core's KSampler or ours."""
        settings = {"seed": 5, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
        settings |= {"positive": self.prompt(clip, "a rocket flying up"), "negative": self.prompt(clip, "")}
        latent = "latent_image" if node == "KSampler" else "latent"
        return self.run(node, **settings | {"model": model, latent: {"samples": samples}} | inputs)[0]["samples"]


@pytest.fixture
def graph(pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    """In float32, so that equal means equal, and in inference mode, as ComfyUI runs nodes."""
    folder_paths = importlib.import_module("folder_paths")
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "stunet", ([str(tmp_path)], {".safetensors"}))
    monkeypatch.setattr(importlib.import_module("comfy.cli_args").args, "fp32_unet", True)
    write_weights(tmp_path)
    with torch.inference_mode():
        yield Graph(pack, tmp_path)


@pytest.fixture(scope="session")
def motion_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Motion modules with tables of four frames, and one as it is before training: its last projections are zero."""
    folder = tmp_path_factory.mktemp("animatediff_models")
    made = skeleton(nets.LEVELS["SD15"], middle=True, positions=4)
    save_file(published(made), folder / "v2.safetensors")
    for name, parameter in made.named_parameters():
        if "proj_out" in name:
            parameter.zero_()
    save_file(published(made), folder / "fresh.safetensors")
    save_file(published(skeleton(nets.LEVELS["SDXL"], positions=4), layout="HotshotXL"), folder / "hotshot.safetensors")
    return folder


@pytest.fixture
def modules(motion_modules: Path, graph: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same as the user's `animatediff_models` folder."""
    folder_paths = importlib.import_module("folder_paths")
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "animatediff_models",
                        ([str(motion_modules)], {".safetensors", ".ckpt"}))
    return motion_modules
