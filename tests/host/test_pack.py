"""What ComfyUI and its frontend find of the pack: nodes with tooltips, templates, help pages, translations."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from launch.client import Client, WorkflowRejected
from launch.server import PACK_NAME, Server

ROOT = Path(__file__).resolve().parents[2]


def our_nodes(client: Client) -> dict[str, dict]:
    return {name: node for name, node in client.json("/object_info").items() if name.startswith("STUNet")}


def test_it_loads_without_a_word_of_complaint(comfyui: Server, client: Client) -> None:
    assert our_nodes(client)
    log = comfyui.log_tail(10_000)
    ours = rf"custom_nodes[/\\]{PACK_NAME}\b"  # the repository's own folder may have any name, and stands in core's own lines too
    assert not re.search(rf"(Cannot import|WARNING|IMPORT FAILED).*{ours}", log)
    assert re.search(rf"seconds:.*{ours}", log), "ComfyUI's table of custom nodes names the pack"


def test_every_node_and_every_input_and_output_says_what_it_is(client: Client) -> None:
    for name, node in our_nodes(client).items():
        assert node["description"].strip(), name
        assert node["category"].startswith("STUNet"), name
        assert node["python_module"].startswith("custom_nodes"), name
        shown = [group for kind, group in node["input"].items() if kind != "hidden"]  # those ComfyUI fills in itself
        for group in shown:
            for label, (_, options) in group.items():
                assert options.get("tooltip", "").strip(), f"{name}.{label} has no tooltip"
        tooltips = node.get("output_tooltips") or [None] * len(node["output"])
        assert all(tooltips), f"{name}: an output has no tooltip"


def test_every_node_has_a_help_page(client: Client) -> None:
    for name in our_nodes(client):
        page = client.request(f"/extensions/{PACK_NAME}/docs/{name}.md").decode()
        assert page.lstrip().startswith("#"), name


def test_templates_are_listed_with_their_pictures(client: Client) -> None:
    listed = client.json("/api/workflow_templates")[PACK_NAME]
    assert sorted(listed) == sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))
    for name in listed:
        address = f"/api/workflow_templates/{PACK_NAME}/{quote(name)}"
        assert client.json(f"{address}.json")["nodes"]
        assert client.request(f"{address}.jpg")[:2] == b"\xff\xd8"  # a JPEG


def test_translations_name_only_our_nodes_and_inputs(client: Client) -> None:
    nodes = our_nodes(client)
    for language, texts in client.json("/i18n").items():
        for name, node in texts.get("nodeDefs", {}).items():
            if name.startswith("STUNet"):
                known = {label for group in nodes[name]["input"].values() for label in group}
                assert set(node.get("inputs", {})) <= known, f"{language}: {name}"


def test_a_refused_workflow_names_the_node_and_the_server_stays_healthy(client: Client) -> None:
    nodes = {"1": {"class_type": "STUNetEmptyClip", "inputs": {"width": 100, "height": 128, "seconds": 5, "fps": 16}}}
    nodes["2"] = {"class_type": "SaveLatent", "inputs": {"samples": ["1", 0], "filename_prefix": "x"}}
    with pytest.raises(WorkflowRejected, match=r"STUNetEmptyClip.*\n?.*width"):
        client.submit(nodes)
    assert client.json("/system_stats")
