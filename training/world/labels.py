"""What a scene's caption says, as class indices: for judges and for training that needs labels."""

from __future__ import annotations

from types import MappingProxyType

from training.world.camera import CAMERAS
from training.world.motion import MOTIONS
from training.world.palette import BACKGROUNDS, COLOURS
from training.world.scene import OBJECT_NAMES, PLACES, SIZES, STYLES, Scene

PACES = ("slow", "normal", "fast")
KINDS = MappingProxyType({  # what captions say, and the values it may have
    "object": OBJECT_NAMES, "style": STYLES, "background": BACKGROUNDS, "motion": MOTIONS, "camera": CAMERAS,
    "colour": tuple(COLOURS), "size": tuple(SIZES), "place": tuple(PLACES),
})


def labels(scene: Scene) -> dict[str, int]:
    """For each of KINDS what the caption says of the first thing, -1 where it says nothing (or a thing it has no word for)."""
    first = scene.things[0]
    said = {
        "object": first.object, "style": first.style, "background": scene.background, "motion": first.motion, "camera": scene.camera,
        "colour": first.colour, "size": first.sized, "place": first.placed,
    }
    return {
        kind: KINDS[kind].index(value) if kind in scene.named and value in KINDS[kind] else -1  # type: ignore[arg-type]
        for kind, value in said.items()
    }
