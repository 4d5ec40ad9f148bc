"""What every template has to do, read off its two forms; nothing is run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from stunet_core.mini.book import load_book
from stunet_core.mini.prompt.caption import NAMELESS
from stunet_core.mini.prompt.prompt import Prompt
from stunet_core.mini.prompt.reader import read_prompt
from stunet_core.mini.prompt.tables import load_tables
from tools import templates, twins
from tools.arrange import grouped

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
WEIGHTS = WORKFLOWS.parent / "weights"
TITLE = 30  # pixels of a node's title, above its position
ADDED = ("fixed", "image")  # the frontend's own widgets: what becomes of a seed, a button to upload
NAMES = templates.names()
MINI = [name for name in NAMES if name not in twins.NAMES]  # templates for the bundled weights


def api(name: str) -> dict[str, dict[str, Any]]:
    return json.loads(templates.api_form(name).read_text(encoding="utf-8"))


def linked(name: str) -> set[tuple[str, int, str, str]]:
    """The links of the drawn form: (from type, output, to type, input)."""
    drawn = json.loads(templates.drawn_form(name).read_text(encoding="utf-8"))
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
    knows = {"GetVideoComponents": 2, "STUNetImageToVideo": 5, "STUNetKeyframes": 5, "STUNetAnimateRegion": 5, "STUNetExtend": 6,
             "STUNetEmptyClip": 1}
    sources = {key for key, node in nodes.items() if node["class_type"] in knows}
    typed = [key for key, node in nodes.items() if isinstance(node["inputs"].get("fps"), float)]
    assert sources and set(typed) <= sources and len(typed) <= 1
    for node in nodes.values():
        if isinstance(node["inputs"].get("fps"), list):
            source, output = node["inputs"]["fps"]
            assert output == knows[nodes[source]["class_type"]]


def drawn(name: str) -> dict[str, Any]:
    return json.loads(templates.drawn_form(name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_no_link_runs_backwards_and_no_node_covers_another(name: str) -> None:
    workflow = drawn(name)
    nodes = {node["id"]: node for node in workflow["nodes"]}
    for _, source, _, target, _, _ in workflow["links"]:
        left, right = nodes[source], nodes[target]
        assert left["pos"][0] + left["size"][0] < right["pos"][0], (left["type"], right["type"])
    boxes = [(x, y - TITLE, x + width, y + height) for (x, y), (width, height) in ((node["pos"], node["size"]) for node in nodes.values())]
    for k, (x0, y0, x1, y1) in enumerate(boxes):
        for left, top, right, bottom in boxes[:k]:
            assert x1 <= left or right <= x0 or y1 <= top or bottom <= y0, "two nodes overlap"


@pytest.mark.parametrize("name", NAMES)
def test_every_node_stands_in_one_group_that_says_what_it_is_for(name: str) -> None:
    workflow = drawn(name)
    frames = {group["title"]: group["bounding"] for group in workflow["groups"]}
    titles = {node["id"]: title for title, nodes in grouped(workflow).items() for node in nodes}
    assert len(frames) == len(workflow["groups"])
    for node in workflow["nodes"]:
        (x, y), (width, height) = node["pos"], node["size"]
        inside = [title for title, (left, top, across, high) in frames.items()
                  if left <= x and x + width <= left + across and top <= y - TITLE and y + height <= top + high]
        assert inside == ([] if node["type"] == "MarkdownNote" else [titles[node["id"]]])
    boxes = [(x, y, x + width, y + height) for x, y, width, height in frames.values()]
    for k, (x0, y0, x1, y1) in enumerate(boxes):
        for left, top, right, bottom in boxes[:k]:
            assert x1 <= left or right <= x0 or y1 <= top or bottom <= y0, "two groups overlap"


@pytest.mark.parametrize("name", NAMES)
def test_the_drawn_form_says_what_the_api_form_says(name: str) -> None:
    """Values of widgets are a list without names: those of the API form stand there in their inputs' order."""
    workflow, nodes = drawn(name), api(name)
    by_id = {str(node["id"]): node for node in workflow["nodes"] if node["type"] != "MarkdownNote"}
    assert by_id.keys() == nodes.keys()
    links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    for key, node in by_id.items():
        said = nodes[key]["inputs"]
        assert {slot["name"]: links[slot["link"]] for slot in node["inputs"] if slot["link"]} == {
            label: value for label, value in said.items() if isinstance(value, list)}
        widgets = [slot for slot in node["inputs"] if "widget" in slot]
        assert "image" not in node["widgets_values"][:-1], "the button to upload stands behind all values"
        values = [value for value in node["widgets_values"] if value not in ADDED]
        assert len(values) == len(widgets)
        assert [value for slot, value in zip(widgets, values, strict=True) if not slot["link"]] == [
            said[slot["name"]] for slot in widgets if not slot["link"]]


