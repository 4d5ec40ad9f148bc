"""Sizes that a model can be trained in: of about as many pixels each, of different shapes."""

from math import log

WIDEST = 2.0  # width / height at most, and height / width


def buckets(size: int, multiple: int) -> list[tuple[int, int]]:
    """(width, height), each a multiple of `multiple`, of at most size x size pixels; the square one is the first.

    Raises ValueError when `size` is no multiple itself.
    """
    if size < multiple or size % multiple:
        near = max(multiple, round(size / multiple) * multiple)
        raise ValueError(f"size: {size} is no multiple of {multiple}, which this U-Net needs; give {near}")
    found = [(size, size)]
    for width in range(size + multiple, size * size // multiple + 1, multiple):
        height = size * size // width // multiple * multiple
        if height and width / height <= WIDEST:
            found += [(width, height), (height, width)]
    return found


def nearest(sizes: list[tuple[int, int]], width: int, height: int) -> tuple[int, int]:
    """The size whose shape is nearest to that of a video, so that least is cropped."""
    return min(sizes, key=lambda size: abs(log(size[0] / size[1]) - log(width / height)))
