"""The benchmark of styles: its captions, its drawings, its distances and the workflows that it submits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.style.looks import colour_distance, gram_distance
from benchmarks.style.main import TRUTH, WAYS, Made, drawings, figures_of, in_style, kept, nearer, plain
from benchmarks.style.styled import StyledSettings, workflow
from benchmarks.tasks.main import singles
from training.judges.judges import FrameJudge, Judges, MotionJudge
from training.world import HELD_OUT_STYLES, OBJECT_NAMES, STYLES
from training.world.objects import SYNONYMS

OBJECTS = OBJECT_NAMES[:8]


@pytest.fixture(scope="module")
def judges() -> Judges:
    torch.manual_seed(0)
    return Judges(FrameJudge(len(OBJECTS), width=8), MotionJudge(width=4), OBJECTS)


def test_captions_name_no_style() -> None:
    for seed, scene in enumerate(singles(8, OBJECTS, 0)):
        text = plain(scene, seed)
        name = scene.things[0].object
        assert any(word in text for word in (name, *SYNONYMS.get(name, ())))
        assert not any(f"{style} style" in text for style in STYLES)
        assert in_style(scene, "twemoji").things[0].style == "twemoji"


def test_distances_are_nothing_to_itself_and_tell_styles_apart(judges: Judges) -> None:
    flat, other = (drawings(OBJECTS, style, "blue") for style in ("flat", HELD_OUT_STYLES[0]))
    assert colour_distance(flat, flat) == gram_distance(flat, flat, judges) == 0
    assert colour_distance(flat, np.zeros_like(flat)) > colour_distance(flat, other) > 0
    assert gram_distance(flat, other, judges) > 0


def test_a_clip_of_the_style_is_nearer_to_it(judges: Judges) -> None:
    scene = in_style(singles(1, OBJECTS, 0)[0], HELD_OUT_STYLES[1])
    like = drawings(OBJECTS, HELD_OUT_STYLES[1], scene.background)
    made, before = Made([scene], [like], [1.0]), Made([scene], [np.zeros_like(like)], [1.0])
    assert min(nearer(made, before, OBJECTS, judges).values()) > 0.5
    assert kept(made, made, judges) == {"object_kept": 1.0, "motion_kept": 1.0}
    ways = {way: Made() for way in (*WAYS, TRUTH)} | {"none": before, "reference": made}
    figures = figures_of({HELD_OUT_STYLES[1]: ways}, OBJECTS, judges)
    assert figures["reference_colour_falls"] > 0.5 and figures["reference_cost"] == 1.0
    assert not any(name.startswith("fit") for name in figures)


@pytest.mark.parametrize("way", WAYS)
def test_workflows_are_whole(way: str) -> None:
    nodes = workflow(StyledSettings(8, 2, 4.0, "attention", 5), "a rocket", 1, way, "picture.png", "a boat")
    for node in nodes.values():
        for value in node["inputs"].values():
            assert not isinstance(value, list) or value[0] in nodes
    assert ("style" in nodes) == (way not in ("none", "words"))
    assert (nodes["sample"]["inputs"]["positive"] == ["worded", 0]) == way.startswith("words")
