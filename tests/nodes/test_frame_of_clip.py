"""STUNetFrameOfClip: the frame, shown on the node, and the mask that ComfyUI's mask editor wrote for it."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

CLIP = torch.rand(5, 24, 32, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def inputs(graph: Any, tmp_path: Path) -> Iterator[Path]:
    """ComfyUI's input folder, empty."""
    folder_paths = importlib.import_module("folder_paths")
    was = folder_paths.get_input_directory()
    folder_paths.set_input_directory(str(tmp_path / "input"))
    (tmp_path / "input" / "clipspace").mkdir(parents=True)
    yield tmp_path / "input"
    folder_paths.set_input_directory(was)


def shown_file(output: Any) -> Path:
    """The picture that the node shows: what the mask editor opens."""
    (shown,) = output.ui.as_dict()["images"]
    folder = importlib.import_module("folder_paths").get_directory_by_type(shown["type"])
    return Path(folder) / shown["subfolder"] / shown["filename"]


def execute(graph: Any, **inputs: Any) -> Any:
    return graph.pack.nodes["STUNetFrameOfClip"].EXECUTE_NORMALIZED(**{"clip": CLIP, "frame": 3} | inputs)


def paint(source: Path, target: Path) -> None:
    """As ComfyUI's /upload/mask does: the picture that was shown, with a new alpha, 0 where the brush was."""
    picture = Image.open(source).convert("RGBA")
    alpha = np.full((24, 32), 255, np.uint8)
    alpha[4:10, 6:20] = 0
    picture.putalpha(Image.fromarray(alpha))
    picture.save(target)


def test_the_frame_comes_bit_for_bit_and_is_shown(graph: Any) -> None:
    for frame, number in ((3, 3), (-1, 4), (0, 0)):
        output = execute(graph, frame=frame)
        image, mask, told = output.args
        assert torch.equal(image, CLIP[number:number + 1]) and told == number
        assert mask.shape == (1, 24, 32) and not mask.any()
        seen = np.asarray(Image.open(shown_file(output)), np.float32) / 255
        assert np.abs(seen - CLIP[number].numpy()).max() <= 1 / 255 + 1e-6


def test_a_clip_of_half_precision_is_shown_too(graph: Any) -> None:
    """numpy knows no bfloat16."""
    output = execute(graph, clip=CLIP.bfloat16())
    assert output.args[0].dtype == torch.bfloat16 and shown_file(output).is_file()


def test_it_runs_without_a_node_behind_it(graph: Any) -> None:
    """Else there would be nothing to paint on before the workflow is whole."""
    assert graph.pack.nodes["STUNetFrameOfClip"].OUTPUT_NODE


@pytest.mark.parametrize("written", ["clipspace/clipspace-painted-masked-1.png [input]", "clipspace-painted-masked-1.png [input]"])
def test_what_the_mask_editor_saved_is_the_mask(graph: Any, inputs: Path, written: str) -> None:
    saved = inputs / "clipspace" / "clipspace-painted-masked-1.png"
    paint(shown_file(execute(graph)), saved)
    assert graph.pack.nodes["STUNetFrameOfClip"].validate_inputs(image=written) is True
    output = execute(graph, image=written)
    image, mask, _ = output.args
    expected = torch.zeros(1, 24, 32)
    expected[:, 4:10, 6:20] = 1
    assert torch.equal(mask, expected) and torch.equal(image, CLIP[3:4])
    assert shown_file(output) == saved, "the mask editor goes on where it was"


def test_the_mask_goes_into_track_mask(graph: Any, inputs: Path) -> None:
    paint(shown_file(execute(graph)), inputs / "clipspace" / "x.png")
    _, mask, number = execute(graph, image="clipspace/x.png [input]").args
    masks = graph.run("STUNetTrackMask", clip=CLIP, mask=mask, frame=number, grow=0)[0]
    assert torch.equal(masks[3], mask[0])


def test_a_mask_of_another_frame_is_left_out_and_said(graph: Any, inputs: Path, caplog: pytest.LogCaptureFixture) -> None:
    paint(shown_file(execute(graph)), inputs / "clipspace" / "x.png")
    with caplog.at_level(logging.WARNING):
        output = execute(graph, frame=1, image="clipspace/x.png [input]")
    assert not output.args[1].any() and "was not painted on frame 1" in caplog.text
    assert shown_file(output).parent != inputs / "clipspace", "the frame itself is shown, to paint on"


@pytest.mark.parametrize("name", ["clipspace/gone.png [input]", "../secret.png", "../secret.png [input]", "clipspace/../../secret.png",
                                  "{folder}/secret.png", "x.png [output]", "x.png [temp]"])
def test_only_pictures_of_the_input_folder_are_read(graph: Any, inputs: Path, name: str) -> None:
    Image.new("RGBA", (32, 24)).save(inputs.parent / "secret.png")
    name = name.format(folder=inputs.parent)
    said = graph.pack.nodes["STUNetFrameOfClip"].validate_inputs(image=name)
    assert said.startswith(f"image: the mask editor's picture {name!r} is not in") and "paint again" in said
    with pytest.raises(ValueError, match="the mask editor's picture"):
        execute(graph, image=name)


def test_a_damaged_picture_is_said(graph: Any, inputs: Path) -> None:
    (inputs / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ValueError, match=r"^image: .*x\.png is no picture, or damaged"):
        execute(graph, image="x.png [input]")


def test_painting_anew_is_noticed(graph: Any, inputs: Path) -> None:
    node, written = graph.pack.nodes["STUNetFrameOfClip"], "clipspace/x.png [input]"
    paint(shown_file(execute(graph)), inputs / "clipspace" / "x.png")
    first = node.fingerprint_inputs(clip=None, frame=3, image=written)
    assert first == node.fingerprint_inputs(clip=None, frame=3, image=written) != node.fingerprint_inputs(clip=None, frame=3, image="")
    Image.new("RGBA", (32, 24)).save(inputs / "clipspace" / "x.png")
    assert node.fingerprint_inputs(clip=None, frame=3, image=written) != first


@pytest.mark.parametrize("frame", [5, 90, -6])
def test_a_frame_that_is_not_there_is_said(graph: Any, frame: int) -> None:
    with pytest.raises(ValueError, match=f"frame {frame}: the clip has 5 frames, 0 to 4; -1 is the last one, -5 the first"):
        execute(graph, frame=frame)
