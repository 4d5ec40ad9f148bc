"""Keyframes over sampling, as users write them."""

from __future__ import annotations

import pytest

from stunet_core.guidance.keyframes import read_keyframes, stairs


def test_they_are_read_in_any_order() -> None:
    assert read_keyframes("schedule", " 0.5: 1, 0:0 ") == ((0.0, 0.0), (0.5, 1.0))
    assert read_keyframes("schedule", "") == ()


@pytest.mark.parametrize(("text", "said"), [("1", "is no keyframe"), ("0: x", "is no keyframe"), ("0:1:2", "is no keyframe"),
                                            ("2: 0", "times go from 0"), ("0: -1", "values from 0 to 1"), ("0: nan", "values from"),
                                            ("0: 1, 0: 0", "the time 0 is there twice")])
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"schedule: .*{said}"):
        read_keyframes("schedule", text)


def test_stairs_stand_for_lines() -> None:
    assert stairs(((0.4, 0.5),)) == ((0.0, 0.5),)
    steps = stairs(((0.0, 0.0), (0.5, 1.0), (1.0, 1.0)))
    assert steps[0] == (0.0, 0.0)
    assert (0.25, 0.5) in steps
    assert steps[-2:] == ((0.5, 1.0), (1.0, 1.0))
    assert list(steps) == sorted(steps)
