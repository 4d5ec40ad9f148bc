"""A number over sampling, written as keyframes: "0: 0, 0.5: 1" is 0 at the start and 1 from the middle on."""

import itertools

BETWEEN = 8  # values that stand for the line between two keyframes


def read_keyframes(name: str, text: str) -> tuple[tuple[float, float], ...]:
    """ "0: 0, 0.5: 1" -> ((0.0, 0.0), (0.5, 1.0)), in order of time; "" -> ().

    Raises:
        ValueError: naming the input `name`, when it reads otherwise, or a time or a value is outside 0 to 1.
    """
    points: dict[float, float] = {}
    for part in filter(str.strip, text.split(",")):
        try:
            at, value = (float(number) for number in part.split(":"))
        except ValueError as error:
            raise ValueError(f"{name}: {part.strip()!r} is no keyframe; write time: value with commas between them, such as "
                             "0: 0, 0.5: 1, or nothing") from error
        if not (0 <= at <= 1 and 0 <= value <= 1):
            raise ValueError(f"{name}: {part.strip()!r}; times go from 0 (the start of sampling) to 1 (the end), values from 0 to 1")
        if at in points:
            raise ValueError(f"{name}: the time {at:g} is there twice")
        points[at] = value
    return tuple(sorted(points.items()))


def stairs(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Keyframes -> (time, value held from then on), beginning at 0: straight lines between them in `BETWEEN` steps."""
    out = [(0.0, points[0][1])]
    for (at, value), (then, other) in itertools.pairwise(points):
        steps = BETWEEN if other != value else 1
        out += [(at + (then - at) * i / steps, value + (other - value) * i / steps) for i in range(1, steps + 1)]
    return tuple(out)
