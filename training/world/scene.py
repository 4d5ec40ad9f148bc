"""What a clip of the world shows, as validated data.

A scene holds one to three things on a background. Everything about its pixels follows from it, and everything a caption
says can be checked against it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from training.world import library
from training.world.camera import CAMERAS
from training.world.motion import MOTIONS
from training.world.objects import OBJECTS
from training.world.palette import BACKGROUNDS, COLOURS

STYLES = ("3d", "flat", "line", "cartoon")
HELD_OUT_STYLES = ("noto-v1", "twemoji")  # in the sheets, never sampled unless asked for by name
LOCALS = ("flame", "water", "flag")  # parts that move in place, for cinemagraphs
SPEEDS = {"slow": 0.6, "normal": 1.0, "fast": 1.5}
NAMEABLE = frozenset({"object", "style", "background", "motion", "speed", "local", "camera", "colour", "size", "place"})
SIZES = {"tiny": (0.20, 0.28), "small": (0.32, 0.42), "big": (0.78, 0.86), "huge": (0.92, 1.02)}  # of the frame
PLACES = {  # the way from the frame's middle
    "left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1), "top left": (-1, -1), "top right": (1, -1),
    "bottom left": (-1, 1), "bottom right": (1, 1), "middle": (0, 0),
}
OBJECT_NAMES = tuple(name for name, _ in OBJECTS)


@dataclass(frozen=True)
class Thing:
    """One object of a scene: one of `OBJECT_NAMES`, or another one that the library draws.

    `size` is its longer side as a fraction of the frame (0.05..1.5), `x`, `y` its centre at the clip's middle as
    fractions of the frame, `speed` a factor (0.25..2; 1 is normal), `phase` in radians, where a periodic motion stands
    at the middle.
    """

    object: str
    style: str
    size: float
    x: float
    y: float
    motion: str
    speed: float = 1.0
    phase: float = 0.0
    colour: str | None = None  # painted in this colour of the palette
    variant: int = 0           # another look, see `looks.varied`
    sized: str | None = None   # the word of SIZES that fits it
    placed: str | None = None  # the word of PLACES that fits it

    def __post_init__(self) -> None:
        if self.object not in library.places():
            one_of("object", self.object, OBJECT_NAMES)
        if self.colour is not None:
            one_of("colour", self.colour, tuple(COLOURS))
        one_of("style", self.style, STYLES + HELD_OUT_STYLES)
        one_of("motion", self.motion, MOTIONS)
        within("size", self.size, 0.05, 1.5)
        within("x", self.x, -1.0, 2.0)
        within("y", self.y, -1.0, 2.0)
        within("speed", self.speed, 0.25, 2.0)
        within("phase", self.phase, -7.0, 7.0)

    @property
    def pace(self) -> str:
        """The speed as a caption says it: "slow", "normal" or "fast"."""
        return "slow" if self.speed < 0.8 else "fast" if self.speed > 1.25 else "normal"


@dataclass(frozen=True)
class Scene:
    """One clip: one to three things, a background, a seed for its small variations, and perhaps a part that moves in
    place or a camera that moves.

    `named` says which attributes the caption names; "object" is always among them. Judges score only what is named.
    """

    things: tuple[Thing, ...]
    background: str
    seed: int = 0
    local: str | None = None
    camera: str | None = None
    named: frozenset[str] = frozenset({"object", "style", "background", "motion"})

    def __post_init__(self) -> None:
        if not 1 <= len(self.things) <= 3:
            raise ValueError(f"things: a scene holds one to three things, not {len(self.things)}")
        one_of("background", self.background, BACKGROUNDS)
        if self.local is not None:
            one_of("local", self.local, LOCALS)
        if self.camera is not None:
            one_of("camera", self.camera, CAMERAS)
        if self.local == "water" and self.background != "water":
            raise ValueError(f'local: "water" ripples only on the background "water", not on "{self.background}"')
        if not {"object"} <= self.named <= NAMEABLE:
            raise ValueError(
                f'named: must hold "object" and only names of {sorted(NAMEABLE)}, got {sorted(self.named)}'
            )


def one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f'{name}: "{value}" is unknown; it is one of {", ".join(allowed)}')


def within(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name}: {value} is outside {low}..{high}")
