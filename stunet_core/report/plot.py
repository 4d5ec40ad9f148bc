"""A small plot, drawn with OpenCV: curves over the frames of a clip."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

Colour = tuple[int, int, int]

PAPER, INK, FAINT = (250, 250, 250), (40, 40, 40), (215, 215, 215)
COLOURS: tuple[Colour, ...] = ((31, 119, 180), (214, 82, 39), (44, 140, 60), (148, 103, 189))
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 26, 22  # margins of a panel, pixels
FONT, SMALL = cv2.FONT_HERSHEY_SIMPLEX, 0.36


@dataclass(frozen=True)
class Panel:
    """Curves that share an axis: name -> values, one for each pair of neighbouring frames; `joints` are marked."""

    title: str
    curves: dict[str, np.ndarray]
    joints: Sequence[int] = ()


def plot(panels: Sequence[Panel], width: int = 560, height: int = 150) -> np.ndarray:
    """Panels one below the other -> H W 3 uint8 RGB, each `height` high."""
    return np.concatenate([draw(panel, width, height) for panel in panels])


def draw(panel: Panel, width: int, height: int) -> np.ndarray:
    """One panel -> height width 3 uint8 RGB."""
    out = np.full((height, width, 3), PAPER, np.uint8)
    inner_w, inner_h = width - LEFT - RIGHT, height - TOP - BOTTOM
    count = max((len(values) for values in panel.curves.values()), default=0)
    top = ceiling(max((float(values.max()) for values in panel.curves.values() if len(values)), default=0.0))

    def place(i: float, value: float) -> tuple[int, int]:
        return LEFT + round(i / max(1, count - 1) * inner_w), TOP + round((1 - value / top) * inner_h)

    for part in (0.0, 0.5, 1.0):
        cv2.line(out, place(0, part * top), (width - RIGHT, place(0, part * top)[1]), FAINT, 1)
        write(out, f"{part * top:g}", (4, place(0, part * top)[1] + 4), INK)
    for i in ticks(count):
        x, y = place(i, 0)
        cv2.line(out, (x, y), (x, y + 3), INK, 1)
        write(out, str(i), (x - 3 * len(str(i)), height - 8), INK)
    write(out, "frame", (6, height - 8), INK)
    for joint in panel.joints:
        cv2.line(out, place(joint - 1, 0), place(joint - 1, top), FAINT, 2)
    x = LEFT + write(out, panel.title, (LEFT, 16), INK) + 16
    for (name, values), colour in zip(panel.curves.items(), COLOURS, strict=False):
        points = np.array([place(i, float(value)) for i, value in enumerate(values)], np.int32).reshape(-1, 1, 2)
        cv2.polylines(out, [points], False, colour, 1, cv2.LINE_AA)
        x += write(out, name, (x, 16), colour) + 12
    return out


def ticks(count: int, most: int = 9) -> list[int]:
    """At most so many round frame numbers of 0 to `count` - 1, evenly apart, the first one 0."""
    apart = ceiling(max(1, count - 1) / (most - 1))
    return list(range(0, max(1, count), max(1, round(apart))))


def write(out: np.ndarray, text: str, at: tuple[int, int], colour: Colour) -> int:
    """Write a line of text, its lower left corner `at`; returns how wide it is."""
    cv2.putText(out, text, at, FONT, SMALL, colour, 1, cv2.LINE_AA)
    return cv2.getTextSize(text, FONT, SMALL, 1)[0][0]


def ceiling(value: float) -> float:
    """The next of 1, 2, 5, 10, ... at or above `value`, for an axis; 1 for zero."""
    if not value > 0:
        return 1.0
    step = 10.0 ** np.floor(np.log10(value))
    return float(next(s * step for s in (1, 2, 5, 10) if s * step >= value * 0.9999))
