"""What a clip of the world shows, as validated data, and how such scenes are drawn at random.

A scene holds one or two things on a background. Everything about its pixels follows from it, and everything a caption
says can be checked against it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from training.world.motion import CLIP_SECONDS, MOTIONS, poses
from training.world.objects import OBJECTS
from training.world.palette import BACKGROUNDS, COLOURS
from training.world.sprites import close_to_colour

STYLES = ("3d", "flat", "line", "cartoon")
HELD_OUT_STYLES = ("noto-v1", "twemoji")  # in the sheets, never sampled unless asked for by name
LOCALS = ("flame", "water", "flag")  # parts that move in place, for cinemagraphs
SPEEDS = {"slow": 0.6, "normal": 1.0, "fast": 1.5}
NAMEABLE = frozenset({"object", "style", "background", "motion", "speed", "local"})
OBJECT_NAMES = tuple(name for name, _ in OBJECTS)

HELD_OUT_SHARE = 0.10
CLASH = 0.45  # a thing of which this share has the background's colour cannot be judged: such pairs are not sampled


@dataclass(frozen=True)
class Thing:
    """One object of a scene.

    `size` is its longer side as a fraction of the frame (0.05..1.5; sampled 0.35..0.70), `x`, `y` its centre at the
    clip's middle as fractions of the frame, `speed` a factor (0.25..2; 1 is normal), `phase` in radians, where a
    periodic motion stands at the middle.
    """

    object: str
    style: str
    size: float
    x: float
    y: float
    motion: str
    speed: float = 1.0
    phase: float = 0.0

    def __post_init__(self) -> None:
        one_of("object", self.object, OBJECT_NAMES)
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
    """One clip: one or two things, a background, a seed for its small variations, and perhaps a part that moves in
    place.

    `named` says which attributes the caption names; "object" is always among them. Judges score only what is named.
    """

    things: tuple[Thing, ...]
    background: str
    seed: int = 0
    local: str | None = None
    named: frozenset[str] = frozenset({"object", "style", "background", "motion"})

    def __post_init__(self) -> None:
        if not 1 <= len(self.things) <= 2:
            raise ValueError(f"things: a scene holds one or two things, not {len(self.things)}")
        one_of("background", self.background, BACKGROUNDS)
        if self.local is not None:
            one_of("local", self.local, LOCALS)
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


@lru_cache(maxsize=65536)
def set_aside(thing: str, style: str, background: str) -> bool:
    """Whether this combination is kept out of training: a stable tenth of all, the same on every machine."""
    digest = hashlib.sha256(f"stunet world|{thing}|{style}|{background}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_OUT_SHARE * 2**64


def is_held_out(scene: Scene) -> bool:
    """Whether training never sees this scene: any of its things is in a combination of object, style and background
    set aside.

    The motion is no part of the combination, so that the same split also holds for single frames: no frame and no
    clip of a held-out object, style and background is ever trained on, whatever the motion.
    """
    return any(set_aside(thing.object, thing.style, scene.background) for thing in scene.things)


def clashes(thing: str, style: str, background: str) -> bool:
    """Whether most of the thing has the background's colour, so that it could not be seen."""
    return background in COLOURS and close_to_colour(thing, style, COLOURS[background]) > CLASH


def sample_scene(
    rng: np.random.Generator,
    objects: Sequence[str],
    *,
    two: float = 0.12,
    local: float = 0.05,
    held_out: bool = False,
    styles: Sequence[str] = STYLES,
    motions: Sequence[str] = MOTIONS,
) -> Scene:
    """Draw a scene. `two` and `local` are the shares of scenes with two things and with a part that moves in place;
    `motions` those that a single thing may have, one named twice being twice as likely.

    Held-out combinations (`is_held_out`) never come with `held_out=False`, and always with `held_out=True`. The scene
    depends only on the generator's state and the arguments. ValueError for an unknown object or style, or shares
    outside 0..1.
    """
    if not objects:
        raise ValueError("objects: is empty; give at least one object name")
    within("two", two, 0.0, 1.0)
    within("local", local, 0.0, 1.0)
    for _ in range(10000):
        kind = rng.random()
        part = str(rng.choice(LOCALS)) if kind < local else None
        pair = local <= kind < local + two and len(objects) > 1
        style = str(rng.choice(styles))
        background = "water" if part == "water" else str(rng.choice(BACKGROUNDS))
        names = [str(name) for name in rng.choice(objects, 2 if pair else 1, replace=False)]
        if any(clashes(name, style, background) for name in names):
            continue
        if part:
            things = sample_beside_local(rng, names[0], style, part)
        elif pair:
            things = sample_pair(rng, names, style)
        else:
            things = (sample_thing(rng, names[0], style, str(rng.choice(motions))),)
        scene = Scene(things, background, int(rng.integers(2**31)), part, sample_named(rng, things, part))
        if is_held_out(scene) == held_out:
            return scene
    raise ValueError("objects, styles: no scene of these is " + ("held out" if held_out else "left for training"))


