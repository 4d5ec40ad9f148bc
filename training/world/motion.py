"""Where a thing is at every moment: the twelve motions of the world as functions of time.

Time is in seconds from the clip's middle; positions and sizes are fractions of the frame; angles are radians,
clockwise on the screen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

MOTIONS = ("still", "left", "right", "up", "down", "bounce", "spin", "grow", "shrink", "swing", "circle", "shake")
CLIP_SECONDS = 5.0

# At speed 1, over the five seconds of a clip:
TRAVEL = 0.40  # of the frame, for left, right, up, down
BOUNCES, TURNS, SWINGS, CIRCLES = 3.2, 1.25, 2.0, 1.6
GROWTH = 1.9  # last size / first size, for grow; the inverse for shrink
SHAKE_HERTZ = 4.5
# and these do not depend on speed:
BOUNCE_HEIGHT, CIRCLE_RADIUS, SHAKE_REACH = 0.28, 0.16, 0.04  # of the frame
SWING_ANGLE = math.radians(28)

PERIODIC = {"bounce": BOUNCES / 2, "spin": TURNS, "swing": SWINGS, "circle": CIRCLES}  # turns of the phase in a clip at speed 1

_DIRECTION = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}


class Moving(Protocol):
    """The part of `scene.Thing` that decides where it is."""

    @property
    def size(self) -> float: ...
    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...
    @property
    def motion(self) -> str: ...
    @property
    def speed(self) -> float: ...
    @property
    def phase(self) -> float: ...


@dataclass(frozen=True)
class Poses:
    """centre [F, 2] (x, y), scale [F] (longer side), both in fractions of the frame; angle [F] rad; stretch [F, 2]
    (along x, y).
    """

    centre: np.ndarray
    scale: np.ndarray
    angle: np.ndarray
    stretch: np.ndarray


def poses(thing: Moving, seconds: np.ndarray) -> Poses:
    """The thing's pose at each of `seconds` [F], counted from the clip's middle."""
    t = np.asarray(seconds, np.float64)
    x, y = np.full_like(t, thing.x), np.full_like(t, thing.y)
    scale, angle = np.full_like(t, thing.size), np.zeros_like(t)
    stretch = np.ones((len(t), 2))
    part = t / CLIP_SECONDS * thing.speed  # clips passed since the middle, at this speed
    turn = 2 * math.pi * part

    if thing.motion in _DIRECTION:
        dx, dy = _DIRECTION[thing.motion]
        x, y = x + dx * TRAVEL * part, y + dy * TRAVEL * part
        angle = math.radians(3) * np.sin(3 * turn + thing.phase)  # secondary motion: it sways a little on its way
    elif thing.motion == "bounce":
        height = np.abs(np.sin(BOUNCES * turn / 2 + thing.phase))
        squash = np.exp(-((height / 0.25) ** 2))  # secondary motion: flattened where it meets the ground
        stretch = np.stack([1 + 0.12 * squash, 1 - 0.16 * squash], axis=1)
        y = y + BOUNCE_HEIGHT * (0.5 - height) + 0.08 * thing.size * squash
    elif thing.motion == "spin":
        angle = thing.phase + TURNS * turn
    elif thing.motion in ("grow", "shrink"):
        scale = scale * GROWTH ** (part if thing.motion == "grow" else -part)
    elif thing.motion == "swing":
        angle = SWING_ANGLE * np.sin(SWINGS * turn + thing.phase)
        rope = 0.5 * thing.size  # it hangs from a point above it
        x, y = x - rope * np.sin(angle), y + rope * (np.cos(angle) - 1)
    elif thing.motion == "circle":
        around = CIRCLES * turn + thing.phase
        x, y = x + CIRCLE_RADIUS * np.cos(around), y + CIRCLE_RADIUS * np.sin(around)
    elif thing.motion == "shake":
        wobble = 2 * math.pi * SHAKE_HERTZ * thing.speed**0.8 * t + thing.phase
        x, angle = x + SHAKE_REACH * np.sin(wobble), math.radians(4) * np.sin(wobble)
    return Poses(np.stack([x, y], axis=1), scale, angle, stretch)


def ahead(thing: Moving) -> float:
    """Seconds by which a periodic motion is ahead of one whose phase is 0 at the clip's middle: the phase, as a time.

    At most half a period either way; 0 for other motions, and for one that shakes, which is too quick for a clock.
    """
    if thing.motion not in PERIODIC:
        return 0.0
    period = math.pi if thing.motion == "bounce" else 2 * math.pi
    phase = (thing.phase + period / 2) % period - period / 2
    return phase / (2 * math.pi * PERIODIC[thing.motion] * thing.speed) * CLIP_SECONDS
