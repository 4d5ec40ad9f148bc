"""The names of the world's colours and backgrounds: plain colours and thirteen pictures."""

from __future__ import annotations

COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (12, 12, 14),
    "white": (246, 246, 246),
    "red": (205, 28, 36),
    "orange": (245, 135, 20),
    "yellow": (250, 218, 60),
    "green": (40, 160, 62),
    "blue": (35, 85, 215),
    "purple": (128, 48, 180),
    "pink": (250, 150, 195),
    "teal": (10, 140, 140),
    "gray": (132, 134, 138),
    "brown": (112, 70, 38),
}
PICTURES = ("sunset sky", "night sky", "grass", "water", "checkerboard", "snow", "desert", "beach", "forest", "city", "space", "mountains",
            "room")
BACKGROUNDS = tuple(COLOURS) + PICTURES
