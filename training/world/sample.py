"""Draw scenes at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.world.camera import CAMERAS
from training.world.held_out import is_held_out
from training.world.motion import CLIP_SECONDS, MOTIONS, poses
from training.world.palette import BACKGROUNDS, COLOURS, PICTURES
from training.world.scene import LOCALS, PLACES, SIZES, SPEEDS, STYLES, Scene, Thing, within
from training.world.sprites import close_to_colour

CLASH = 0.45  # a thing of which this share has the background's colour cannot be judged: such pairs are not sampled
STAYING = ("still", "bounce", "spin", "grow", "shrink", "swing", "circle", "shake")  # motions that keep a thing at its place


def clashes(thing: str, style: str, background: str, colour: str | None = None) -> bool:
    """Whether most of the thing has the background's colour, so that it could not be seen."""
    if colour == background:
        return True
    return background in COLOURS and close_to_colour(thing, style, COLOURS[background], colour) > CLASH


def sample_scene(
    rng: np.random.Generator,
    objects: Sequence[str],
    *,
    two: float = 0.12,
    local: float = 0.05,
    camera: float = 0.10,
    colour: float = 0.15,
    variant: float = 0.0,
    held_out: bool = False,
    styles: Sequence[str] = STYLES,
    motions: Sequence[str] = MOTIONS,
) -> Scene:
    """Draw a scene. `two`, `local`, `camera`, `colour` and `variant` are the shares of scenes with two or three things,
    with a part that moves in place, with a moving camera, with painted things, and with things of a look of their own;
    `motions` those that a single thing may have, one named twice being twice as likely.

    Held-out combinations (`is_held_out`) never come with `held_out=False`, and always with `held_out=True`. The scene
    depends only on the generator's state and the arguments. ValueError for an unknown object or style, or shares
    outside 0..1.
    """
    if not objects:
        raise ValueError("objects: is empty; give at least one object name")
    for name, share in (("two", two), ("local", local), ("camera", camera), ("colour", colour), ("variant", variant)):
        within(name, share, 0.0, 1.0)
    for _ in range(10000):
        kind = rng.random()
        part = str(rng.choice(LOCALS)) if kind < local else None
        pair = local <= kind < local + two and len(objects) > 1
        style = str(rng.choice(styles))
        background = "water" if part == "water" else str(rng.choice(BACKGROUNDS))
        moved = str(rng.choice(CAMERAS)) if not part and not pair and rng.random() < camera else None
        if moved:
            background = str(rng.choice(PICTURES))
        names = [str(objects[i]) for i in rng.choice(len(objects), 2 if pair else 1, replace=False)]
        if pair and (same := rng.random()) < 0.3:
            names = names[:1] * (2 if same < 0.18 else 3)  # "two rockets", "three rockets"
        paints: list[str | None] = [str(rng.choice(tuple(COLOURS))) if rng.random() < colour else None for _ in names]
        if len(set(names)) == 1:
            paints = paints[:1] * len(names)
        if any(clashes(name, style, background, paint) for name, paint in zip(names, paints, strict=True)):
            continue
        if part:
            things = sample_beside_local(rng, names[0], style, part)
        elif pair:
            things = sample_several(rng, names, style)
        elif moved:
            things = (sample_thing(rng, names[0], style, "still", size=float(rng.uniform(0.42, 0.5))),)
        else:
            things = (sample_sized(rng, names[0], style, motions),)
        look = int(rng.integers(1, 2**31)) if rng.random() < variant else 0
        things = tuple(replace(thing, colour=paint, variant=look) for thing, paint in zip(things, paints, strict=True))
        named = sample_named(rng, things, part)
        if moved:
            named = (named | {"camera"}) - ({"motion"} if rng.random() < 0.7 else frozenset())
        scene = Scene(things, background, int(rng.integers(2**31)), part, moved, named)
        if is_held_out(scene) == held_out:
            return scene
    raise ValueError("objects, styles: no scene of these is " + ("held out" if held_out else "left for training"))


