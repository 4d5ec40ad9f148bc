"""STUNetTrackMask, STUNetMaskPath and STUNetClipReport: what they give, and what they refuse."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import torch
import torch.nn.functional as F

ROUGH = torch.rand(1, 3, 16, 20, generator=torch.Generator().manual_seed(0)) * 0.3
GROUND = F.interpolate(ROUGH, (64, 80), mode="bilinear").movedim(1, -1)  # 1 h w 3
PATH = {"times": "0, 1s", "boxes": "0 0 16 16\n16 0 16 16", "shape": "box", "pace": "steady", "width": 64, "height": 40,
        "seconds": 2.0, "fps": 8.0}


def clip(frames: int = 6) -> torch.Tensor:
    """A bright square that moves 2 pixels per frame over a dark ground"""
    out = GROUND.repeat(frames, 1, 1, 1)
    for i in range(frames):
        out[i, 20:44, 10 + 2 * i:34 + 2 * i] = 1 - GROUND[0, 20:44, 10:34]
    return out


def painted(frame: int = 0) -> torch.Tensor:
    mask = torch.zeros(1, 64, 80)
    mask[:, 20:44, 10 + 2 * frame:34 + 2 * frame] = 1
    return mask


def tracked(graph: Any, **change: Any) -> tuple:
    return graph.run("STUNetTrackMask", **{"clip": clip(), "mask": painted(), "frame": 0, "grow": 0} | change)


def test_a_painted_mask_follows_the_clip(graph: Any) -> None:
    masks, told = tracked(graph, mask=painted(3), frame=3)
    assert masks.shape == (6, 64, 80) and masks.dtype == torch.float32
    assert (masks > 0.5).sum((1, 2)).float().sub(24 * 24).abs().max() < 60
    for i in (0, 5):
        truth = painted(i)[0] > 0.5
        assert ((masks[i] > 0.5) & truth).sum() > 0.9 * truth.sum()
    assert "Followed from frame 3 over 6 frames" in told
    wide, _ = tracked(graph, grow=4)
    assert (wide[0] > 0.5).sum() > (painted() > 0.5).sum() + 4 * 4 * 24


def test_frames_where_track_is_lost_are_told(graph: Any, caplog: pytest.LogCaptureFixture) -> None:
    cut = clip()
    cut[4:] = GROUND
    with caplog.at_level(logging.WARNING):
        _, told = tracked(graph, clip=cut)
    assert "lost track on frames 4-5" in told
    assert "lost track on frames 4-5" in caplog.text


@pytest.mark.parametrize(("change", "message"), [
    ({"mask": painted().repeat(6, 1, 1)}, "mask: has 6 frames; give the 1 that was painted on the clip's frame 0"),
    ({"mask": torch.zeros(1, 64, 80)}, "mask: is black everywhere"),
    ({"mask": torch.ones(1, 64, 80)}, "mask: is white everywhere"),
    ({"mask": torch.ones(1, 32, 80)}, "mask: is 80x32 pixels, the clip 80x64"),
    ({"mask": painted() * float("nan")}, "mask: has pixels that are no numbers"),
    ({"frame": 6}, "frame: 6 is outside the clip; its 6 frames are 0 to 5"),
    ({"grow": -1}, "grow: -1 pixels"),
    ({"clip": clip() * float("nan")}, "clip: has pixels that are no numbers"),
    ({"clip": clip() * 255}, "clip: its values are"),
])
def test_wrong_tracks_are_refused(graph: Any, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tracked(graph, **change)


def test_a_mask_over_nearly_all_is_doubted(graph: Any, caplog: pytest.LogCaptureFixture) -> None:
    mask = torch.ones(1, 64, 80)
    mask[:, :2] = 0
    with caplog.at_level(logging.WARNING):
        tracked(graph, clip=clip(2), mask=mask)
    assert "97% of it is white" in caplog.text


def test_a_path_is_one_mask_per_frame(graph: Any) -> None:
    (masks,) = graph.run("STUNetMaskPath", **PATH)
    assert masks.shape == (16, 40, 64)
    assert masks[0, :16, :16].min() == 1 and masks[0].sum() == 256
    assert masks[4, :16, 8:24].min() == 1 and masks[4].sum() == 256
    assert torch.equal(masks[8], masks[15])
    (masks,) = graph.run("STUNetMaskPath", **PATH | {"clip": clip(9), "shape": "ellipse"})
    assert masks.shape == (9, 64, 80)


@pytest.mark.parametrize(("change", "message"), [
    ({"boxes": "0 0 16"}, "boxes: '0 0 16' is no box"),
    ({"width": 0}, "width: 0; it must be 1 to 4096 pixels"),
    ({"seconds": 8 * 3600.0}, "seconds: 28800.0"),
    ({"seconds": float("nan")}, "seconds: nan"),
    ({"fps": 0.0}, "fps: 0.0"),
])
def test_wrong_paths_are_refused_in_validation_and_when_they_come_through_a_link(
        graph: Any, change: dict, message: str) -> None:
    values = PATH | change
    node = graph.pack.nodes["STUNetMaskPath"]
    if "boxes" in change:  # ComfyUI holds numbers against their limits itself
        assert message in node.validate_inputs(values["boxes"])
    with pytest.raises(ValueError, match=message):
        graph.run("STUNetMaskPath", **values)


@pytest.mark.parametrize(("change", "message"), [
    ({"times": "0"}, "boxes: 2 boxes for 1 times"),
    ({"times": "0, 16"}, "times: 16 is frame 16"),
    ({"times": "0, 0s"}, "times: 0 and 0s are both frame 0"),
    ({"times": "0, x"}, "times: 'x' is no time"),
    ({"boxes": "-99 0 9 9\n99 0 9 9", "times": "0, 15", "pace": "ease", "clip": clip(2)}, "times: 15 is frame 15"),
    ({"boxes": "0 99 9 9\n9 99 9 9"}, "boxes: none of them is ever inside the picture"),
    ({"boxes": "0 0 64 40\n0 0 64 40"}, "boxes: is white everywhere"),
    ({"width": 4096, "height": 4096, "seconds": 600.0, "fps": 120.0}, "seconds, width, height: 72000 masks"),
])
def test_wrong_keys_are_refused(graph: Any, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        graph.run("STUNetMaskPath", **PATH | change)


def test_a_report_is_text_json_and_a_plot(graph: Any) -> None:
    text, figures, plot = graph.run("STUNetClipReport", clip=clip(), fps=16.0, joints="3", mask=painted(),
                                    original=clip())
    found = json.loads(figures)
    assert found["given_exact"] == 1
    assert found["flow_inside"] > found["flow_outside"]
    assert list(found["joint_errors"]) == ["3"]
    assert text.startswith("6 frames of 80x64 at 16 fps")
    assert plot.ndim == 4 and plot.shape[-1] == 3 and 0 <= plot.min() < plot.max() <= 1


def test_a_report_needs_the_clip_alone(graph: Any) -> None:
    _, figures, _ = graph.run("STUNetClipReport", clip=GROUND.repeat(3, 1, 1, 1), fps=16.0, joints="")
    found = json.loads(figures)
    assert found["change"] == found["warp_error"] == found["colour_drift"] == found["loop_error"] == 0


@pytest.mark.parametrize(("change", "message"), [
    ({"clip": clip(1)}, "clip: has 1 frame"),
    ({"clip": clip() - 1}, "clip: its values are"),
    ({"fps": 0.0}, "fps: 0.0"),
    ({"joints": "6"}, "joints: '6'; write the first frame after each joint, 1 to 5"),
    ({"mask": torch.zeros(1, 64, 80)}, "mask: is black everywhere"),
    ({"mask": painted().repeat(2, 1, 1)}, "mask: has 2 frames, the clip 6"),
    ({"original": clip(5)}, "original: has 5 frames, the clip 6"),
    ({"original": clip()[:, :32]}, "original: is 80x32 pixels, clip 80x64"),
])
def test_wrong_reports_are_refused(graph: Any, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        graph.run("STUNetClipReport", **{"clip": clip(), "fps": 16.0, "joints": ""} | change)
