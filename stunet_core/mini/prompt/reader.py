"""Read a prompt: what it shows, in the words that the mini model knows, and what to tell the user about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..book import Book
from .caption import NAMELESS, caption_words
from .own import with_own
from .phrases import choose_language, find_phrases
from .prompt import Prompt, Shown
from .senses import Item, decide
from .tables import NAME, NEAREST, Tables
from .text import Token, tokenise
from .things import Choice, Chosen, choose_things

DEFAULT_STYLE = "3d"
COLOUR_FILLERS = frozenset({"ignored", "article", "size"})  # may stand between a colour and the word "background"
WEAK_BACKGROUNDS = frozenset({"blue"})  # a sky gives way to any other background


def read_prompt(text: str | Sequence[tuple[str, float]], book: Book, tables: Tables, own: Sequence[str] = (),
                style: str | None = None) -> Prompt:
    """What a prompt says.

    Args:
        text: the prompt, or pieces of it with their weights, as (word:1.2) gives them.
        book: the picture book.
        tables: of `load_tables(book)`.
        own: for each picture of the user's own, which thing it shows (`own.WHICH`). It is called by a word that nobody knows, as
            things of the book are that captions had no word for.
        style: of the book, for a prompt that names none; None leaves it unsaid.

    Returns:
        The prompt as the model is told it. An empty prompt has no words and no notes.

    Raises:
        ValueError: when the prompt has no such thing as `own` says.
    """
    pieces = [(text, 1.0)] if isinstance(text, str) else list(text)
    tokens: list[Token] = [token for piece, weight in pieces for token in tokenise(piece, weight)]
    if not own and not any(not token.stop for token in tokens):
        return Prompt(())
    language = tables.language(choose_language(tokens, tables))
    items, theirs = with_own(ground_colours(decide(find_phrases(tokens, language, tables), language)), own)
    choice = choose_things(items, language, tables.motions, theirs)
    concepts, left = choose_concepts(items, choice)
    if style is not None:
        concepts.setdefault("style", (style, 1.0))
    if choice.shown and all(thing.own is not None for thing in choice.shown):
        concepts.pop("style", None)  # "a drawing of my mascot": the pictures say how things are drawn
    drawn = concepts["style"][0] if "style" in concepts else DEFAULT_STYLE
    spoken = [NAMELESS if thing.own is not None else book.spoken[thing.item.sense.entry] or NAMELESS for thing in choice.shown]
    words = caption_words(choice.shown, spoken, concepts)
    not_known = [item for item in items if item.kind in ("unknown", "absent")]
    unknown = tuple(dict.fromkeys(item.match.typed for item in (*not_known, *choice.vague)))
    shown = tuple(shown_thing(thing, drawn) for thing in choice.shown)
    values = {kind: value for kind, (value, _) in concepts.items()} | motion_of(choice.shown)
    replaced = tuple((item.match.typed, item.match.near) for item in items if item.match.near and item.match.typed not in unknown)
    ignored = tuple(item.match.typed for item in items if item.kind in ("ignored", "act", "modifier"))
    notes = tuple(notes_of(items, choice, shown, unknown, left))
    return Prompt(tuple(words), shown, values, unknown, ignored, replaced, notes, language.code)


def ground_colours(items: Sequence[Item]) -> list[Item]:
    """Colours of a background become backgrounds: "on a red background", "fondo rojo", "on red"."""
    out = list(items)
    for at, item in enumerate(items):
        if item.kind == "ground":
            found = nearest_colour(out, at, -1) if nearest_colour(out, at, -1) is not None else nearest_colour(out, at, 1)
        elif item.kind == "colour" and on_colour(items, at):
            found = at
        else:
            continue
        if found is not None:
            out[found] = Item("background", replace(out[found].sense, kind="background"), out[found].match)
    return out


def nearest_colour(items: Sequence[Item], at: int, step: int) -> int | None:
    """Where the colour beside a word for "background" stands; None if there is none."""
    at += step
    while 0 <= at < len(items) and items[at].kind in COLOUR_FILLERS:
        at += step
    return at if 0 <= at < len(items) and items[at].kind == "colour" else None


def on_colour(items: Sequence[Item], at: int) -> bool:
    """Whether a colour stands for a background by itself: after a preposition, and with nothing behind it."""
    before = at - 1
    while before >= 0 and items[before].kind in COLOUR_FILLERS:
        before -= 1
    return before >= 0 and items[before].kind == "preposition" and (at + 1 == len(items) or items[at + 1].kind in ("stop", "camera"))


def choose_concepts(items: Sequence[Item], choice: Choice) -> tuple[dict[str, tuple[str, float]], list[Item]]:
    """((value, weight) of everything but things and motions, backgrounds that are left out). The first of a kind is taken."""
    concepts: dict[str, tuple[str, float]] = {}
    for item in items:
        if item.kind in ("style", "speed", "camera", "local", "place"):
            concepts.setdefault(item.kind, (item.value, item.match.weight))
    backgrounds = [item for item in items if item.kind == "background"]
    backgrounds.sort(key=lambda item: item.value in WEAK_BACKGROUNDS)  # stable: otherwise in their order
    if backgrounds:
        concepts["background"] = (backgrounds[0].value, backgrounds[0].match.weight)
    left = [item for item in backgrounds[1:] if item.value != backgrounds[0].value and item.value not in WEAK_BACKGROUNDS]
    return concepts, left


def shown_thing(thing: Chosen, style: str) -> Shown:
    """A chosen thing as the prompt's reader hands it out."""
    sense = thing.item.sense
    found = "nearest word" if sense.quality == NEAREST else "name" if sense.quality >= NAME else "keyword"
    return Shown(sense.entry, sense.value, style, thing.colour, thing.item.match.typed, found, sense.similarity, thing.count, thing.own)


def motion_of(shown: Sequence[Chosen]) -> dict[str, str]:
    """The first motion, size and colour, for whoever asks what was understood."""
    out = {}
    for name in ("motion", "size", "colour"):
        value = next((getattr(thing, name) for thing in shown if getattr(thing, name)), None)
        if value:
            out[name] = value
    return out


def notes_of(items: Sequence[Item], choice: Choice, shown: Sequence[Shown], unknown: Sequence[str], left: Sequence[Item]) -> list[str]:
    """Sentences for the user about what was replaced or left out."""
    notes = []
    for thing in shown:
        if thing.own is not None:
            notes.append(f"{thing.typed or 'the thing'}: your own picture is shown" + (f", in {thing.colour}" if thing.colour else ""))
        elif thing.found == "nearest word":
            notes.append(f"{thing.typed} is not in the picture book: {thing.name} is shown instead (nearest word, {thing.similarity:.2f})")
    notes += [f"{item.match.typed} was read as {item.match.near} (nearest word, {item.sense.similarity:.2f})" for item in items
              if item.match.near and item.kind not in ("thing", "modifier", "ignored", "absent", "unknown")]
    if choice.left_out:
        names = ", ".join(dict.fromkeys(item.match.typed for item in choice.left_out))
        notes.append(f"two things can be shown at once, {shown[0].name or 'yours'} and {shown[1].name or 'yours'}: left out {names}")
    if not shown:
        notes.append("nothing in this prompt is in the picture book")
    if unknown:
        notes.append(f"not shown: {', '.join(unknown)}")
    if left:
        notes.append(f"one background at a time: left out {', '.join(dict.fromkeys(item.match.typed for item in left))}")
    return notes
