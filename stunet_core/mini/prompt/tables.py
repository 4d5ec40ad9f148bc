"""What prompts are looked up in: phrases of each language, nouns of the picture book, and nearest words."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from ..book import Book
from .text import key, stem_key

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "fr", "de", "es", "it", "pt", "ru", "zh", "ja", "ko")
GROUPS = {  # a part of a language's file -> the kind of its phrases
    "verbs": "verb", "directions": "direction", "cameras": "camera", "locals": "local", "backgrounds": "background",
    "colours": "colour", "styles": "style", "sizes": "size", "places": "place", "speeds": "speed", "counts": "count",
}
SINGLE = {  # "absent" is what a prompt may well ask for and the model cannot show, such as rain
    "acts": "act", "absent": "absent", "background": "ground", "prepositions": "preposition", "joins": "join", "articles": "article",
    "ignored": "ignored",
}
NAME, LABEL_WORD, KEYWORD, NEAREST = 3, 2, 1, 0  # how sure it is that a word means a thing
SHARED = 3  # a keyword of more things than this means none of them


@dataclass(frozen=True)
class Sense:
    """One thing that a phrase may mean: its kind and value, such as ("motion", "fly"); of a thing, its entry in the book."""

    kind: str
    value: str
    entry: int = -1
    quality: int = NAME
    similarity: float = 1.0


@dataclass(frozen=True)
class Language:
    """One language: phrases as `text.key` writes them -> what they may mean.

    `stems` is the same without endings, `longest` the most tokens of a phrase, `words` all words of its own phrases. With
    `head` "last" the last of two nouns is meant ("chocolate cake"); with `adjectives` "after" colours follow their noun.
    """

    code: str
    phrases: Mapping[str, tuple[Sense, ...]]
    stems: Mapping[str, tuple[Sense, ...]]
    longest: int
    head: str
    adjectives: str


@dataclass
class Tables:
    """Everything a reader needs. Languages are made when a prompt first uses them."""

    book: Book
    described: Mapping[str, Mapping[str, Any]]
    motions: Mapping[str, Mapping[str, str]]
    nearest: Mapping[str, tuple[str, float]]
    vocabulary: Mapping[str, frozenset[str]]
    made: dict[str, Language] = field(default_factory=dict)

    def language(self, code: str) -> Language:
        if code not in self.made:
            self.made[code] = make_language(code, self.described[code], self.book)
        return self.made[code]


def load_tables(book: Book, words: Path | None = None) -> Tables:
    """Tables for a book. `words` is the file of nearest words that `tools/make_words.py` makes; without it there are none.

    Raises:
        ValueError: naming the file, when a table is missing, damaged or of another form.
    """
    described = {code: read_json(FOLDER / "languages" / f"{code}.json") for code in LANGUAGES}
    vocabulary = {code: frozenset(word for phrase, _, _ in phrases_of(table) for word in phrase.split(" "))
                  for code, table in described.items()}
    return Tables(book, described, read_json(FOLDER / "motions.json"), read_nearest(words) if words else {}, vocabulary)


def read_json(path: Path) -> Any:
    """What a table of the pack holds. ValueError naming the file when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: this table of the pack is missing or damaged ({error}): install the pack again") from error


def read_nearest(path: Path) -> dict[str, tuple[str, float]]:
    """Word -> (nearest known word, similarity 0 to 1) of a .tsv.gz file with "word, tab, known word, tab, hundredths" on each line."""
    try:
        lines = gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path}: is missing, damaged or no table of words ({error}): copy or download it again") from error
    out = {}
    for number, line in enumerate(lines, 1):
        word, _, rest = line.partition("\t")
        known, _, hundredths = rest.partition("\t")
        if not (word and known and hundredths.isdecimal() and int(hundredths) <= 100):
            raise ValueError(f"{path}: line {number} is not a word, a known word and a similarity in hundredths: {line[:60]!r}")
        out[word] = (known, int(hundredths) / 100)
    return out


def forms(text: str) -> Iterator[str]:
    """The phrases of a list with commas; "rot(/e/er)" stands for three of them."""
    for part in text.split(", "):
        pieces = [piece.split("/") if index % 2 else [piece] for index, piece in enumerate(re.split(r"[()]", part))]
        for chosen in product(*pieces):
            if phrase := key("".join(chosen)):
                yield phrase


def phrases_of(table: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(phrase, kind, value) of everything a language's file lists, things by their names in the book."""
    for group, kind in GROUPS.items():
        for value, listed in table.get(group, {}).items():
            yield from ((phrase, kind, value) for phrase in forms(listed))
    for group, kind in SINGLE.items():
        yield from ((phrase, kind, phrase) for phrase in forms(table.get(group, "")))
    for name, listed in table.get("things", {}).items():
        yield from ((phrase, "thing", name) for phrase in forms(listed))


def make_language(code: str, table: Mapping[str, Any], book: Book) -> Language:
    """A language's phrases and the book's nouns in it, as one table."""
    phrases: dict[str, list[Sense]] = {}
    nouns: dict[str, Sense] = {}
    places = {name: entry for entry, name in enumerate(book.names)}
    for phrase, kind, value in phrases_of(table):
        if kind != "thing":
            add(phrases, phrase, Sense(kind, value))
        elif value in places:
            nouns.setdefault(phrase, Sense("thing", value, places[value]))
    for phrase, sense in sorted(book_nouns(code, book), key=lambda found: -found[1].quality):
        if phrase not in nouns or nouns[phrase].quality < sense.quality:
            nouns[phrase] = sense
    if code == "en":  # what captions call a thing goes before everything
        nouns |= {key(name): Sense("thing", name, entry) for entry, name in reversed(list(enumerate(book.names)))}
    for phrase, sense in nouns.items():
        add(phrases, phrase, sense)
    stems: dict[str, list[Sense]] = {}
    for phrase, senses in sorted(phrases.items(), key=lambda item: len(item[0])):
        if code not in ("zh", "ja", "ko") and (stemmed := stem_key(phrase, code)):
            for sense in senses:
                add(stems, stemmed, sense)
    longest = max(phrase.count(" ") + 1 for phrase in phrases)
    return Language(code, {k: tuple(v) for k, v in phrases.items()}, {k: tuple(v) for k, v in stems.items()}, longest,
                    table.get("head", "last"), table.get("adjectives", "before"))


def add(phrases: dict[str, list[Sense]], phrase: str, sense: Sense) -> None:
    """One more sense, unless there is one of its kind."""
    listed = phrases.setdefault(phrase, [])
    if all(known.kind != sense.kind for known in listed):
        listed.append(sense)


def book_nouns(code: str, book: Book) -> Iterator[tuple[str, Sense]]:
    """(phrase, sense) of the book's labels and keywords; things that come first in the book are meant first.

    Keywords of many things say little. English ones that are no part of their label are left to the table of nearest words,
    which knows how near they are ("launch" and "travel" are keywords of the rocket).
    """
    for column in (code, "zh-hant") if code == "zh" else (code,):
        rows = [[key(word) for word in row] for row in book.keywords.get(column, ())]
        shares = Counter(phrase for row in rows for phrase in set(row))
        for entry, (label, *others) in enumerate(rows):
            yield label, Sense("thing", book.names[entry], entry)
            parts = set(label.split(" "))
            for phrase in others:
                part = label.endswith(phrase) if code in ("zh", "ja") else set(phrase.split(" ")) <= parts
                if phrase and not phrase.isdecimal() and (part or (code != "en" and shares[phrase] <= SHARED)):
                    yield phrase, Sense("thing", book.names[entry], entry, LABEL_WORD if part else KEYWORD)
