"""Each workflow of `workflows/api/` is run once in the shared ComfyUI; all tests look at that one result."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from launch.client import Run, Workflow
from launch.server import Server
from tools import templates

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"


def api_form(name: str) -> Workflow:
    """The workflow as it is POSTed to /prompt."""
    nodes: Workflow = json.loads(templates.api_form(name).read_text(encoding="utf-8"))
    return nodes


def watched(nodes: Workflow) -> Workflow:
    """`nodes`, and PNGs of the pixels around its Composite: "made", "original" and "mask" go in, "done" comes out."""
    saved: dict[str, list] = {}
    for name, node in nodes.items():
        if node["class_type"] == "STUNetComposite":
            given = node["inputs"]
            nodes = nodes | {"white": {"class_type": "MaskToImage", "inputs": {"mask": given["mask"]}}}
            saved = {"made": given["frames"], "original": given["original"], "mask": ["white", 0], "done": [name, 0]}
    return nodes | {name: {"class_type": "SaveImage", "inputs": {"images": images, "filename_prefix": f"watched/{name}"}}
                    for name, images in saved.items()}


@pytest.fixture(scope="session")
def finished(comfyui: Server) -> Callable[[str], Run]:
    """`finished("text_to_video")` is the run of that workflow, made the first time it is asked for.

    It runs as after a normal install: nothing is put into ComfyUI's input folder, which is emptied of the pack's files. What goes
    into and comes out of its Composite is saved besides, as PNGs: see `watched`.
    """

    @cache
    def run(name: str) -> Run:
        for file in (WORKFLOWS / "input").iterdir():
            (comfyui.base / "input" / file.name).unlink(missing_ok=True)
        return comfyui.client.submit(watched(api_form(name)))

    return run
