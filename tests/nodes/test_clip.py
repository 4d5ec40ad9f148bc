"""STUNetEmptyClip: the frames a clip gets, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.nodes import nets

GOOD = {"width": 128, "height": 64, "seconds": 5.0, "fps": 16.0}


def test_a_clip_has_seconds_times_fps_frames(graph: Any) -> None:
    latent, _ = graph.run("STUNetEmptyClip", **GOOD)
    assert latent["samples"].shape == (80, 4, 8, 16)
    assert not latent["samples"].any()


def test_the_shortest_clip_is_one_frame(graph: Any) -> None:
    latent, _ = graph.run("STUNetEmptyClip", **GOOD | {"seconds": 0.01})
    assert latent["samples"].shape[0] == 1


@pytest.mark.parametrize(("change", "message"), [
    ({"width": 100}, "width: 100 is no multiple of 8 pixels; use 96 or 104"),
    ({"height": 0}, "height: 0 pixels"),
    ({"height": 8000}, "height: 8000 pixels"),
    ({"seconds": 0.0}, "seconds: 0.0"),
    ({"seconds": -1.0}, "seconds: -1.0"),
    ({"seconds": float("nan")}, "seconds: nan"),
    ({"seconds": 8 * 3600.0}, "seconds: 28800.0"),
    ({"fps": 0.0}, "fps: 0.0"),
])
def test_what_is_wrong_is_said_when_it_comes_through_a_link(graph: Any, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        graph.run("STUNetEmptyClip", **GOOD | change)


def test_a_clip_is_made_of_the_latents_that_its_model_takes(graph: Any) -> None:
    latent, _ = graph.run("STUNetEmptyClip", **GOOD, model=graph.mini()[0])
    assert latent["samples"].shape == (80, 8, 4, 8) and latent["downscale_ratio_spacial"] == 16
    latent, _ = graph.run("STUNetEmptyClip", **GOOD, model=nets.model("SD15"))
    assert latent["samples"].shape == (80, 4, 8, 16)
    with pytest.raises(ValueError, match="width: 136 is no multiple of 16 pixels; use 128 or 144"):
        graph.run("STUNetEmptyClip", **GOOD | {"width": 136}, model=graph.mini()[0])
    with pytest.raises(ValueError, match="latents of 3 dimensions"):
        graph.run("STUNetEmptyClip", **GOOD, model=nets.transformer("WAN21_T2V"))


def test_the_frame_rate_goes_with_it(graph: Any) -> None:
    assert graph.run("STUNetEmptyClip", **GOOD | {"fps": 30000 / 1001})[1] == 30000 / 1001
