"""Which thing of a prompt a picture of the user's own shows: a noun that nobody knows ("my mascot"), a known one, or none that is said."""

from __future__ import annotations

from collections.abc import Sequence

from .phrases import Match
from .senses import ADJECTIVES, Item
from .tables import Sense

ANY, FIRST, SECOND = "auto", "first", "second"
WHICH = ANY, FIRST, SECOND
BEFORE_NOUNS = ADJECTIVES | {"article", "count"}


def with_own(items: Sequence[Item], which: Sequence[str]) -> tuple[list[Item], dict[int, int]]:
    """(the items, those that own pictures show as things; where each of those is -> which of the pictures shows it)

    Args:
        items: of `decide`.
        which: for each picture one of `WHICH`: "auto" is the first noun that nobody knows, else the first thing. Of two pictures for
            one thing the last one counts.

    Raises:
        ValueError: when the prompt does not name that many things.
    """
    out = list(items)
    nouns = [at for at in range(len(out)) if out[at].kind == "thing" or is_unknown_noun(out, at)]
    if which and not nouns:
        nouns = [unsaid(out)]
        out.insert(nouns[0], nobody(out, nouns[0]))
    nouns = [at for k, at in enumerate(nouns) if not same_before(out, nouns[:k], at)]
    shown: dict[int, int] = {}
    for picture, place in enumerate(which):
        if place not in WHICH:
            raise ValueError(f'which: "{place}" is none of {", ".join(WHICH)}')
        free = [at for at in nouns if at not in shown]
        if place == ANY:
            found = next((at for at in free if out[at].kind == "unknown"), free[0] if free else None)
        else:
            index = 0 if place == FIRST else 1
            found = nouns[index] if index < len(nouns) else None
        if found is None:
            names = ", ".join(out[at].match.typed or "it" for at in nouns)
            raise ValueError(f"which: the prompt names one thing ({names}); name a second one, such as \"and my mascot\", or choose first")
        shown[found] = picture
    for at in shown:
        if out[at].kind != "thing":
            out[at] = Item("thing", Sense("thing", out[at].match.typed, -1 - at), out[at].match)
    return out, shown


def is_unknown_noun(items: Sequence[Item], at: int) -> bool:
    """Whether a word that nobody knows may be a thing: no adjective of what is behind it, and not only where something is."""
    if items[at].kind != "unknown" or (at + 1 < len(items) and items[at + 1].kind in ("thing", "unknown")):
        return False
    before = at - 1
    while before >= 0 and items[before].kind in BEFORE_NOUNS | {"unknown"}:
        before -= 1
    return before < 0 or items[before].kind != "preposition"


def same_before(items: Sequence[Item], nouns: Sequence[int], at: int) -> bool:
    """Whether a thing of the book was named before."""
    return items[at].kind == "thing" and items[at].sense.entry in {items[noun].sense.entry for noun in nouns if items[noun].kind == "thing"}


def unsaid(items: Sequence[Item]) -> int:
    """Where a thing would stand that the prompt calls "it" or not at all: behind the words that may stand before a noun."""
    return next((at for at, item in enumerate(items) if item.kind not in BEFORE_NOUNS), len(items))


def nobody(items: Sequence[Item], at: int) -> Item:
    """A word that nobody wrote, with the weight of its neighbour."""
    beside = items[at - 1] if at else items[at] if items else None
    start = 0 if beside is None else beside.match.end if at else beside.match.start
    return Item("unknown", Sense("unknown", ""), Match(start, start, "", beside.match.weight if beside else 1.0))
