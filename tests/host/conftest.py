"""Each workflow of `workflows/api/` is run once in the shared ComfyUI; all tests look at that one result."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from launch.client import Run, Workflow
from launch.server import Server

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"


def api_form(name: str) -> Workflow:
    """The workflow as it is POSTed to /prompt."""
    nodes: Workflow = json.loads((WORKFLOWS / "api" / f"{name}.json").read_text(encoding="utf-8"))
    return nodes


@pytest.fixture(scope="session")
def finished(comfyui: Server) -> Callable[[str], Run]:
    """`finished("text_to_video")` is the run of that workflow, made the first time it is asked for.

    Pictures that a workflow loads lie beside it in `workflows/input/` and are uploaded before.
    """

    @cache
    def run(name: str) -> Run:
        for picture in sorted((WORKFLOWS / "input").glob("*")):
            comfyui.client.upload(picture.name, picture.read_bytes())
        return comfyui.client.submit(api_form(name))

    return run
