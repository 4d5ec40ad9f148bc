"""Choose what of a prompt is shown: at most two things of the book, each with its colour, count and motion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .senses import ADJECTIVES, TRAVELS, Item
from .tables import KEYWORD, Language

SLOTS = 2
RISING = frozenset({"rocket", "ufo", "balloon", "ghost", "fireworks"})  # what flies upwards when no direction is said
BOATS = frozenset({"sailboat", "ship", "canoe", "speedboat", "motor boat", "ferry", "passenger ship"})  # they sail where others swim
CAMERAS = frozenset({"camera", "video camera", "movie camera", "camera with flash"})


@dataclass
class Chosen:
    """A thing of the prompt while it is read: its place among the items, and what belongs to it."""

    at: int
    item: Item
    count: int = 1
    colour: str | None = None
    size: str | None = None
    place: str | None = None
    motion: str | None = None
    said: str = ""
    own: int | None = None
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """What is shown, what was left out as a third thing, and items too vague to be shown beside surer ones."""

    shown: tuple[Chosen, ...]
    left_out: tuple[Item, ...]
    vague: tuple[Item, ...]


def choose_things(items: Sequence[Item], language: Language, motions: Mapping[str, Mapping[str, str]],
                  own: Mapping[int, int] | None = None) -> Choice:
    """The first two different things, with their colours, counts, sizes, places and motions; the left one first.

    `own`: where things are that pictures of the user's own show, and which; they are shown before others.
    """
    own = own or {}
    filmed = any(item.kind == "camera" for item in items)
    nouns = [(at, item) for at, item in enumerate(items) if item.kind == "thing" and not (filmed and item.value in CAMERAS)]
    sure = any(item.sense.quality > KEYWORD for _, item in nouns)
    vague = tuple(item for at, item in nouns
                  if sure and item.sense.quality <= KEYWORD and at not in own and not stands_as_noun(items, at))
    different: dict[int, tuple[int, Item]] = {}
    for at, item in nouns:
        if item not in vague:
            different.setdefault(item.sense.entry, (at, item))
    kept = sorted(different.values(), key=lambda found: found[0] not in own)  # stable: otherwise in their order
    shown = [Chosen(at, item, own=own.get(at)) for at, item in sorted(kept[:SLOTS], key=lambda found: found[0])]
    for thing in shown:
        thing.count, thing.size = count_of(items, thing.at, language), near(items, thing.at, "size", language)
        thing.colour, thing.place = near(items, thing.at, "colour", language), place_of(items, thing.at, shown)
        for kind in ("size", "colour"):
            thing.weights[kind] = item_weight(items, thing.at, kind)
    give_colours(items, shown)
    give_motions(items, shown, language, motions)
    if len(shown) == SLOTS and (shown[0].place == "right" or shown[1].place == "left") and shown[0].place != "left":
        shown.reverse()
    return Choice(tuple(shown), tuple(item for _, item in kept[SLOTS:]), vague)


def stands_as_noun(items: Sequence[Item], at: int) -> bool:
    """Whether an article or a count says that this is a thing of its own, and no preposition that it is only where something is."""
    before = at - 1
    while before >= 0 and items[before].kind in ADJECTIVES:
        before -= 1
    if before < 0 or items[before].kind not in ("article", "count", "join"):
        return False
    return before == 0 or items[before - 1].kind != "preposition"


def walk(items: Sequence[Item], at: int, step: int, over: frozenset[str]) -> Iterator[Item]:
    """Items from beside `at` on, as long as their kinds are in `over`."""
    at += step
    while 0 <= at < len(items) and items[at].kind in over:
        yield items[at]
        at += step


def near(items: Sequence[Item], at: int, kind: str, language: Language) -> str | None:
    """The adjective of a kind that belongs to the noun at `at`: before it, in some languages first behind it."""
    before = walk(items, at, -1, ADJECTIVES | {"modifier", "unknown", "count", "article"})
    behind = walk(items, at, 1, ADJECTIVES)
    order = (behind, before) if language.adjectives == "after" else (before,)
    return next((item.value for side in order for item in side if item.kind == kind), None)


def item_weight(items: Sequence[Item], at: int, kind: str) -> float:
    """The weight of the nearest item of a kind."""
    found = [(abs(i - at), item.match.weight) for i, item in enumerate(items) if item.kind == kind]
    return min(found)[1] if found else 1.0


def give_colours(items: Sequence[Item], shown: Sequence[Chosen]) -> None:
    """Colours that stand alone: "a red and blue car" and "a car that is red" colour the thing beside them."""
    if any(thing.colour for thing in shown):
        return
    for thing in shown:
        behind = next((item for item in walk(items, thing.at, 1, ADJECTIVES | {"article", "preposition"}) if item.kind == "colour"), None)
        beside = next((item for item in walk(items, thing.at, -1, ADJECTIVES | {"join"}) if item.kind == "colour"), None)
        found = beside or behind
        if found:
            thing.colour, thing.weights["colour"] = found.value, found.match.weight
            return


def count_of(items: Sequence[Item], at: int, language: Language) -> int:
    """How many are said: before the noun, in Korean and Japanese also right behind it."""
    sides = [walk(items, at, -1, ADJECTIVES | {"count", "modifier"})]
    if language.code in ("ko", "ja"):
        sides.append(walk(items, at, 1, frozenset({"count"})))
    found = next((item for side in sides for item in side if item.kind == "count"), None)
    return int(found.value) if found else 1


def place_of(items: Sequence[Item], at: int, shown: Sequence[Chosen]) -> str | None:
    """A place said behind this thing and before the next; of a single thing wherever it is said."""
    others = [thing.at for thing in shown if thing.at != at]
    end = min((other for other in others if other > at), default=len(items))
    start = at if others else 0
    return next((item.value for item in items[start:end] if item.kind == "place"), None)


def give_motions(items: Sequence[Item], shown: Sequence[Chosen], language: Language, motions: Mapping[str, Mapping[str, str]]) -> None:
    """Each verb to the thing that does it, with the direction beside it; one motion for both things if only one is said."""
    verbs = [(at, item.value, item.match.weight) for at, item in enumerate(items) if item.kind == "verb" and not plays_something(items, at)]
    for thing in shown:  # a label may say what its thing does: "man running"
        typed = thing.item.match.typed.lower().split()
        own = {sense.value for word in typed if len(typed) > 1 and word in thing.item.value.split()
               for sense in language.phrases.get(word, ()) if sense.kind == "verb"}
        verbs += [(thing.at, verb, thing.item.match.weight) for verb in own]
    free = [at for at, item in enumerate(items) if item.kind == "direction"]
    if free and shown and not verbs:
        verbs = [(free[0], "move", items[free[0]].match.weight)]
    for at, verb, weight in verbs:
        owner = owner_of(items, at, shown)
        if owner and (owner.motion in (None, "still")):
            direction = direction_of(items, at, free) if verb in TRAVELS else None
            owner.motion, owner.said = said(verb, direction, owner.item.value, motions)
            owner.weights["motion"] = weight


def plays_something(items: Sequence[Item], at: int) -> bool:
    """Whether "playing" is what one does with a thing named behind it ("a man playing guitar"), and no motion."""
    behind = next((item for item in items[at + 1 :] if item.kind not in ADJECTIVES and item.kind != "article"), None)
    return items[at].value == "play" and behind is not None and behind.kind == "thing" and any(item.kind == "thing" for item in items[:at])


def owner_of(items: Sequence[Item], at: int, shown: Sequence[Chosen]) -> Chosen | None:
    """Who does what the verb at `at` says: the thing before it, or the one behind it when the verb stands before a noun."""
    before = max((thing for thing in shown if thing.at <= at), key=lambda thing: thing.at, default=None)
    behind = min((thing for thing in shown if thing.at > at), key=lambda thing: thing.at, default=None)
    leads = at > 0 and items[at - 1].kind in ("article", "join", "count", "stop") and behind is not None
    if leads and behind and all(item.kind in ADJECTIVES | {"modifier"} for item in items[at + 1 : behind.at]):
        return behind
    return before or behind


def direction_of(items: Sequence[Item], at: int, free: list[int]) -> str | None:
    """The direction said behind the verb and before the next one, else right before it; it is taken from `free`."""
    end = next((i for i in range(at + 1, len(items)) if items[i].kind == "verb"), len(items))
    start = next((i for i in range(at - 1, -1, -1) if items[i].kind in ("verb", "stop")), -1)
    for place in [i for i in free if at <= i < end] + [i for i in reversed(free) if start < i < at]:
        free.remove(place)
        return items[place].value
    return None


def said(verb: str, direction: str | None, name: str, motions: Mapping[str, Mapping[str, str]]) -> tuple[str, str]:
    """(motion, the caption's words for it)"""
    table = motions["sail" if verb == "swim" and name in BOATS else verb]
    if direction is None and verb == "fly" and name in RISING:
        direction = "up"
    if direction and direction in table:
        return direction, table[direction]
    return table["motion"], table["said"]
