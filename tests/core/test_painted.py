"""One frame of a clip, and the mask that was painted on it."""

from __future__ import annotations

import pytest
import torch

from stunet_core.editing.painted import frame_of, painted_mask

CLIP = torch.rand(80, 6, 9, 3)


@pytest.mark.parametrize(("number", "expected"), [(0, 0), (79, 79), (-1, 79), (-80, 0)])
def test_frames_are_counted_from_either_end(number: int, expected: int) -> None:
    assert torch.equal(frame_of("clip", CLIP, number), CLIP[expected:expected + 1])


@pytest.mark.parametrize(("frames", "number", "said"), [
    (80, 90, "frame 90: the clip has 80 frames, 0 to 79; -1 is the last one, -80 the first"),
    (80, -81, "frame -81: the clip has 80 frames"),
    (1, 1, "frame 1: the clip has 1 frame, 0; "),
])
def test_a_frame_that_is_not_there_is_said(frames: int, number: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        frame_of("clip", CLIP[:frames], number)


def painted(frame: torch.Tensor) -> torch.Tensor:
    """As a PNG says it: bytes; alpha 0 where it was painted."""
    alpha = torch.ones(6, 9, 1)
    alpha[2:4, 3:5] = 0
    return torch.cat([(frame * 255).round() / 255, alpha], dim=-1)


def test_what_was_painted_is_white() -> None:
    mask = painted_mask(painted(CLIP[3]), CLIP[3])
    assert mask is not None and mask.shape == (6, 9)
    assert mask[2:4, 3:5].eq(1).all() and mask.sum() == 4


def test_a_mask_of_another_frame_or_size_is_none() -> None:
    assert painted_mask(painted(CLIP[4]), CLIP[3]) is None
    assert painted_mask(painted(CLIP[3]), CLIP[3, :, :8]) is None


def test_pixels_a_little_beyond_white_are_the_same_frame() -> None:
    """Sharp resizing leaves [0, 1]; the file that was painted on cannot."""
    frame = CLIP[3] * 1.2
    assert painted_mask(painted(frame.clamp(0, 1)), frame) is not None
