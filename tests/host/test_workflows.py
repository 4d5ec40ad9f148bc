"""The shipped workflows, executed as they are in a real ComfyUI over HTTP, and what they saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from launch.client import Client, Run
from stunet_core.editing.mask_path import between, read_boxes
from tests.host.conftest import WORKFLOWS, api_form
from tests.host.video import decode
from tools import templates, twins
from training.judges.judges import Judges
from training.judges.looks import Gallery, cut, embed
from training.judges.nets import MASK
from training.world import BACKGROUNDS, MOTIONS, STYLES

NAMES = templates.names()
# What the frontend draws without the server knowing a node of that name.
DRAWN_BY_THE_FRONTEND = {"Note", "MarkdownNote", "Reroute", "PrimitiveNode"}


def test_there_are_workflows_each_in_both_forms_with_a_picture() -> None:
    assert sorted(path.stem for path in (WORKFLOWS / "api").glob("*.json")) == sorted(NAMES)
    for kind, file in (("json", templates.drawn_form), ("jpg", templates.picture)):
        assert sorted(WORKFLOWS.glob(f"*.{kind}")) == [file(name) for name in NAMES], "text to video first"


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_saves_a_file(name: str, finished: Callable[[str], Run], client: Client) -> None:
    files = finished(name).saved()
    assert files, "the workflow saved nothing"
    for file in files:
        assert client.download(file)


@pytest.mark.parametrize("name", NAMES)
def test_it_names_only_registered_nodes_and_inputs(name: str, client: Client) -> None:
    known = client.json("/object_info")
    for node in api_form(name).values():
        assert set(node["inputs"]) <= inputs_of(known[node["class_type"]]), node["class_type"]
    drawn = json.loads(templates.drawn_form(name).read_text(encoding="utf-8"))
    for node in drawn["nodes"]:
        if node["type"] not in DRAWN_BY_THE_FRONTEND:
            named = {slot["name"] for slot in node.get("inputs", [])}
            assert named <= inputs_of(known[node["type"]]), node["type"]
            outputs = [slot["name"] for slot in node.get("outputs", [])]
            now = known[node["type"]]["output_name"]
            assert outputs == (now if node["type"].startswith("STUNet") else now[:len(outputs)]), node["type"]  # core may add some


def inputs_of(node: dict[str, Any]) -> set[str]:
    """The names of a node's inputs, from /object_info."""
    return {name for group in node["input"].values() for name in group}


def test_text_to_video_is_80_frames_of_something_that_moves(finished: Callable[[str], Run], client: Client) -> None:
    (file,) = finished("text_to_video").saved()
    assert Path(file.filename).suffix == ".mp4"
    video = decode(client.download(file))
    assert video.codec == "h264"
    assert video.fps == 16
    assert video.frames.shape == (80, 256, 256, 3)
    pixels = video.frames.astype(np.float32)
    assert pixels.std(axis=(1, 2)).mean(axis=-1).min() > 8, "a frame is blank"
    change = np.abs(np.diff(pixels, axis=0)).mean(axis=(1, 2, 3))
    assert change.max() < 60, "two frames have nothing in common"
    assert change.mean() < 4, "it boils: 9.8 without Steady Clip, 1.8 with it"
    assert np.abs(pixels[0] - pixels[-1]).mean() > 2, "nothing moved"


def test_text_to_video_shows_what_its_prompt_says_and_moves_as_it_says(
    finished: Callable[[str], Run], client: Client
) -> None:
    """By the trained judges, who know 160 objects; `run.py bench quality` says how often each is right over many prompts."""
    texts = [node["inputs"]["text"] for node in api_form("text_to_video").values() if "text" in node["inputs"]]
    assert "a 3d style rocket flying up on a purple background" in texts
    (file,) = finished("text_to_video").saved()
    judges = Judges.load()
    frames = decode(client.download(file)).frames
    seen = judges.look(frames)
    assert (seen.background.argmax(axis=1) == BACKGROUNDS.index("purple")).mean() > 0.9
    assert (seen.object.argmax(axis=1) == judges.objects.index("rocket")).mean() > 0.5
    assert (seen.style.argmax(axis=1) == STYLES.index("3d")).mean() > 0.5
    assert MOTIONS[int(judges.motions([frames])[0].argmax())] == "up"


def test_a_thing_keeps_to_the_path_it_is_placed_on(finished: Callable[[str], Run], client: Client) -> None:
    """The judges find the thing where the boxes of Mask Path are, in every frame, and no path else is like it."""
    (inputs,) = [node["inputs"] for node in api_form("thing_on_a_path").values() if node["class_type"] == "STUNetMaskPath"]
    times, boxes = [int(time) for time in inputs["times"].split(",")], read_boxes(inputs["boxes"])
    path = between(times, boxes, 80, inputs["pace"])
    (file,) = finished("thing_on_a_path").saved()
    judges = Judges.load()
    frames = decode(client.download(file)).frames
    found = judges.track(frames)
    off, backwards = (np.linalg.norm(found - middle, axis=1) for middle in (each[:, :2] + each[:, 2:] / 2 for each in (path, path[::-1])))
    assert off.mean() < 18 and off.max() < 48, "pixels"
    assert backwards.mean() > 40
    seen = judges.look(frames)
    assert (seen.object.argmax(axis=1) == judges.objects.index("apple")).mean() > 0.5
    assert (seen.background.argmax(axis=1) == BACKGROUNDS.index("blue")).mean() > 0.9


