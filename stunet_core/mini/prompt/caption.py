"""What was read, in the words of the training captions."""

from __future__ import annotations

from collections.abc import Sequence

from .text import IRREGULAR
from .things import Chosen

NAMELESS = "zzz"  # no word of any vocabulary: only the picture says what it is
ALWAYS_PLURAL = frozenset({"cherries", "grapes", "fries", "scissors"})
STYLES = {"3d": "3d style {}", "flat": "flat {}", "line": "line art {}", "cartoon": "cartoon {}"}
SPEEDS = {"slow": "slowly", "fast": "quickly"}
COUNTS = {2: "two", 3: "three"}
BACKGROUNDS = {  # (behind the thing, alone)
    "sunset sky": ("at sunset", "sunset sky"), "night sky": ("in the night sky", "night sky"), "grass": ("on the grass", "grass meadow"),
    "water": ("on the water", "water"), "snow": ("in the snow", "snowy landscape"), "desert": ("in the desert", "desert"),
    "beach": ("on the beach", "beach"), "forest": ("in the forest", "forest"), "city": ("in the city", "city"),
    "space": ("in space", "space"), "mountains": ("in the mountains", "mountains"),
    "room": ("in a room", "room"), "checkerboard": ("on a checkerboard", "checkerboard"),
}
PLACES = {
    "left": "on the left", "right": "on the right", "top": "at the top", "bottom": "at the bottom", "top left": "in the top left corner",
    "top right": "in the top right corner", "bottom left": "in the bottom left corner", "bottom right": "in the bottom right corner",
    "middle": "in the middle",
}
CAMERAS = {
    "pan left": "the camera pans left", "pan right": "the camera pans right", "tilt up": "the camera tilts up",
    "tilt down": "the camera tilts down", "zoom in": "the camera zooms in", "zoom out": "the camera zooms out",
}

Words = list[tuple[str, float]]


def weighted(phrase: str, weight: float = 1.0) -> Words:
    """The words of a phrase, all of one weight."""
    return [(word, weight) for word in phrase.split()]


def background_words(background: str, alone: bool) -> str:
    """A background as it stands behind a thing ("on a red background") or alone ("red background")."""
    if background in BACKGROUNDS:
        return BACKGROUNDS[background][alone]
    article = "an" if background[0] in "aeiou" else "a"
    return f"{background} background" if alone else f"on {article} {background} background"


def plural(name: str) -> str:
    """As the training captions form it."""
    many = {single: word for word, single in IRREGULAR.items()}
    if name in many or name in ("sheep", "fish", NAMELESS):
        return many.get(name, name)
    if name in ALWAYS_PLURAL or (name.endswith("s") and name not in ("bus", "octopus", "cactus")):
        return name
    if name.endswith(("ch", "sh", "x", "s")):
        return name + "es"
    return name[:-1] + "ies" if name.endswith("y") and name[-2] not in "aeiou" else name + "s"


def thing_words(thing: Chosen, spoken: str, style: tuple[str, float] | None, alone: bool) -> Words:
    """A thing as a noun phrase: article or count, size, style, colour, name."""
    name = plural(spoken) if thing.count > 1 else spoken
    weight = thing.item.match.weight
    noun = weighted(f"{thing.colour}", thing.weights.get("colour", weight)) if thing.colour else []
    noun = noun + weighted(name, weight)
    if style:
        before, _, behind = STYLES[style[0]].partition("{}")
        noun = weighted(before, style[1]) + noun + weighted(behind, style[1])
    if thing.size and alone:
        noun = weighted(thing.size, thing.weights.get("size", weight)) + noun
    first = noun[0][0]
    article = COUNTS[thing.count] if thing.count > 1 else "some" if spoken in ALWAYS_PLURAL else \
        "an" if first[0] in "aeiou" and not first.startswith("uni") else "a"
    return weighted(article, weight) + noun


def caption_words(things: Sequence[Chosen], spoken: Sequence[str], concepts: dict[str, tuple[str, float]]) -> Words:
    """The whole caption. `concepts` has (value, weight) of "style", "speed", "background", "place", "camera" and "local"."""
    phrases = [thing_words(thing, name, concepts.get("style"), len(things) == 1) for thing, name in zip(things, spoken, strict=True)]
    doing = [weighted(thing.said, thing.weights.get("motion", 1.0)) for thing in things]
    apart = len(things) > 1 and things[0].place == "left" and things[1].place == "right"
    if apart:
        phrases = [words + weighted(f"on the {side}") for words, side in zip(phrases, ("left", "right"), strict=True)]
    if len(things) > 1 and doing[0] and doing[1] and doing[0] != doing[1]:
        words = [*phrases[0], *doing[0], ("and", 1.0), *phrases[1], *doing[1]]
    elif len(things) > 1:
        words = [*phrases[0], ("and", 1.0), *phrases[1], *(doing[0] or doing[1])]
    else:
        words = [*phrases[0], *doing[0]] if things else []
    if "speed" in concepts and any(thing.motion not in (None, "still") for thing in things):
        words += weighted(SPEEDS[concepts["speed"][0]], concepts["speed"][1])
    if len(things) == 1 and "place" in concepts:
        words += weighted(PLACES[concepts["place"][0]], concepts["place"][1])
    if "local" in concepts:
        words += weighted(*concepts["local"])
    if "background" in concepts:
        value, weight = concepts["background"]
        words += weighted(background_words(value, not things), weight)
    if "camera" in concepts:
        value, weight = concepts["camera"]
        words += weighted(CAMERAS[value], weight)
    return words
