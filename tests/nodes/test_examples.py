"""The examples are what core's loaders give of the same files, and only the pack's files are read."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from launch.environment import ROOT

FILES = ROOT / "workflows" / "input"
PICTURES = sorted(path.name for path in FILES.glob("*.png"))
MASKS = ("stunet_boat_water.png", "stunet_fox_first.png", "stunet_fox_mask.png")


@pytest.fixture
def examples(graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of examples that may be damaged."""
    folder = tmp_path / "examples"
    shutil.copytree(FILES, folder)
    monkeypatch.setattr(graph.pack.module("nodes.host.runtime.picture_files"), "EXAMPLES", folder)
    return folder


def options(graph: Any, node: str, label: str) -> list[str]:
    return graph.pack.nodes[node].INPUT_TYPES()["required"][label][1]["options"]


def test_every_file_can_be_chosen(graph: Any) -> None:
    assert options(graph, "STUNetExamplePicture", "image") == PICTURES
    assert options(graph, "STUNetExampleClip", "file") == ["stunet_fox.mp4"]
    assert {*PICTURES, "stunet_fox.mp4"} == {path.name for path in FILES.iterdir()}


@pytest.mark.parametrize("name", PICTURES)
def test_load_image_takes_its_place(graph: Any, name: str) -> None:
    """`launch.server.prepare_base` put the same files into ComfyUI's input folder."""
    image, mask = graph.run("STUNetExamplePicture", image=name)
    theirs, blank = graph.run("LoadImage", image=name)
    assert torch.equal(image, theirs)
    if name in MASKS:
        (white,) = graph.run("LoadImageMask", image=name, channel="red")
        assert torch.equal(mask, white) and 0 < mask.mean() < 1
    else:
        assert torch.equal(mask, blank) and not mask.any()


def test_load_video_takes_its_place(graph: Any) -> None:
    core = importlib.import_module("comfy_extras.nodes_video")
    (ours,), (theirs,) = graph.run("STUNetExampleClip", file="stunet_fox.mp4"), core.LoadVideo.EXECUTE_NORMALIZED("stunet_fox.mp4").args
    (images, audio, fps), (expected, _, rate) = (core.GetVideoComponents.EXECUTE_NORMALIZED(video).args for video in (ours, theirs))
    assert images.shape == (48, 256, 256, 3) and torch.equal(images, expected)
    assert (audio, fps) == (None, 16.0) and fps == rate


def test_the_node_shows_the_picture(graph: Any) -> None:
    shown = graph.pack.nodes["STUNetExamplePicture"].EXECUTE_NORMALIZED(image="stunet_boat.png").ui.as_dict()["images"]
    assert [each["type"] for each in shown] == ["temp"]


@pytest.mark.parametrize(("node", "label", "own"), [("STUNetExamplePicture", "image", "Load Image"),
                                                   ("STUNetExampleClip", "file", "Load Video")])
@pytest.mark.parametrize("name", ["../api/inpaint.json", str(ROOT / "README.md"), "mine.png", "clipspace/clipspace-mask-1.png [input]", ""])
def test_no_other_file_is_read(graph: Any, node: str, label: str, own: str, name: str) -> None:
    said = graph.pack.nodes[node].validate_inputs(**{label: name})
    assert said.startswith(f"{label}: the pack has no example {name!r}, but stunet_") and own in said
    with pytest.raises(ValueError, match="the pack has no example"):
        graph.run(node, **{label: name})


@pytest.mark.parametrize(("node", "label", "name"), [("STUNetExamplePicture", "image", "stunet_boat.png"),
                                                    ("STUNetExampleClip", "file", "stunet_fox.mp4")])
@pytest.mark.parametrize("size", [0, 300, 3000])
def test_a_damaged_file_is_named(graph: Any, examples: Path, node: str, label: str, name: str, size: int) -> None:
    path = examples / name
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=rf"^{label}: .*{name} is no .*, or damaged"):
        graph.run(node, **{label: name})


@pytest.mark.parametrize(("node", "label", "name"), [("STUNetExamplePicture", "image", "stunet_boat.png"),
                                                    ("STUNetExampleClip", "file", "stunet_fox.mp4")])
def test_missing_files_are_said(graph: Any, examples: Path, node: str, label: str, name: str) -> None:
    (examples / name).unlink()
    assert f"no example '{name}'" in graph.pack.nodes[node].validate_inputs(**{label: name}) or label == "file"
    shutil.rmtree(examples)
    assert "examples are missing" in graph.pack.nodes[node].validate_inputs(**{label: name})
    assert options(graph, node, label) == []


def test_a_changed_file_is_read_again(graph: Any, examples: Path) -> None:
    node = graph.pack.nodes["STUNetExamplePicture"]
    before = node.fingerprint_inputs(image="stunet_boat.png")
    shutil.copy(examples / "stunet_rocket.png", examples / "stunet_boat.png")
    assert node.fingerprint_inputs(image="stunet_boat.png") != before
