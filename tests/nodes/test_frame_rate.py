"""The frame rate of a clip goes with it."""

from __future__ import annotations

from typing import Any

import pytest
import torch


@pytest.mark.parametrize("fps", [16.0, 30000 / 1001])
def test_three_seconds_more_are_three_seconds_of_the_clips_own(graph: Any, fps: float) -> None:
    _, clip, vae = graph.mini()
    text = graph.prompt(clip, "")
    *_, latent, original, mask, rest, told = graph.run(
        "STUNetExtend", positive=text, negative=text, vae=vae, clip=torch.rand(2, 32, 32, 3), seconds=3.0, fps=fps, side="after",
        overlap=2, size="keep")
    assert len(latent["samples"]) == len(original) == len(mask) == 2 + round(3 * fps)
    assert (len(rest), told) == (0, fps)
    *_, told = graph.run("STUNetImageToVideo", positive=text, negative=text, vae=vae, image=torch.rand(1, 32, 32, 3), seconds=0.2, fps=fps,
                         size="keep")
    assert told == fps
