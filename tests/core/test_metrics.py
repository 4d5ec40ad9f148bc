"""Each figure sees its own fault and no other."""

import json

import cv2
import numpy as np
import pytest
import torch

from stunet_core.editing.flow import to_bytes
from stunet_core.report import metrics
from stunet_core.report.plot import Panel, ceiling, plot, ticks
from stunet_core.report.report import read_joints, report, seams
from training.world import Scene, Thing, render

cv2.setNumThreads(1)
RNG = np.random.default_rng(0)
STILL = np.repeat(RNG.integers(40, 200, (1, 48, 48, 3), dtype=np.uint8), 8, axis=0)


@pytest.fixture(scope="module")
def moving():
    """A thing that moves right by about a pixel per frame, and its mask"""
    scene = Scene((Thing("dog", "cartoon", 0.5, 0.5, 0.5, "right", 1.4),), "sunset sky")
    return render(scene, only=range(34, 46), size=96)


def test_warp_error_is_small_where_motion_explains_all_and_large_where_things_boil(moving):
    smooth = metrics.motion(moving.frames, moving.mask)
    boiling = moving.frames.astype(int) + RNG.integers(-30, 31, moving.frames.shape)
    rough = metrics.motion(boiling.clip(0, 255).astype(np.uint8), moving.mask)
    assert smooth.warp_error.mean() < 0.7 * metrics.changes(moving.frames).mean()
    assert rough.warp_error.mean() > 5 * smooth.warp_error.mean()
    assert len(smooth.warp_error) == len(smooth.hidden) == 11


def test_flow_is_measured_inside_and_outside(moving):
    steps: list[int] = []
    found = metrics.motion(moving.frames, moving.mask, lambda: steps.append(1))
    pace = np.abs(np.diff(moving.centre[:, 0])).mean()
    assert found.inside.mean() == pytest.approx(pace, rel=0.25)
    assert found.outside.mean() < 0.1 * found.inside.mean()
    assert found.outside.mean() < found.speed.mean() < found.inside.mean()
    assert len(steps) == 11


