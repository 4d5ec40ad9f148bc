"""What every template has to do, read off its two forms; nothing is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
NAMES = sorted(path.stem for path in (WORKFLOWS / "api").glob("*.json"))


def api(name: str) -> dict[str, dict[str, Any]]:
    return json.loads((WORKFLOWS / "api" / f"{name}.json").read_text(encoding="utf-8"))


def linked(name: str) -> set[tuple[str, int, str, str]]:
    """The links of the drawn form: (from type, output, to type, input)."""
    drawn = json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
    nodes, links = {node["id"]: node for node in drawn["nodes"]}, drawn["links"]
    for number, source, output, target, slot, _ in links:
        assert number in nodes[source]["outputs"][output]["links"] and nodes[target]["inputs"][slot]["link"] == number
    return {(nodes[source]["type"], output, nodes[target]["type"], nodes[target]["inputs"][slot]["name"])
            for _, source, output, target, slot, _ in links}


@pytest.mark.parametrize("name", NAMES)
def test_a_template_that_loads_a_video_keeps_its_sound_and_its_frame_rate(name: str) -> None:
    nodes = api(name)
    sources = [key for key, node in nodes.items() if node["class_type"] == "GetVideoComponents"]
    for node in nodes.values():
        if sources and node["class_type"] == "CreateVideo":
            assert (node["inputs"]["audio"], node["inputs"]["fps"]) == ([sources[0], 1], [sources[0], 2])
            assert ("GetVideoComponents", 1, "CreateVideo", "audio") in linked(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_frame_rate_is_typed_once(name: str) -> None:
    """Whoever knows it hands it on: 3 s more of a clip at 29.97 fps are 90 frames, not 48."""
    nodes = api(name)
    knows = {"GetVideoComponents": 2, "STUNetImageToVideo": 5, "STUNetKeyframes": 5, "STUNetAnimateRegion": 5, "STUNetExtend": 6}
    sources = {key for key, node in nodes.items() if node["class_type"] in knows}
    typed = [key for key, node in nodes.items() if isinstance(node["inputs"].get("fps"), float)]
    if sources:
        assert set(typed) <= sources and len(typed) <= 1
    for node in nodes.values():
        if sources and isinstance(node["inputs"].get("fps"), list):
            source, output = node["inputs"]["fps"]
            assert output == knows[nodes[source]["class_type"]]
