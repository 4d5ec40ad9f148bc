"""Scenes as class indices, for judges and for training that needs labels."""

from __future__ import annotations

from training.world.motion import MOTIONS
from training.world.palette import BACKGROUNDS
from training.world.scene import HELD_OUT_STYLES, OBJECT_NAMES, STYLES, Scene

PACES = ("slow", "normal", "fast")


def labels(scene: Scene) -> dict[str, int]:
    """Class indices: object (into the 128), style (held-out styles follow the trained four), background, motion,
    pace, and of a second thing `second` and `second_motion`, -1 without one.
    """
    first = scene.things[0]
    second = scene.things[1] if len(scene.things) == 2 else None
    return {
        "object": OBJECT_NAMES.index(first.object),
        "style": (STYLES + HELD_OUT_STYLES).index(first.style),
        "background": BACKGROUNDS.index(scene.background),
        "motion": MOTIONS.index(first.motion),
        "pace": PACES.index(first.pace),
        "second": OBJECT_NAMES.index(second.object) if second else -1,
        "second_motion": MOTIONS.index(second.motion) if second else -1,
    }
