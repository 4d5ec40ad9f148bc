"""Prompts as newcomers write them, in ten languages, are read as they were meant."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from stunet_core.mini.book import Book, load_book
from stunet_core.mini.prompt.caption import NAMELESS
from stunet_core.mini.prompt.prompt import Prompt
from stunet_core.mini.prompt.reader import read_prompt
from stunet_core.mini.prompt.tables import LANGUAGES, Tables, load_tables
from training.world.caption import vocabulary
from training.world.objects import SYNONYMS

ROOT = Path(__file__).resolve().parents[2]
NATURAL = json.loads((ROOT / "benchmarks" / "common" / "prompts.json").read_text(encoding="utf-8"))
IN_LANGUAGES = json.loads((ROOT / "tests" / "data" / "prompts_in_languages.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def book() -> Book:
    return load_book(ROOT / "weights" / "book.safetensors")


@pytest.fixture(scope="module")
def tables(book: Book) -> Tables:
    return load_tables(book, ROOT / "weights" / "words.tsv.gz")


def wrong(expected: dict[str, Any], got: Prompt) -> list[str]:
    """What of a prompt was read otherwise than expected; "a|b" accepts either, "" that nothing was said."""
    out = []
    things = expected["things"]
    if len(got.things) != len(things) or any(thing.name not in one.split("|") for thing, one in zip(got.things, things, strict=False)):
        out.append(f"things {[thing.name for thing in got.things]} instead of {things}")
    for name in ("motion", "background", "camera", "style"):
        if name in expected and got.concepts.get(name, "") not in expected[name].split("|"):
            out.append(f"{name} {got.concepts.get(name)} instead of {expected[name]}")
    if "colour" in expected and not (got.things and got.things[0].colour == expected["colour"]):
        out.append(f"colour {got.things[0].colour if got.things else None} instead of {expected['colour']}")
    if "count" in expected and not (got.things and got.things[0].count == expected["count"]):
        out.append(f"not {expected['count']} of them")
    if got.language != expected.get("language", "en"):
        out.append(f"taken for {got.language}")
    return out


def read_all(rows: list[dict[str, Any]], book: Book, tables: Tables) -> float:
    """The share that is read as expected; the others are printed."""
    right = 0
    for row in rows:
        got = read_prompt(row["prompt"], book, tables)
        problems = wrong(row, got)
        right += not problems
        if problems:
            print(f"{row['prompt']}: {'; '.join(problems)}  ({got.text})")
    return right / len(rows)


def test_sixty_natural_prompts_are_read_as_meant(book: Book, tables: Tables) -> None:
    assert len(NATURAL) == 60
    assert read_all(NATURAL, book, tables) >= 0.9


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_prompts_of_each_language_are_read_as_meant(language: str, book: Book, tables: Tables) -> None:
    rows = [row for row in IN_LANGUAGES if row["language"] == language]
    assert len(rows) == 8
    assert read_all(rows, book, tables) >= 0.85


def test_every_word_is_one_of_the_training_captions(book: Book, tables: Tables) -> None:
    known = set(vocabulary()) | {NAMELESS}
    for row in NATURAL + IN_LANGUAGES:
        assert {word for word, _ in read_prompt(row["prompt"], book, tables).words} <= known, row["prompt"]


def test_what_the_captions_can_say_is_all_in_their_vocabulary(tables: Tables) -> None:
    from stunet_core.mini.prompt import caption

    said = [phrase for table in tables.motions.values() for name, phrase in table.items() if name != "motion"]
    said += [phrase for pair in caption.BACKGROUNDS.values() for phrase in pair]
    said += [*caption.PLACES.values(), *caption.CAMERAS.values(), *caption.SPEEDS.values(), *caption.COUNTS.values()]
    said += [style.replace("{}", "") for style in caption.STYLES.values()]
    assert {word for phrase in said for word in phrase.split()} <= set(vocabulary())


def test_every_other_word_of_the_world_for_a_thing_is_that_thing(book: Book, tables: Tables) -> None:
    """But for words that the book has a picture of their own for ("bird", "notebook"), or that mean other things too."""
    lost = {(name, word) for name, words in SYNONYMS.items() for word in words if name in book.names and word not in book.names
            if [thing.name for thing in read_prompt(f"a {word}", book, tables).things] != [name]}
    assert {word for _, word in lost} <= {"sweet", "cycle", "cup", "home", "yellow flower"}, lost


def test_tables_name_only_what_there_is(book: Book, tables: Tables) -> None:
    for code, table in tables.described.items():
        assert set(table["verbs"]) <= set(tables.motions), code
        missing = {name for name, listed in table["things"].items() if listed} - set(book.names)
        assert not missing, (code, missing)


def test_weights_stay_with_what_they_were_given_to(book: Book, tables: Tables) -> None:
    got = read_prompt([("a ", 1.0), ("red car", 1.3), (" driving through the ", 1.0), ("desert", 0.8)], book, tables)
    weights = dict(got.words)
    assert (weights["red"], weights["car"], weights["driving"], weights["desert"]) == (1.3, 1.3, 1.0, 0.8)


def test_what_is_not_in_the_book_is_said(book: Book, tables: Tables) -> None:
    got = read_prompt("a squirrel in the forest", book, tables)
    assert any("squirrel is not in the picture book" in note and "nearest word" in note for note in got.notes)
    assert read_prompt("freedom and justice in the desert", book, tables).notes[0] == "nothing in this prompt is in the picture book"
    six = read_prompt("a cat, a dog, a bird, a fish, a cow and a pig", book, tables)
    assert len(six.things) == 2 and any("left out bird, fish, cow, pig" in note for note in six.notes)
    assert read_prompt("", book, tables) == Prompt(()) == read_prompt(" ,. ", book, tables)


def test_words_without_a_picture_are_ignored_quietly(book: Book, tables: Tables) -> None:
    got = read_prompt("a beautiful cinematic video of a rocket, masterpiece, 4k, high quality, realistic, trending", book, tables)
    assert [thing.name for thing in got.things] == ["rocket"] and not got.notes and not got.unknown


def test_reading_is_fast(book: Book, tables: Tables) -> None:
    began = time.process_time()
    for row in NATURAL:
        read_prompt(row["prompt"], book, tables)
    assert time.process_time() - began < 0.02 * len(NATURAL) + 3  # languages are made when they are first used


def test_a_damaged_table_of_words_is_named(book: Book, tmp_path: Path) -> None:
    import gzip

    broken = tmp_path / "words.tsv.gz"
    for content in (b"no gzip", gzip.compress(b"wolf\tdog\n"), gzip.compress(b"wolf\tdog\t166\n")):
        broken.write_bytes(content)
        with pytest.raises(ValueError, match=r"words\.tsv\.gz"):
            load_tables(book, broken)
    with pytest.raises(ValueError, match="missing"):
        load_tables(book, tmp_path / "none.tsv.gz")


OWN = [  # prompt, which, the caption, the things of which the user's own are "*"
    ("my mascot flying up", ["auto"], "a zzz flying up", ["*mascot"]), ("it spins", ["auto"], "a zzz spinning", ["*"]),
    ("a dog running", ["auto"], "a zzz running", ["*dog"]), ("", ["auto"], "a zzz", ["*"]),
    ("a thing bouncing in the forest", ["auto"], "a zzz bouncing in the forest", ["*"]),
    ("a dog and my mascot running", ["auto"], "a dog and a zzz running", ["dog", "*mascot"]),
    ("a dog and my mascot running", ["first"], "a zzz running", ["*dog"]),
    ("a dog and a cat running", ["second"], "a dog and a zzz running", ["dog", "*cat"]),
    ("a dog, a cat and my mascot jumping", ["auto"], "a dog and a zzz jumping", ["dog", "*mascot"]),
    ("a dog and a cat running", ["first", "second"], "a zzz and a zzz running", ["*dog", "*cat"]),
    ("my mascot in Zanzibar", ["auto"], "a zzz", ["*mascot"]), ("a quasimodo dog", ["auto"], "a zzz", ["*dog"]),
    ("mein Maskottchen fliegt nach oben", ["auto"], "a zzz flying up", ["*Maskottchen"]),
    ("我的吉祥物向上飞", ["auto"], "a zzz flying up", ["*吉祥物"]), ("two mascots jumping", ["auto"], "two zzz jumping", ["*mascots"]),
    ("a drawing of my mascot", ["auto"], "a zzz", ["*mascot"]), ("my red logo spinning", ["auto"], "a red zzz spinning", ["*logo"]),
]


@pytest.mark.parametrize(("prompt", "which", "caption", "things"), OWN)
def test_a_picture_of_ones_own_shows_the_thing_that_is_meant(prompt: str, which: list[str], caption: str, things: list[str], book: Book,
                                                            tables: Tables) -> None:
    got = read_prompt(prompt, book, tables, which)
    shown = [f"*{thing.typed}" if thing.own is not None else thing.name for thing in got.things]
    assert (got.text, shown) == (caption, things)
    assert [note for note in got.notes if "your own picture" in note] == [
        f"{thing.typed or 'the thing'}: your own picture is shown" + (f", in {thing.colour}" if thing.colour else "")
        for thing in got.things if thing.own is not None]


def test_own_pictures_keep_their_order_and_need_a_thing_each(book: Book, tables: Tables) -> None:
    assert [thing.own for thing in read_prompt("a dog and my mascot", book, tables, ["auto", "auto"]).things] == [1, 0]
    assert [thing.own for thing in read_prompt("a dog", book, tables, ["first", "first"]).things] == [1]
    for which in (["second"], ["auto", "auto"]):
        with pytest.raises(ValueError, match=r"which: the prompt names one thing \(dog\); name a second one"):
            read_prompt("a dog running", book, tables, which)
