"""The benchmarks of quality and of the tasks: scenes, tables, overlaps, and their ways of making clips, on tiny weights."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch

import run
from benchmarks.common.models import Models
from benchmarks.common.sampling import sample_clips, told
from benchmarks.quality.figures import beside
from benchmarks.quality.figures import table as figure_table
from benchmarks.quality.formats import squares
from benchmarks.quality.windows import in_windows
from benchmarks.tasks.edit import Editing, edit, pixels, walk_down
from benchmarks.tasks.main import overlap, said, singles, table
from stunet_core.editing.keep_mask import cells
from stunet_core.editing.tasks import Task
from stunet_core.model.precision import half
from tests import tiny
from training.common.mini import Mini
from training.common.sampling import Asked, Told
from training.world import OBJECT_NAMES, Scene, Thing, is_held_out


@pytest.fixture(scope="module")
def models() -> Models:
    mini = tiny.seeded(lambda: Mini(tiny.WORDS, tiny.CONFIG), 2)
    return Models(mini, tiny.autoencoder(), tiny.skeleton())


@pytest.fixture(scope="module")
def rocket(models) -> Told:
    return told(models, [Scene((Thing("rocket", "3d", 0.5, 0.5, 0.5, "up"),), "purple")], ["a rocket"])


@pytest.fixture
def task() -> Task:
    """Four frames of 28 x 40 pixels, of which the left part is given"""
    keep = torch.zeros(4, 28, 40, dtype=torch.bool)
    keep[:, :, :16] = True
    return Task(torch.rand(4, 28, 40, 3, generator=torch.Generator().manual_seed(0)), keep)


def test_what_run_py_offers_to_bench_can_be_run():
    names = run.benchmarks()
    assert {"quality", "tasks", "style", "speed", "full_size"} <= set(names)
    for name in names:
        assert callable(importlib.import_module(f"benchmarks.{name}.main").main), f"benchmarks/{name}/main.py has no main()"


def test_clips_of_other_lengths_and_sizes_are_judged(models, rocket):
    clips = sample_clips(models, rocket, 6, Asked(steps=2, size=(4, 5)))
    assert clips.shape == (1, 6, 64, 80, 3) and clips.dtype == np.uint8
    assert squares(clips).shape == (1, 6, 64, 64, 3)


def test_figures_stand_beside_truth_and_chance():
    figures = beside("image", {"object": 0.9, "style": 0.8}, {"object": 0.99})
    assert figures == {"image_object": 0.9, "image_object_truth": 0.99, "image_object_chance": round(1 / 160, 4), "image_style": 0.8,
                       "image_style_chance": 0.25}
    lines = figure_table(figures).splitlines()
    assert len(lines) == 3 and lines[1].split() == ["image_object", "0.900", "0.990", "0.006", ">=", "0.95"]


def test_windows_fade_into_a_whole_clip(models, rocket):
    made = in_windows(models, rocket, Asked(steps=1), frames=20, cells=2)
    assert made.shape == (20, 32, 32, 3)


def test_clips_are_made_where_they_are_not_given(models, task, rocket):
    made = edit(models, task, rocket, Editing(steps=2))
    assert made.shape == (4, 32, 48, 3)  # padded to whole cells
    assert 0 <= made.min() < made.max() <= 1
    other = edit(models, task, rocket, Editing(steps=2, seed=1))
    assert not torch.allclose(made[:, :, 32:], other[:, :, 32:], atol=1e-2)


def test_things_are_drawn_where_they_are_placed(models, rocket):
    empty = Task(torch.zeros(4, 64, 64, 3), torch.zeros(4, 64, 64, dtype=torch.bool))
    places = np.zeros((2, 4, 64, 64), np.float32)
    places[0, :, 4:28, 4:28], places[1, :, 36:60, 36:60] = 1, 1
    first, second = (edit(models, empty, rocket, Editing(steps=1), some) for some in places)
    assert not torch.allclose(first, second, atol=1e-2)


def test_given_latents_come_out_as_they_went_in(models, task, rocket):
    keep = torch.ones_like(task.keep)
    seen = edit(models, Task(task.given, keep), rocket, Editing(steps=1))
    with half():
        expected = models.autoencoder.decode(models.autoencoder.encode(pixels(task.given)).float())
    expected = (expected.float() / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    assert cells(keep, 16).all()
    assert torch.allclose(seen, expected, atol=1e-2)


def test_a_lower_denoise_stays_nearer_to_the_clip():
    given, noise = torch.zeros(2, 8, 2, 2), torch.ones(2, 8, 2, 2)
    started: list[torch.Tensor] = []

    def clean(x, t):
        started.append(x)
        return x * 0.5

    for denoise in (1.0, 0.6, 0.3):
        before = len(started)
        walk_down(clean, given, noise, 4, denoise)
        assert len(started) == before + 4
    first, second, third = (float(started[i].mean()) for i in (0, 4, 8))
    assert first == 1 > second > third > 0


def test_scenes_are_held_out_and_of_the_motion_asked_for():
    scenes = singles(3, OBJECT_NAMES[:64], 0, "spin")
    assert all(is_held_out(scene) and len(scene.things) == 1 for scene in scenes)
    assert {scene.things[0].motion for scene in scenes} == {"spin"}
    assert scenes == singles(3, OBJECT_NAMES[:64], 0, "spin")
    assert scenes[0].background.split()[0] in said(scenes[0], 0) or "background" in scenes[0].named


def test_overlap_counts_empty_frames_found_empty():
    truth = np.zeros((3, 4, 4), bool)
    truth[0, :2], truth[1, :2] = True, True
    masks = np.zeros_like(truth)
    masks[0, :1], masks[1] = True, truth[1]
    assert overlap(masks, truth) == pytest.approx((0.5 + 1 + 1) / 3)


def test_the_table_says_what_is_wanted():
    assert table({"track_mean": 0.9, "track_spin": 0.8}).splitlines()[1].split() == ["track_mean", "0.900", ">=", "0.85"]
