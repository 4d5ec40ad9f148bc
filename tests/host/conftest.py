"""Each workflow of `workflows/api/` is run once in the shared ComfyUI; all tests look at that one result."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from launch.client import Run, Workflow
from launch.server import Server
from tools import templates, twins

SMALL = {"upscale_method": "area", "width": 64, "height": 64, "crop": "disabled"}
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


def lighter(nodes: Workflow) -> Workflow:
    """A twin for SD1.5 as small as a CPU can run in seconds: 5 frames of 64x64, 2 steps."""
    small = {"steps": 2, "seconds": 0.3, "width": 64, "height": 64, "overlap": 4, "size": "keep", "left": 16, "right": 16}
    for node in nodes.values():
        node["inputs"] |= {label: value for label, value in small.items() if label in node["inputs"]}
    for name, node in list(nodes.items()):
        if node["class_type"] == "GetVideoComponents":
            instead(nodes, [name, 0], {"class_type": "ImageFromBatch", "inputs": {"image": [name, 0], "batch_index": 0, "length": 5}})
            scale(nodes, [f"{name} 0", 0])
        if node["class_type"] == "STUNetExamplePicture":
            scale(nodes, [name, 0])
            nodes[f"{name} picture"] = {"class_type": "MaskToImage", "inputs": {"mask": [name, 1]}}
            nodes[f"{name} small"] = {"class_type": "ImageScale", "inputs": {**SMALL, "image": [f"{name} picture", 0]}}
            back = {"class_type": "ImageToMask", "inputs": {"image": [f"{name} small", 0], "channel": "red"}}
            instead(nodes, [name, 1], back, but=f"{name} picture")
    return nodes


def scale(nodes: Workflow, output: list[Any]) -> None:
    """Let all see 64x64 pixels of an IMAGE."""
    instead(nodes, output, {"class_type": "ImageScale", "inputs": {**SMALL, "image": output}})


def instead(nodes: Workflow, output: list[Any], node: dict[str, Any], but: str = "") -> None:
    """Give what `node` makes of an output to all that took that output, `but` one."""
    new = f"{output[0]} {output[1]}"
    for name, other in nodes.items():
        if name != but:
            other["inputs"] = {label: [new, 0] if value == output else value for label, value in other["inputs"].items()}
    nodes[new] = node


@pytest.fixture(scope="session")
def sd15(comfyui: Server) -> None:
    """What templates for a checkpoint of one's own ask for, small and random, in the shared ComfyUI's models folder."""
    subprocess.run([sys.executable, "-m", "tests.host.sd15", str(comfyui.base / "models")], cwd=WORKFLOWS.parent, check=True)


@pytest.fixture(scope="session")
def finished(comfyui: Server, request: pytest.FixtureRequest) -> Callable[[str], Run]:
    """`finished("text_to_video")` is the run of that workflow, made the first time it is asked for.

    Twins for SD1.5 run on a small one. All others run as after a normal install: nothing is put into ComfyUI's input folder, which is
    emptied of the pack's files. What goes into and comes out of its Composite is saved besides, as PNGs: see `watched`.
    """

    @cache
    def run(name: str) -> Run:
        for file in (WORKFLOWS / "input").iterdir():
            (comfyui.base / "input" / file.name).unlink(missing_ok=True)
        if name in twins.NAMES:
            request.getfixturevalue("sd15")
            return comfyui.client.submit(lighter(api_form(name)))
        return comfyui.client.submit(watched(api_form(name)))

    return run