@pytest.mark.parametrize("name", MINI)
def test_what_is_made_fits_the_mini_model(name: str) -> None:
    """It draws 256x256, with latents of its own, and its guidance is 1.5 to 2.5; things are placed as surely as it learned."""
    for node in api(name).values():
        inputs, kind = node["inputs"], node["class_type"]
        if kind == "STUNetEmptyClip":
            assert inputs["model"] == [loader(name), 0]
        for label in ("width", "height", "size"):
            assert inputs.get(label, 256) in (256, "fit the model"), (kind, label)
        assert 1.5 <= inputs.get("cfg", 2.5) <= 2.5
        if kind == "STUNetPlaces":
            assert inputs["strength"] == 1.0


def loader(name: str) -> str:
    (found,) = [key for key, node in api(name).items() if node["class_type"] == "STUNetLoadMini"]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_nothing_but_the_packs_examples(name: str) -> None:
    """So it runs right after installing; and they are of the model's size. A mask is taken as a MASK, a picture as an IMAGE."""
    nodes = api(name)
    assert not any(node["class_type"].startswith(("LoadImage", "LoadVideo")) for node in nodes.values())
    for key, node in nodes.items():
        if node["class_type"] == "STUNetExamplePicture":
            with Image.open(WORKFLOWS / "input" / node["inputs"]["image"]) as picture:
                size, mask = picture.size, picture.mode == "L"
            assert size == (256, 256)
            taken = {value[1] for other in nodes.values() for value in other["inputs"].values()
                     if isinstance(value, list) and value[0] == key}
            assert taken == {1 if mask else 0}
        if node["class_type"] == "STUNetExampleClip":
            with av.open(str(WORKFLOWS / "input" / node["inputs"]["file"])) as file:
                assert (file.streams.video[0].width, file.streams.video[0].height, file.streams.video[0].frames) == (256, 256, 48)


@pytest.mark.parametrize("name", NAMES)
def test_its_note_says_what_takes_the_examples_place(name: str) -> None:
    (note,) = [node["widgets_values"][0] for node in drawn(name)["nodes"] if node["type"] == "MarkdownNote"]
    kinds = {node["class_type"] for node in api(name).values()}
    pictures = [node for node in api(name).values() if node["class_type"] == "STUNetExamplePicture"
                and not node["inputs"]["image"].endswith(("_mask.png", "_first.png", "_water.png"))]
    assert ("*Load Video*" in note) == ("STUNetExampleClip" in kinds)
    assert ("*Load Image* in the place of" in note) == bool(pictures)
    assert "copy" not in note and "workflows/input" not in note


@pytest.mark.parametrize("name", list(twins.PROMPTS))
def test_a_twin_is_its_template_with_another_model(name: str) -> None:
    """And asks for nothing that only the bundled weights have."""
    assert api(twins.name_of(name)) == twins.twin(name, api(name)), "python -m tools.twins writes it anew"
    kinds = {node["class_type"] for node in api(twins.name_of(name)).values()}
    assert "CheckpointLoaderSimple" in kinds and not kinds & {"STUNetLoadMini", "STUNetPlaces", "STUNetThingFromPicture"}


def test_no_input_lies_there_for_nothing() -> None:
    used = {value for name in NAMES for node in api(name).values() for value in node["inputs"].values() if isinstance(value, str)}
    assert {path.name for path in (WORKFLOWS / "input").iterdir()} <= used


@pytest.fixture(scope="module")
def read() -> Callable[[str, tuple[str, ...]], Prompt]:
    book = load_book(WEIGHTS / "book.safetensors")
    tables = load_tables(book, WEIGHTS / "words.tsv.gz")
    return lambda text, own: read_prompt(text, book, tables, own)


@pytest.mark.parametrize("name", MINI)
def test_its_prompts_are_understood_to_the_last_word(name: str, read: Callable[[str, tuple[str, ...]], Prompt]) -> None:
    """What is left out, or read as another word, would be a note; a thing that the model never learned has no name there."""
    texts = [node["inputs"][label] for node in api(name).values() for label in ("text", "caption") if label in node["inputs"]]
    own = ("auto",) * sum(node["class_type"] == "STUNetThingFromPicture" for node in api(name).values())
    assert texts
    for text in texts:
        prompt = read(text, own if text else ())
        assert (prompt.unknown, prompt.ignored) == ((), ()), text
        assert bool(prompt.things) == bool(text), text
        if own:
            assert all(thing.own is not None for thing in prompt.things), text
        else:
            assert prompt.notes == () and NAMELESS not in prompt.text, text
