"""What a clip is: frames at a rate."""

import math


def frame_count(seconds: float, fps: float) -> int:
    """Frames of a clip of `seconds` at `fps` frames per second: rounded, at least one (5 s at 16 fps: 80).

    Raises:
        ValueError: either is not a positive, finite number.
    """
    for name, value in (("seconds", seconds), ("fps", fps)):
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{name}={value}: give a number above 0")
    return max(1, round(seconds * fps))
