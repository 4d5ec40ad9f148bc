"""Find the phrases of a prompt: at each word the longest phrase that the tables know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .tables import NAME, NEAREST, Language, Sense, Tables
from .text import CJK, HIRAGANA, Token, readable, stem, stem_key

COMPOUND_HEAD, COMPOUND_START = 4, 3  # least letters of the two parts of a German compound
LATIN = frozenset({"en", "fr", "de", "es", "it", "pt"})
KOREAN_AND = ("와", "과", "랑", "이랑", "하고")


@dataclass(frozen=True)
class Match:
    """A piece of the prompt, tokens `start` to `end`, and what it may mean: nothing if no table knows it.

    `near` is the known word it was replaced by; `bare` says that it stands without an ending that ends a phrase (Korean).
    A `stop` is a comma or the like.
    """

    start: int
    end: int
    typed: str
    weight: float
    senses: tuple[Sense, ...] = ()
    near: str = ""
    bare: bool = True
    stop: bool = False

    def sense(self, kind: str) -> Sense | None:
        return next((sense for sense in self.senses if sense.kind == kind), None)


def choose_language(tokens: Sequence[Token], tables: Tables) -> str:
    """The language that a prompt is written in: by its letters, else the one that knows most of its words."""
    words = [token.text for token in tokens if not token.stop]
    text = "".join(words)
    if any("\uac00" <= letter <= "\ud7a3" for letter in text):
        return "ko"
    if any("\u3040" <= letter <= "\u30ff" for letter in text):
        return "ja"
    if CJK.search(text):
        return "zh"
    if any("\u0400" <= letter <= "\u04ff" for letter in text):
        return "ru"
    known = {code: sum(word in listed for word in words) for code, listed in tables.vocabulary.items() if code in LATIN}
    return max(known, key=lambda code: known[code])  # of equals the first: English


def find_phrases(tokens: Sequence[Token], language: Language, tables: Tables) -> list[Match]:
    """The prompt as matches in their order, unknown words among them."""
    found: list[Match] = []
    at = 0
    while at < len(tokens):
        if tokens[at].stop:
            found.append(Match(at, at + 1, tokens[at].typed, tokens[at].weight, stop=True))
            at += 1
            continue
        match = longest(tokens, at, language) or single(tokens, at, language, tables)
        if found and unknown_character(match) and unknown_character(found[-1]):
            found[-1] = replace(found[-1], end=match.end, typed=found[-1].typed + match.typed)
        else:
            found.append(match)
        at = match.end
        if language.code == "ko" and not match.bare and tokens[at - 1].text.endswith(KOREAN_AND):
            found.append(Match(at, at, "", match.weight, (Sense("join", "와"),)))
    return [replace(match, senses=(Sense("ignored", match.typed),)) if language.code == "ja" and HIRAGANA.fullmatch(match.typed)
            and not match.senses else match for match in found]


def unknown_character(match: Match) -> bool:
    """Whether a match is Chinese or Japanese characters that no table knows; such ones in a row are one word."""
    return not match.senses and not match.stop and CJK.match(match.typed) is not None


def longest(tokens: Sequence[Token], at: int, language: Language) -> Match | None:
    """The longest phrase of a language from `at` on, as it stands or without its endings."""
    reach = next((i for i in range(at, len(tokens)) if tokens[i].stop), len(tokens))
    for end in range(min(reach, at + language.longest), at, -1):
        phrase = " ".join(token.text for token in tokens[at:end])
        typed = readable([token.typed for token in tokens[at:end]])
        stemmed = stem_key(phrase, language.code)
        if senses := language.phrases.get(phrase):
            return Match(at, end, typed, tokens[at].weight, with_plural(senses, language.phrases.get(stemmed, ())))
        if senses := language.phrases.get(stemmed) or language.stems.get(stemmed):
            return Match(at, end, typed, tokens[at].weight, senses, bare=False)
    return None


def with_plural(senses: tuple[Sense, ...], of_stem: tuple[Sense, ...]) -> tuple[Sense, ...]:
    """"Stars" are a background, and the plural of a thing too; "clouds" are clouds before they are a word of "face in clouds"."""
    named = tuple(sense for sense in of_stem if sense.kind == "thing" and sense.quality >= NAME)
    kinds = {sense.kind for sense in senses}
    if not named or not kinds <= {"background", "thing"} or any(sense.kind == "thing" and sense.quality >= NAME for sense in senses):
        return senses
    return tuple(sense for sense in senses if sense.kind != "thing") + named


def single(tokens: Sequence[Token], at: int, language: Language, tables: Tables) -> Match:
    """A word that its language does not know: the head of a German compound, an English word, the nearest word, or nothing."""
    token = tokens[at]
    if language.code == "de" and (senses := compound(token.text, language)):
        return Match(at, at + 1, token.typed, token.weight, senses)
    english = tables.language("en")
    if language.code != "en" and token.text.isascii() and (match := longest(tokens, at, english)):
        kept = tuple(sense for sense in match.senses if sense.kind != "thing" or sense.quality >= NAME)
        if kept:
            return replace(match, senses=kept)
    if language.code == "en" and (near := tables.nearest.get(token.text) or tables.nearest.get(stem(token.text, "en"))):
        known, similarity = near
        senses = english.phrases.get(known, ())
        lowered = tuple(replace(sense, quality=NEAREST, similarity=similarity) for sense in senses)
        return Match(at, at + 1, token.typed, token.weight, lowered, near=known)
    if len(token.text) == 1 and not CJK.match(token.text):
        return Match(at, at + 1, token.typed, token.weight, (Sense("ignored", token.text),))
    return Match(at, at + 1, token.typed, token.weight)


def compound(word: str, language: Language) -> tuple[Sense, ...]:
    """What the longest noun at the end of a German compound means ("spielzeugauto" is an "auto")."""
    for start in range(COMPOUND_START, len(word) - COMPOUND_HEAD + 1):
        senses = tuple(sense for sense in language.phrases.get(word[start:], ()) if sense.kind == "thing" and sense.quality >= NAME)
        if senses:
            return senses
    return ()