def test_clips_that_move_alike_are_alike(moving):
    found = metrics.motion(moving.frames)
    darker, back = metrics.motion(moving.frames // 2), metrics.motion(moving.frames[::-1])
    assert metrics.alike(found, darker) == pytest.approx(1, abs=0.05)
    assert metrics.alike(found, back) == pytest.approx(-1, abs=0.1)
    assert metrics.alike(found, metrics.motion(STILL)) is None


def test_flicker_sees_flashes_and_not_fades():
    fade = STILL + np.arange(8, dtype=np.uint8)[:, None, None, None] * 5
    flash = STILL.copy()
    flash[4] += 20
    assert metrics.flicker(STILL) == 0
    assert metrics.flicker(fade) == pytest.approx(0, abs=1e-6)
    assert metrics.flicker(flash) == pytest.approx((10 + 20 + 10) / 6)
    assert metrics.flicker(STILL[:2]) == 0


def test_colour_drift_is_in_lab_and_ignores_what_moves_over_less_than_half():
    grey = np.full((32, 16, 16, 3), 119, np.uint8)  # L = 50
    assert metrics.colour_drift(grey, 16) == 0
    lighter = grey.copy()
    lighter[16:] = 124
    assert metrics.colour_drift(lighter, 16) == pytest.approx(2.0, abs=0.1)
    thing = grey.copy()
    thing[:16, :, :3], thing[16:, :, 13:] = 0, 0
    assert metrics.colour_drift(thing, 16) == 0
    assert metrics.colour_drift(thing, 16, np.ones((16, 16), bool)) > 15


def test_joints_and_loops_are_measured_against_the_median_change():
    frames = np.zeros((9, 8, 8, 3), np.uint8)
    frames[:] = np.array([0, 2, 4, 6, 12, 14, 16, 18, 20])[:, None, None, None]
    assert metrics.joint_error(frames, 4) == 3
    assert metrics.joint_error(frames, 1) == 1
    assert metrics.loop_error(frames) == 10
    assert metrics.loop_error(STILL) == 0
    jump = STILL.copy()
    jump[4:] += 1
    assert metrics.joint_error(jump, 4) == pytest.approx(1 / metrics.UNSEEN)
    slower = np.zeros((80, 4, 4, 3), np.uint8)
    slower[:] = np.minimum(np.arange(80) * 4, 120)[:, None, None, None]  # moves for 30 frames, then stands still
    assert metrics.joint_error(slower, 30) == 1
    slower[60:] += 8
    assert metrics.joint_error(slower, 60) == pytest.approx(8 / metrics.UNSEEN)
    for joint in (0, 9):
        with pytest.raises(ValueError, match=f"joints: {joint} is no joint of a clip of 9 frames"):
            metrics.joint_error(frames, joint)


def test_change_is_measured_where_asked():
    frames = STILL.copy()
    frames[3, :, :24] += 16
    left = np.zeros((1, 48, 48), bool)
    left[:, :, :24] = True
    assert metrics.changes(frames, ~left).max() == 0
    assert metrics.changes(frames, left).tolist() == [0, 0, 16, 16, 0, 0, 0]
    assert metrics.changes(frames)[2] == 8


def tensor(frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(frames).float() / 255


def test_a_report_holds_a_clip_against_its_original(moving):
    white = moving.mask
    made = tensor(moving.frames)
    made[torch.from_numpy(white)] *= 0.9
    found = report(made, 16, white=white, original=tensor(moving.frames))
    figures = json.loads(json.dumps(found.figures))
    assert figures["given_exact"] == 1
    assert figures["given_psnr"] is None
    assert figures["motion_correlation"] > 0.8
    assert figures["warp_error_ratio"] == pytest.approx(1, abs=0.3)
    assert figures["flow_inside"] > figures["flow_outside"]
    assert "bit for bit: 1" in found.text()
    picture = found.picture()
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 5


def test_a_report_finds_the_joints_that_a_mask_shows():
    white = np.zeros((8, 48, 48), bool)
    white[3:] = True
    assert seams(white) == [3] and seams(white[3:]) == seams(None) == []
    found = report(tensor(STILL), 16, white=white, joints=[5])
    assert list(found.figures["joint_errors"]) == ["3", "5"]
    assert "frame 3: 0, frame 5: 0" in found.text()
    assert found.figures["change_outside"] == 0
    assert found.panels[0].joints == [3, 5]


def test_given_pixels_that_did_not_come_back_are_counted():
    white = np.zeros((1, 48, 48), bool)
    white[:, :24] = True
    made = tensor(STILL)
    made[:, 24:36] += 1e-4
    figures = report(made, 16, white=white, original=tensor(STILL)).figures
    assert figures["given_exact"] == 0.5
    assert figures["given_psnr"] > 60


def test_one_frame_has_no_report():
    with pytest.raises(ValueError, match="clip: has 1 frame"):
        report(tensor(STILL[:1]), 16)


def test_joints_are_read():
    assert read_joints("", 80) == read_joints(" , ", 80) == []
    assert read_joints("20, 40", 80) == [20, 40]
    for text in ("0", "80", "x", "-1", "2.5"):
        with pytest.raises(ValueError, match="joints: "):
            read_joints(text, 80)


def test_plots_of_nothing_and_of_one_value_are_drawn():
    shape = (150, 560, 3)
    assert plot([Panel("nothing", {})]).shape == shape
    assert plot([Panel("one", {"a": np.array([3.0])}, joints=[1])]).shape == shape
    assert [ticks(count) for count in (0, 1, 3, 48, 80)] == [[0], [0], [0, 1, 2], [*range(0, 48, 10)], [*range(0, 80, 10)]]
    assert [ceiling(v) for v in (0, 0.03, 1, 7, 180)] == [1, 0.05, 1, 10, 200]


def test_bytes_of_a_clip_come_back():
    assert np.array_equal(to_bytes(tensor(STILL)), STILL)
