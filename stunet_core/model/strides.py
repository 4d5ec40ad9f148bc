"""Time strides per level of the U-Net, as presets (Lumiere, 2401.12945, fig. 4: time is halved where space is)."""

from itertools import pairwise

# Frames of the clip that share one frame at level 0, 1, ...; the last one holds for all coarser levels.
PRESETS: dict[str, tuple[int, ...]] = {
    "lumiere": (1, 2, 4, 8),
    "gentle": (1, 2, 2, 2),
    "none": (1, 1, 1, 1),
}


def ratios(preset: str, steps: int) -> tuple[int, ...]:
    """How many frames of a level share one frame of the next, for each of the U-Net's `steps` between levels.

    Raises:
        ValueError: there is no such preset.
    """
    if preset not in PRESETS:
        raise ValueError(f"time_strides: {preset!r} is none of {', '.join(PRESETS)}")
    strides = PRESETS[preset]
    strides += strides[-1:] * max(0, steps + 1 - len(strides))
    return tuple(coarse // fine for fine, coarse in pairwise(strides[:steps + 1]))
