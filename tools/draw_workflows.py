"""Templates as the frontend draws them, made from their API forms: in groups (`tools/arrange.py`), so that every link runs to the right.

`python -m tools.draw_workflows [NAME ...]` reads `workflows/api/NAME.json` and writes `workflows/TITLE.json` (`tools/templates.py`). What
only the drawn form has stays as it was there: the note and the workflow's id; for a new template give the note's text with `--note`. What
inputs a node has is asked of a headless ComfyUI.
"""

import argparse
import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launch.client import Workflow
from launch.server import Server
from tools import templates
from tools.arrange import arrange

SLOT, WIDGET, TEXT = 20, 25, 90         # heights of a socket, a widget, a text of several lines
WIDTH = 320
WIDTHS = {"CLIPTextEncode": 340, "SaveVideo": 400, "STUNetApply": 340, "STUNetFitStyle": 340, "STUNetFitWords": 340, "STUNetMaskPath": 340,
          "STUNetClipReport": 400, "CreateVideo": 270, "ImageBatch": 270, "ImageStitch": 270}
SHOWS = {"STUNetExamplePicture": 270, "STUNetFrameOfClip": 270, "LoadImage": 270, "LoadImageMask": 270, "LoadVideo": 270, "SaveVideo": 300,
         "STUNetClipReport": 260, "STUNetSampler": 330, "KSampler": 330}  # pixels of what nodes show; samplers the clip in the making
WIDGET_TYPES = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
NOTE = {"flags": {}, "mode": 0, "inputs": [], "outputs": [], "title": "About", "properties": {}, "color": "#432", "bgcolor": "#653"}
NOTE_LINE = 40  # characters of a note that fit in one line, roughly

Info = dict[str, Any]


@dataclass(frozen=True)
class Input:
    """An input of a node's schema. `after`: what the frontend adds behind its value, what becomes of a seed; `last`: what it adds behind
    the values of all inputs, a button to upload."""

    name: str
    type: str
    widget: bool
    optional: bool
    default: Any
    lines: bool
    after: tuple[str, ...]
    last: tuple[str, ...]


def inputs_of(info: Info) -> list[Input]:
    """The inputs of a node in their order, required ones first, from /object_info."""
    out = []
    for group in ("required", "optional"):
        for name, (kind, *more) in info["input"].get(group, {}).items():
            options = more[0] if more else {}
            choices = kind if isinstance(kind, list) else options.get("options")
            type_ = "COMBO" if isinstance(kind, list) else kind
            default = options.get("default", choices[0] if choices else None)
            after = ("fixed",) if options.get("control_after_generate") else ()
            last = ("image",) if any(options.get(key) for key in ("image_upload", "video_upload")) else ()
            widget = type_ in WIDGET_TYPES and not options.get("forceInput")
            out.append(Input(name, type_, widget, group == "optional", default, bool(options.get("multiline")), after, last))
    return out


def linked(value: Any) -> bool:
    return isinstance(value, list)


def size_of(node: dict[str, Any], inputs: Sequence[Input], info: Info) -> list[int]:
    """Width and height of a node, its title not counted."""
    kind = node["class_type"]
    slots = max(sum(not each.widget for each in inputs), len(info["output"]))
    widgets = sum(TEXT if each.lines else WIDGET * (1 + len(each.after + each.last)) for each in inputs if each.widget)
    return [WIDTHS.get(kind, WIDTH), 16 + SLOT * slots + widgets + SHOWS.get(kind, 0)]


def drawn(nodes: Workflow, infos: dict[str, Info], was: dict[str, Any], text: str, name: str) -> dict[str, Any]:
    """The drawn form of a workflow whose note says `text`. `was`: its drawn form until now, or {}."""
    inputs = {key: inputs_of(infos[node["class_type"]]) for key, node in nodes.items()}
    sizes = {key: size_of(node, inputs[key], infos[node["class_type"]]) for key, node in nodes.items()}
    lines = sum(1 + len(line) // NOTE_LINE for line in text.split("\n"))
    note_size = [WIDTH, 40 + 20 * lines]
    links: list[list[Any]] = []
    out = []
    for key, node in nodes.items():
        info = infos[node["class_type"]]
        slots: list[dict[str, Any]] = []
        for each in sorted(inputs[key], key=lambda each: each.widget):
            slot: dict[str, Any] = {"name": each.name, "type": each.type}
            if each.widget:
                slot["widget"] = {"name": each.name}
            slot["link"] = None
            if linked(node["inputs"].get(each.name)):
                source, number = node["inputs"][each.name]
                links.append([len(links) + 1, int(source), number, int(key), len(slots), each.type])
                slot["link"] = len(links)
            if each.optional:
                slot["shape"] = 7
            slots.append(slot)
        outputs = zip(info["output_name"], info["output"], strict=True)
        values: list[Any] = []
        for each in inputs[key]:
            if each.widget:
                value = node["inputs"].get(each.name, each.default)
                values += [each.default if linked(value) else value, *each.after]
        values += [button for each in inputs[key] for button in each.last]
        title = node.get("_meta", {}).get("title")
        out.append({
            "id": int(key), "type": node["class_type"], "pos": [0, 0], "size": sizes[key], "flags": {}, "order": 0, "mode": 0,
            "inputs": slots,
            "outputs": [{"name": label, "type": type_, "links": []} for label, type_ in outputs],
            "properties": {"Node name for S&R": node["class_type"]}, "widgets_values": values,
            **({"title": title} if title and title != info["display_name"] else {})})
    for link, source, number, *_ in links:
        next(node for node in out if node["id"] == source)["outputs"][number]["links"].append(link)
    note_id = next((node["id"] for node in was.get("nodes", []) if node["type"] == "MarkdownNote"), 0)
    if not note_id or str(note_id) in nodes:
        note_id = max(map(int, nodes)) + 1
    out.append({"id": note_id, "type": "MarkdownNote", "pos": [0, 0], "size": note_size, "order": 0, **NOTE,
                "widgets_values": [text]})
    return arrange({
        "id": was.get("id", str(uuid.uuid5(uuid.NAMESPACE_URL, f"stunet/{name}"))), "revision": 0,
        "last_node_id": max(node["id"] for node in out), "last_link_id": len(links), "nodes": out, "links": links, "groups": [],
        "config": {}, "extra": was.get("extra", {"ds": {"scale": 0.7, "offset": [60, 160]}}), "version": 0.4})


def note_of(was: dict[str, Any]) -> str:
    """What the note of a drawn form says."""
    return next(node["widgets_values"][0] for node in was["nodes"] if node["type"] == "MarkdownNote")


def draw(names: Sequence[str], notes: Mapping[str, str]) -> None:
    """Write the drawn forms of templates; `notes` says what some of their notes say from now on."""
    with Server(Path(sys.executable)) as server:
        infos = server.client.json("/object_info")
    for name in names:
        target = templates.drawn_form(name)
        was = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
        nodes = json.loads(templates.api_form(name).read_text(encoding="utf-8"))
        new = drawn(nodes, infos, was, notes[name] if name in notes else note_of(was), name)
        target.write_text(json.dumps(new, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="workflows to draw (default: all)")
    parser.add_argument("--note", help="what the note of the workflows says from now on")
    args = parser.parse_args()
    names = args.names or templates.names()
    draw(names, dict.fromkeys(names, args.note) if args.note else {})


if __name__ == "__main__":
    main()
