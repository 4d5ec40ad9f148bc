"""Decide what each phrase means where it may mean two things: "orange" a colour or a fruit, "mountain" a thing or a background."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .phrases import Match
from .tables import NAME, Language, Sense

PRIORITY = ("local", "camera", "verb", "act", "absent", "background", "count", "style", "speed", "size", "colour", "place", "direction",
            "ground", "preposition", "join", "article", "ignored", "thing")
ADJECTIVES = frozenset({"colour", "size", "style", "ignored", "speed"})
NO_NOUNS = frozenset({"verb", "act", "direction", "camera", "ignored", "preposition", "article", "join", "speed"})
NEVER_A_THING = frozenset({"sunset sky", "night sky", "space", "snow", "water", "grass", "blue", "room", "forest", "city"})
TRAVELS = frozenset({"move", "drive", "run", "walk", "sail", "swim", "fly", "float", "spin", "turn", "climb", "rise", "fall", "sink"})


@dataclass(frozen=True)
class Item:
    """A phrase with the one meaning that was chosen; kind "unknown" if it has none, "stop" for a comma or the like."""

    kind: str
    sense: Sense
    match: Match

    @property
    def value(self) -> str:
        return self.sense.value


def decide(matches: Sequence[Match], language: Language) -> list[Item]:
    """One item a match, in their order."""
    first = [one_sense(matches, index, language) for index in range(len(matches))]
    return settle_backgrounds(drop_modifiers(first, language))


def one_sense(matches: Sequence[Match], index: int, language: Language) -> Item:
    """The meaning of a match by its neighbours. Of a background that is also a thing both are kept: kind "either"."""
    match = matches[index]
    if match.stop:
        return Item("stop", Sense("stop", ""), match)
    kinds = [sense.kind for sense in sorted(match.senses, key=lambda sense: PRIORITY.index(sense.kind))]
    if not kinds:
        return Item("unknown", Sense("unknown", match.typed), match)
    thing = match.sense("thing")
    kind = kinds[0]
    if thing and thing.quality >= NAME and len(kinds) > 1:
        counted = "count" in kinds_of(neighbour(matches, index - 1))
        if (kind == "colour" and not is_colour(matches, index, language)) or (kind in ("verb", "act") and is_noun(matches, index)) \
                or (kind == "background" and counted):
            kind = "thing"
        elif kind == "background" and not_always_background(match):
            kind = "either"
    elif kind == "verb" and "ground" in kinds and is_ground(matches, index):
        kind = "ground"
    elif "direction" in kinds and "place" in kinds:
        kind = "direction" if travels_before(matches, index) else "place"
    sense = match.sense("background" if kind == "either" else kind)
    assert sense is not None
    return Item(kind, sense, match)


def not_always_background(match: Match) -> bool:
    """Whether what may be a background can be shown as a thing too: a mountain, but not a sunset."""
    sense = match.sense("background")
    return sense is not None and sense.value not in NEVER_A_THING


def kinds_of(match: Match | None) -> frozenset[str]:
    """What a match may be; of words such as "flying", which some label has, not a thing."""
    kinds = frozenset(sense.kind for sense in match.senses) if match and not match.stop else frozenset()
    return kinds - {"thing"} if kinds & NO_NOUNS else kinds


def neighbour(matches: Sequence[Match], index: int) -> Match | None:
    """The match at a place, None beyond the ends."""
    return matches[index] if 0 <= index < len(matches) else None


def is_colour(matches: Sequence[Match], index: int, language: Language) -> bool:
    """Whether a word that is a colour and a thing ("orange", "rose") is the colour here: beside a thing or "background"."""
    before, after = kinds_of(neighbour(matches, index - 1)), kinds_of(neighbour(matches, index + 1))
    if language.adjectives == "after":
        return bool(before & {"thing", "ground", "size", "style"})
    if "preposition" in before and not after - {"join"}:
        return True
    return bool(after & {"thing", "ground"}) or (bool(after & {"size", "style", "colour"}) and not after & {"verb"}) \
        or ("ignored" in after and language.code in ("zh", "ja"))


def is_noun(matches: Sequence[Match], index: int) -> bool:
    """Whether a word that is a verb and a thing ("fly") is the thing here: after an article, and with no noun behind it."""
    before, after = kinds_of(neighbour(matches, index - 1)), kinds_of(neighbour(matches, index + 1))
    return bool(before & {"article", "count", "size", "colour"}) and "thing" not in after


def is_ground(matches: Sequence[Match], index: int) -> bool:
    """Whether a word that is a verb and "background" (French "fond") is the background here: beside a preposition or a colour."""
    before, after = kinds_of(neighbour(matches, index - 1)), kinds_of(neighbour(matches, index + 1))
    return bool(before & {"preposition", "article"} or after & {"colour"})


def travels_before(matches: Sequence[Match], index: int) -> bool:
    """Whether something travels in the same clause, so that "to the left" says where it goes."""
    for match in reversed(matches[:index]):
        if match.stop:
            return False
        verb = match.sense("verb")
        if verb:
            return verb.value in TRAVELS
    return False


def drop_modifiers(items: Sequence[Item], language: Language) -> list[Item]:
    """Of two nouns side by side only the one that is meant stays: "chocolate cake" is a cake."""
    out = list(items)
    for index in range(len(out) - 1):
        one, two = out[index], out[index + 1]
        if one.kind == two.kind == "thing" and one.match.end == two.match.start and (one.match.bare or language.code != "ko"):
            last = language.head == "last" if (one.sense.quality >= NAME) == (two.sense.quality >= NAME) else two.sense.quality >= NAME
            gone = index if last else index + 1
            out[gone] = Item("modifier", out[gone].sense, out[gone].match)
    return out


def settle_backgrounds(items: Sequence[Item]) -> list[Item]:
    """What is a background or a thing is the background after a preposition or when something else is the thing."""
    out = list(items)
    taken = any(item.kind == "thing" for item in out)
    for index, item in enumerate(out):
        if item.kind == "either" and (taken or after_preposition(out[:index])):
            out[index] = Item("background", item.sense, item.match)
    for index, item in enumerate(out):
        if item.kind == "either":
            thing = item.match.sense("thing")
            assert thing is not None
            out[index] = Item("background", item.sense, item.match) if taken else Item("thing", thing, item.match)
            taken = True
    return out


def after_preposition(before: Iterable[Item]) -> bool:
    """Whether the last of these, articles and adjectives aside, is a preposition ("in the hot desert")."""
    for item in reversed(list(before)):
        if item.kind == "preposition":
            return True
        if item.kind not in ADJECTIVES and item.kind not in ("article", "count", "unknown"):
            return False
    return False
