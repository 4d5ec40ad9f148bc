"""How fast a thing moves, read off its path: direction, speed and period against what the caption asked for.

A path is where a thing's middle is in every frame and how much of the frame it covers, as `Judges.follow` sees it or as the
renderer knows it. Speeds are in the world's unit: 1 is normal, 0.6 "slowly", 1.5 "quickly" (`training.world.motion`).
"""

import math
from dataclasses import dataclass

import numpy as np

from ..world import Scene
from ..world.motion import BOUNCES, CIRCLES, CLIP_SECONDS, GROWTH, SHAKE_HERTZ, SWINGS, TRAVEL

AXIS = {"left": (0, -1.0), "right": (0, 1.0), "up": (1, -1.0), "down": (1, 1.0)}  # coordinate, sign
CYCLES = {"bounce": (1, BOUNCES), "swing": (0, SWINGS), "circle": (0, CIRCLES)}    # coordinate, cycles per clip at speed 1
SEEN = 0.6  # of the frames must show the thing


@dataclass(frozen=True)
class Track:
    """centre [F, 2] (x, y), fractions of the frame, NaN where nothing is seen; area [F], fraction of the frame."""

    centre: np.ndarray
    area: np.ndarray


def slope(values: np.ndarray) -> float:
    """The change of `values` [F] over the whole clip, by least squares through those that are finite."""
    t = np.linspace(-0.5, 0.5, len(values))
    there = np.isfinite(values)
    return float(np.polyfit(t[there], values[there], 1)[0])


def cycles(values: np.ndarray) -> float:
    """The period of `values` [F] in cycles per clip: of all sinusoids on a drift, the one that leaves the least rest."""
    there = np.isfinite(values)
    t, seen = np.linspace(0, 1, len(values))[there], values[there]
    candidates = np.arange(0.5, len(values) / 2, 1 / 32)
    rests = []
    for frequency in candidates:
        phase = 2 * math.pi * frequency * t
        basis = np.stack([np.ones_like(t), t, np.cos(phase), np.sin(phase)], axis=1)
        rests.append(np.square(seen - basis @ np.linalg.lstsq(basis, seen, rcond=None)[0]).sum())
    return float(candidates[int(np.argmin(rests))])


def speed(motion: str, path: Track) -> float | None:
    """The speed at which a thing that is moving like `motion` does so; negative: the other way.

    None for motions whose speed does not show in a path (still, spin) and for things that are hardly ever seen.
    """
    if motion in ("still", "spin") or np.isfinite(path.centre).all(1).mean() < SEEN:
        return None
    if motion in AXIS:
        coordinate, sign = AXIS[motion]
        return sign * slope(path.centre[:, coordinate]) / TRAVEL
    if motion in ("grow", "shrink"):
        side = np.where(path.area > 0, np.sqrt(np.maximum(path.area, 1e-6)), np.nan)
        return slope(np.log(side)) / math.log(GROWTH) * (1 if motion == "grow" else -1)
    if motion == "shake":
        return float((cycles(path.centre[:, 0]) / CLIP_SECONDS / SHAKE_HERTZ) ** (1 / 0.8))
    coordinate, normal = CYCLES[motion]
    return cycles(path.centre[:, coordinate]) / normal


def says_speed(scene: Scene) -> bool:
    """Whether the caption of a scene with one thing, seen by a camera that stands still, tells how fast it moves: by a word, or by a
    motion without one."""
    named = scene.named
    return len(scene.things) == 1 and scene.camera is None and "motion" in named and ("speed" in named or scene.things[0].pace == "normal")


def speed_error(scene: Scene, path: Track) -> float | None:
    """|measured - asked| / asked, 1 or more when it moves the other way; None where the caption asks for nothing."""
    if not says_speed(scene):
        return None
    asked = scene.things[0].speed
    found = speed(scene.things[0].motion, path)
    return None if found is None else abs(found - asked) / asked


def track_correlation(a: Track, b: Track) -> float | None:
    """How alike two things move: the correlation of their places and sizes about their means over time; 1 is the same motion, however far.

    None where one stands still or is hardly ever seen.
    """
    both = np.isfinite(a.centre).all(1) & np.isfinite(b.centre).all(1)
    if both.mean() < SEEN:
        return None
    paths = [np.column_stack([one.centre, np.sqrt(one.area)])[both] for one in (a, b)]
    first, second = (path - path.mean(0) for path in paths)
    length = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float((first * second).sum() / length) if length > 0 else None
