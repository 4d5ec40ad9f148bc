"""The template in ComfyUI's own user interface, on both canvases: it loads, it says what its API form says, it runs."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Page, expect

from launch.server import PACK_NAME
from tests.browser.conftest import Complaints
from tools import templates

NAMES = templates.names()

LOAD = """async (address) => {
    const answer = await fetch(address)
    await window.app.loadGraphData(await answer.json())
}"""
API_FORM = "async () => (await window.app.graphToPrompt()).output"
SET_WIDGETS = """(values) => {
    for (const node of window.app.graph.nodes)
        for (const widget of node.widgets ?? [])
            if (widget.name in values) widget.value = values[widget.name]
}"""
LISTEN = """() => {
    window.outcome = null
    for (const name of ['execution_success', 'execution_error', 'execution_interrupted'])
        window.comfyAPI.api.api.addEventListener(name, (event) => {
            window.outcome = [name, event.detail?.exception_message ?? '']
        })
}"""


def load(page: Page, name: str) -> None:
    """Open a template as the template browser does."""
    page.evaluate(LOAD, f"/api/workflow_templates/{PACK_NAME}/{quote(templates.drawn_form(name).name)}")


def without_titles(nodes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {"class_type": n["class_type"], "inputs": n["inputs"]} for name, n in nodes.items()}


def as_asked(drawn: dict[str, dict[str, Any]], shipped: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """`drawn` without what newer ComfyUIs ask of core's nodes beyond `shipped`; there "codec" is "format.codec"."""
    def inputs(name: str, node: dict[str, Any]) -> dict[str, Any]:
        if node["class_type"].startswith("STUNet") or name not in shipped:
            return node["inputs"]
        deepest = sorted(node["inputs"].items(), key=lambda item: item[0].count("."))  # last, and so it counts
        plain = {key.split(".")[-1]: value for key, value in deepest}
        return {key: value for key, value in plain.items() if key in shipped[name]["inputs"]}

    return {name: {**node, "inputs": inputs(name, node)} for name, node in drawn.items()}


def test_templates_mean_the_same_as_their_api_forms_and_run(canvas: Page, complaints: Complaints) -> None:
    """One opened page for all of it: opening it is what takes the time."""
    for name in NAMES:
        load(canvas, name)
        shipped = json.loads(templates.api_form(name).read_text(encoding="utf-8"))
        shipped = without_titles(shipped)
        assert as_asked(without_titles(canvas.evaluate(API_FORM)), shipped) == shipped, name
    load(canvas, "text_to_video")
    # A short variation, and a file name of its own so that ComfyUI does not answer from its cache.
    widgets = {"seconds": 0.25, "steps": 1, "filename_prefix": f"browser/{canvas.evaluate('Date.now()')}"}
    canvas.evaluate(SET_WIDGETS, widgets)
    canvas.evaluate(LISTEN)
    canvas.get_by_test_id("queue-button").click()
    canvas.wait_for_function("() => window.outcome")
    assert canvas.evaluate("window.outcome") == ["execution_success", ""]
    assert complaints.lines == []


def test_the_help_of_a_node_opens(canvas: Page) -> None:
    load(canvas, "text_to_video")
    canvas.evaluate("""() => {
        const node = window.app.graph.nodes.find((node) => node.type === 'STUNetApply')
        window.app.canvas.selectNode(node)
        window.app.canvas.centerOnNode(node)
    }""")
    canvas.get_by_test_id("info-button").click()
    expect(canvas.locator(".node-help-content")).to_contain_text("STUNet")