def test_a_line_drawing_of_a_car_gives_the_words_for_line_drawings(finished: Callable[[str], Run], client: Client) -> None:
    """The prompt names no style; without the words the same clip is a red mushroom with white spots."""
    (file,) = finished("style_words").saved()
    judges = Judges.load()
    frames = decode(client.download(file)).frames
    seen = judges.look(frames)
    assert (seen.style.argmax(axis=1) == STYLES.index("line")).mean() > 0.9
    assert (seen.object.argmax(axis=1) == judges.objects.index("mushroom")).mean() > 0.5
    assert (seen.background.argmax(axis=1) == BACKGROUNDS.index("blue")).mean() > 0.9
    assert MOTIONS[int(judges.motions([frames])[0].argmax())] == "left"


def test_a_drawing_of_ones_own_moves_as_its_prompt_says(finished: Callable[[str], Run], client: Client) -> None:
    """A mascot that no book has: among the pictures of 160 things and its own, each frame's thing looks most like its own."""
    judges = Judges.load()
    (file,) = finished("thing_from_picture").saved()
    frames = decode(client.download(file)).frames
    assert frames.shape == (80, 256, 256, 3)
    assert (judges.look(frames).background.argmax(axis=1) == BACKGROUNDS.index("grass")).mean() > 0.9
    across, high = np.ptp(judges.track(frames), axis=0)
    assert high > 20 and high > 3 * across, "it jumps; pixels of 256"
    mascot = np.asarray(Image.open(WORKFLOWS / "input" / "stunet_mascot.png").convert("RGB"))
    where = cv2.resize(np.asarray((mascot < 250).any(axis=-1), np.float32), (MASK, MASK), interpolation=cv2.INTER_AREA)
    others = judges.gallery(judges.objects, "flat")
    among = Gallery(("mascot", *others.names), torch.cat([embed(judges.looks, [cut(mascot, where)]), others.vectors]))
    assert np.mean([name == "mascot" for name in judges.nearest(frames[::8], among)]) > 0.5


@pytest.mark.parametrize("name", twins.NAMES)
def test_a_twin_for_sd15_makes_a_clip_of_what_it_is_given(name: str, finished: Callable[[str], Run], client: Client) -> None:
    """Of a small checkpoint of random weights, so nothing is drawn: frames are there, of the right size, and given pixels stay."""
    (file,) = finished(name).saved()
    frames = decode(client.download(file)).frames.astype(np.float32)
    assert frames.shape == ({"extend_sd15": 10}.get(name, 5), 64, 96 if name == "outpaint_sd15" else 64, 3)
    assert frames.std(axis=(1, 2)).mean(axis=-1).min() > 4, "a frame is blank"
    if name == "image_to_video_sd15":
        rocket = np.asarray(Image.open(WORKFLOWS / "input" / "stunet_rocket.png").convert("RGB"))
        given = cv2.resize(rocket, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
        assert np.abs(frames[0] - given).mean() < 8 < np.abs(frames[-1] - given).mean(), "grey levels, after the codec"


def test_cores_nodes_make_the_same_clip(finished: Callable[[str], Run], client: Client) -> None:
    ours, cores = (decode(client.download(finished(name).saved()[0])).frames for name in ("text_to_video", "text_to_video_core_ksampler"))
    assert np.array_equal(ours, cores)


def test_the_same_workflow_again_is_the_same_clip(finished: Callable[[str], Run], client: Client) -> None:
    """Nothing of an earlier run stays in the model: a short variation, run before and after another seed."""
    nodes = api_form("text_to_video")
    shorten(nodes, seconds=0.5, steps=2)
    pictures: list[np.ndarray] = []
    for seed in (1, 2, 1):
        set_input(nodes, ("seed", "noise_seed"), seed)
        # Another file name, or ComfyUI answers from its cache.
        set_input(nodes, ("filename_prefix",), f"again/{len(pictures)}")
        (file,) = client.submit(nodes).saved()
        pictures.append(decode(client.download(file)).frames)
    assert pictures[0].shape[0] == 8
    assert np.array_equal(pictures[0], pictures[2])
    assert not np.array_equal(pictures[0], pictures[1])


def test_a_workflow_from_before_later_inputs_still_runs(client: Client) -> None:
    """As it was for the first mini model: 128 pixels, and no MODEL in Empty Clip, which did not hand on its frame rate."""
    nodes = api_form("text_to_video")
    for node in nodes.values():
        if node["class_type"] == "STUNetApply":
            node["inputs"] = {name: node["inputs"][name] for name in ("model", "weights", "strength", "loop")}
        if node["class_type"] == "STUNetEmptyClip":
            node["inputs"] = {"width": 128, "height": 128, "seconds": 5.0, "fps": 16.0}
        if node["class_type"] == "CreateVideo":
            node["inputs"]["fps"] = 16.0
    shorten(nodes, seconds=0.5, steps=1)
    (file,) = client.submit(nodes).saved()
    assert decode(client.download(file)).frames.shape == (8, 128, 128, 3)


def shorten(nodes: dict[str, dict[str, Any]], *, seconds: float, steps: int) -> None:
    set_input(nodes, ("seconds",), seconds)
    set_input(nodes, ("steps",), steps)


def set_input(nodes: dict[str, dict[str, Any]], names: tuple[str, ...], value: Any) -> None:
    """Set every input of one of these names that is a value and not a link."""
    for node in nodes.values():
        for name in names:
            if name in node["inputs"] and not isinstance(node["inputs"][name], list):
                node["inputs"][name] = value