def sample_named(rng: np.random.Generator, things: tuple[Thing, ...], part: str | None) -> frozenset[str]:
    """Which attributes the caption will name: style is left out of 15 % of captions, background of 10 %, motion of 10
    %.
    """
    named = {"object"}
    named |= {"style"} if rng.random() > 0.15 else set()
    named |= {"background"} if rng.random() > 0.10 else set()
    named |= {"motion"} if rng.random() > 0.10 else set()
    named |= {"local"} if part else set()
    paced = any(thing.pace != "normal" and thing.motion != "still" for thing in things)
    if paced and len(things) == 1 and "motion" in named and rng.random() < 0.75:
        named.add("speed")
    return frozenset(named)


def sample_speed(rng: np.random.Generator, motion: str) -> float:
    if motion == "still":
        return 1.0
    return float(SPEEDS[str(rng.choice(tuple(SPEEDS), p=(0.2, 0.6, 0.2)))] * rng.uniform(0.93, 1.07))


def sample_thing(
    rng: np.random.Generator, name: str, style: str, motion: str, size: float | None = None, speed: float | None = None
) -> Thing:
    """A thing near the middle of the frame at the clip's middle, its whole path inside but for a small overhang (a
    fifth of its size in every fourth scene).
    """
    speed = sample_speed(rng, motion) if speed is None else speed
    size = float(np.clip(rng.normal(0.66, 0.012), 0.62, 0.70)) if size is None else size
    phase = float(rng.uniform(0, 2 * math.pi))
    overhang = 0.2 if rng.random() < 0.25 else 0.05
    thing = Thing(name, style, size, 0.5, 0.5, motion, speed, phase)
    for _ in range(20):
        low, high = reach(thing, overhang)
        if np.all(high - low <= 1.0) or thing.size < 0.36:
            break
        thing = replace(thing, size=max(0.35, thing.size * 0.94))
    x, y = (
        float(np.clip(rng.normal(0.5, 0.008), *sorted((0.5 - a, 1.5 - b)))) if b - a <= 1.0 else 1.0 - (a + b) / 2
        for a, b in zip(low, high, strict=True)
    )
    return replace(thing, x=x, y=y)


def reach(thing: Thing, overhang: float) -> tuple[np.ndarray, np.ndarray]:
    """The corner points ([2] each: x, y) of the box the thing covers over the whole clip, less the overhang allowed
    outside the frame.
    """
    pose = poses(thing, np.linspace(-CLIP_SECONDS / 2, CLIP_SECONDS / 2, 41))
    half = pose.scale[:, None] * (0.5 - overhang)
    return (pose.centre - half).min(axis=0), (pose.centre + half).max(axis=0)


def sample_pair(rng: np.random.Generator, names: Sequence[str], style: str) -> tuple[Thing, ...]:
    """Two things side by side, moving alike or each in its own way (then only in ways that keep them apart)."""
    apart = tuple(motion for motion in MOTIONS if motion not in ("left", "right", "circle"))
    motions = (
        [str(rng.choice(MOTIONS))] * 2 if rng.random() < 0.5 else [str(m) for m in rng.choice(apart, 2, replace=False)]
    )
    speed = sample_speed(rng, motions[0])
    placed = []
    for column, name, motion in zip((0.27, 0.73), names, motions, strict=True):
        pace = speed if motions[0] == motions[1] else 1.0
        if motion in ("left", "right"):
            pace = min(pace, 1.0)  # or one of the two would leave the frame
        thing = sample_thing(rng, name, style, motion, size=float(rng.uniform(0.36, 0.44)), speed=pace)
        placed.append(replace(thing, x=column + float(rng.uniform(-0.02, 0.02))))
    return tuple(placed)


def sample_beside_local(rng: np.random.Generator, name: str, style: str, part: str) -> tuple[Thing, ...]:
    """A thing that stands still, to the left of the part that moves in place."""
    if part == "water":
        return (sample_thing(rng, name, style, "still"),)
    thing = sample_thing(rng, name, style, "still", size=float(rng.uniform(0.42, 0.55)))
    return (replace(thing, x=float(rng.uniform(0.28, 0.36)), y=float(rng.uniform(0.42, 0.65))),)