def sample_sized(rng: np.random.Generator, name: str, style: str, motions: Sequence[str]) -> Thing:
    """A single thing; one in eight has a size that captions name, one in eight a place."""
    kind = rng.random()
    if kind < 0.125:
        word = str(rng.choice(tuple(SIZES)))
        size = float(rng.uniform(*SIZES[word]))
        motion = str(rng.choice(motions if size < 0.6 else STAYING))
        return replace(sample_thing(rng, name, style, motion, size=size, keep_size=True), sized=word)
    if kind < 0.25:
        word = str(rng.choice(tuple(PLACES)))
        size = float(rng.uniform(0.34, 0.46))
        thing = sample_thing(rng, name, style, str(rng.choice(STAYING)), size=size)
        dx, dy = PLACES[word]
        x, y = 0.5 + dx * float(rng.uniform(0.20, 0.27)), thing.y + dy * float(rng.uniform(0.17, 0.24))
        return replace(thing, x=x, y=y, placed=word)
    return sample_thing(rng, name, style, str(rng.choice(motions)))


def sample_named(rng: np.random.Generator, things: tuple[Thing, ...], part: str | None) -> frozenset[str]:
    """Which attributes the caption will name: style is left out of 15 % of captions, background and motion of 10 % each."""
    named = {"object"}
    named |= {"style"} if rng.random() > 0.15 else set()
    named |= {"background"} if rng.random() > 0.10 else set()
    named |= {"motion"} if rng.random() > 0.10 else set()
    named |= {"local"} if part else set()
    named |= {"colour"} if any(thing.colour for thing in things) else set()
    named |= {"size"} if things[0].sized else set()
    named |= {"place"} if things[0].placed and (things[0].placed != "middle" or rng.random() < 0.5) else set()
    paced = any(thing.pace != "normal" and thing.motion != "still" for thing in things)
    if paced and len(things) == 1 and "motion" in named and rng.random() < 0.75:
        named.add("speed")
    return frozenset(named)


def sample_speed(rng: np.random.Generator, motion: str) -> float:
    if motion == "still":
        return 1.0
    return float(SPEEDS[str(rng.choice(tuple(SPEEDS), p=(0.2, 0.6, 0.2)))] * rng.uniform(0.93, 1.07))


def sample_thing(
    rng: np.random.Generator,
    name: str,
    style: str,
    motion: str,
    size: float | None = None,
    speed: float | None = None,
    keep_size: bool = False,
) -> Thing:
    """A thing near the middle of the frame at the clip's middle, its whole path inside but for a small overhang (a
    fifth of its size in every fourth scene); unless `keep_size`, it is made smaller until that is so.
    """
    speed = sample_speed(rng, motion) if speed is None else speed
    size = float(np.clip(rng.normal(0.66, 0.012), 0.62, 0.70)) if size is None else size
    phase = float(rng.uniform(0, 2 * math.pi))
    overhang = 0.2 if rng.random() < 0.25 else 0.05
    thing = Thing(name, style, size, 0.5, 0.5, motion, speed, phase)
    for _ in range(20):
        low, high = reach(thing, overhang)
        if np.all(high - low <= 1.0) or thing.size < 0.36 or keep_size:
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


def sample_several(rng: np.random.Generator, names: Sequence[str], style: str) -> tuple[Thing, ...]:
    """Two or three things side by side; two move alike, or each in its own way (then only in ways that keep them apart)."""
    apart = tuple(motion for motion in MOTIONS if motion not in ("left", "right", "circle"))
    motions = (
        [str(rng.choice(apart if len(names) > 2 else MOTIONS))] * len(names)
        if rng.random() < 0.5 or len(names) > 2
        else [str(m) for m in rng.choice(apart, 2, replace=False)]
    )
    speed = sample_speed(rng, motions[0])
    placed = []
    for column, name, motion in zip((0.27, 0.73) if len(names) == 2 else (0.2, 0.5, 0.8), names, motions, strict=True):
        pace = speed if motions[0] == motions[1] else 1.0
        if motion in ("left", "right"):
            pace = min(pace, 1.0)  # or one of the two would leave the frame
        size = float(rng.uniform(0.36, 0.44)) * (1.0 if len(names) == 2 else 0.72)
        thing = sample_thing(rng, name, style, motion, size=size, speed=pace, keep_size=len(names) > 2)
        placed.append(replace(thing, x=column + float(rng.uniform(-0.02, 0.02))))
    return tuple(placed)


def sample_beside_local(rng: np.random.Generator, name: str, style: str, part: str) -> tuple[Thing, ...]:
    """A thing that stands still, to the left of the part that moves in place."""
    if part == "water":
        return (sample_thing(rng, name, style, "still"),)
    thing = sample_thing(rng, name, style, "still", size=float(rng.uniform(0.42, 0.55)))
    return (replace(thing, x=float(rng.uniform(0.28, 0.36)), y=float(rng.uniform(0.42, 0.65))),)
