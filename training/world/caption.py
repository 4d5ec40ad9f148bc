"""Captions: one scene said in many ways, naming what `scene.named` lists and nothing else."""

from __future__ import annotations

import re

import numpy as np

from training.world.objects import OBJECTS, SYNONYMS
from training.world.palette import COLOURS
from training.world.phrases import (
    BACKGROUND_WORDS,
    CAMERA_WORDS,
    COLOUR_WORDS,
    COUNT_WORDS,
    LOCAL_WORDS,
    MOTION_WORDS,
    NAMELESS,
    ONE,
    PAIRS,
    PLACE_WORDS,
    PLAIN_WORDS,
    PLURAL,
    SIZE_WORDS,
    SPEED_WORDS,
    STYLE_WORDS,
)
from training.world.scene import Scene, Thing


def caption(scene: Scene, rng: np.random.Generator, *, nameless: bool = False) -> str:
    """A caption of the scene, lower case: the object always, and what else `scene.named` lists. Different draws of `rng`
    word it differently; the same state words it the same. With `nameless` things are called by a word nobody knows.
    """
    others = {thing.object: NAMELESS for thing in scene.things} if nameless else {}
    place, place_alone = place_words(scene, rng)
    if scene.local is not None and "local" in scene.named:
        extra = pick(rng, LOCAL_WORDS[scene.local])
        place, place_alone = (extra, extra) if scene.local == "water" else (f"{extra} {place}", f"{place_alone}, {extra}")
    if len(scene.things) > 1:
        return tidy(pair_words(scene, rng, place, place_alone, others))
    thing = scene.things[0]
    bare = styled(thing, scene, rng, others)
    if "place" in scene.named and thing.placed:
        where = pick(rng, PLACE_WORDS[thing.placed])
        first = rng.random() < 0.6
        place, place_alone = (f"{where} {place}", f"{place_alone}, {where}") if first else (f"{place} {where}", f"{where}, {place_alone}")
    said = {
        "thing": with_article(bare, thing),
        "bare": bare,
        "be": "are" if thing.object in PLURAL else "is",
        "motion": motion_words(thing, scene, rng),
        "place": place,
        "place_alone": place_alone,
    }
    template = pick(rng, ONE)
    if not said["motion"]:
        template = template.replace("{be} ", "")
    text = tidy(template.format(**said))
    if scene.camera is not None and "camera" in scene.named:
        moves = pick(rng, CAMERA_WORDS[scene.camera])
        text = f"{moves}, {text}" if rng.random() < 0.3 else f"{text}, {moves}"
    return tidy(text)


def vocabulary() -> list[str]:
    """Every word any caption can contain, sorted. Words are what `words` finds in a caption: no punctuation, lower
    case.
    """
    texts = ["grey", "a", "an", "some", "is", "are", "and", "both", "one", "two", "three", "several", "of", "the", "camera", *COLOURS]
    texts += [text for name, _ in OBJECTS for text in (name, plural(name), *SYNONYMS.get(name, ()))]
    for table in (STYLE_WORDS, MOTION_WORDS, SPEED_WORDS, LOCAL_WORDS, CAMERA_WORDS, SIZE_WORDS, PLACE_WORDS, COLOUR_WORDS, COUNT_WORDS):
        texts += [phrase for phrases in table.values() for phrase in phrases]
    texts += [phrase for pair in BACKGROUND_WORDS.values() for phrases in pair for phrase in phrases]
    texts += [phrase for phrases in PLAIN_WORDS for phrase in phrases] + list(PAIRS)
    texts += [re.sub(r"\{\w*\}", " ", template) for template in ONE]
    return sorted({word for text in texts for word in words(text)})


def words(text: str) -> list[str]:
    """The words of a caption in order: runs of letters, digits and apostrophes, in lower case."""
    return re.findall(r"[a-z0-9']+", text.lower())


def pick(rng: np.random.Generator, phrases: tuple[str, ...]) -> str:
    return phrases[int(rng.integers(len(phrases)))]


def tidy(text: str) -> str:
    """One space between words, no dangling commas."""
    text = re.sub(r"\s+", " ", text).replace(" ,", ",")
    return re.sub(r"(, *)+", ", ", text).strip(" ,")


def called(thing: Thing, rng: np.random.Generator, others: dict[str, str]) -> str:
    """Its name, or in some captions another word for it."""
    if thing.object in others:
        return others[thing.object]
    synonyms = SYNONYMS.get(thing.object, ())
    return pick(rng, synonyms) if synonyms and rng.random() < 0.25 else thing.object


def plural(name: str) -> str:
    """More than one of a thing of the world."""
    irregular = {"mouse": "mice", "man": "men", "woman": "women", "sheep": "sheep", "fish": "fish"}
    if name in irregular:
        return irregular[name]
    if name in PLURAL or (name.endswith("s") and name not in ("bus", "octopus", "cactus")):
        return name
    if name.endswith(("ch", "sh", "x", "s")):
        return name + "es"
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + "s"


def styled(thing: Thing, scene: Scene, rng: np.random.Generator, others: dict[str, str], many: bool = False) -> str:
    """The thing as a phrase: size, colour and style before or after its name."""
    name = called(thing, rng, others)
    if many:
        name = plural(name)
    if thing.colour and "colour" in scene.named:
        name = f"{pick(rng, COLOUR_WORDS.get(thing.colour, (thing.colour,)))} {name}"
    text = pick(rng, STYLE_WORDS[thing.style]).format(name) if "style" in scene.named else name
    if thing.sized and "size" in scene.named:
        text = f"{pick(rng, SIZE_WORDS[thing.sized])} {text}"
    return text


def with_article(phrase: str, thing: Thing) -> str:
    if thing.object in PLURAL and phrase.endswith("s"):
        return "some " + phrase
    return ("an " if phrase[0] in "aeiou" and not phrase.startswith("uni") else "a ") + phrase


def motion_words(thing: Thing, scene: Scene, rng: np.random.Generator) -> str:
    if "motion" not in scene.named:
        return ""
    motion = pick(rng, MOTION_WORDS[thing.motion])
    paced = "speed" in scene.named and thing.pace in SPEED_WORDS
    return pick(rng, SPEED_WORDS[thing.pace]).format(motion) if paced else motion


def place_words(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    """The background after the thing ("on a red background") and standing alone ("red background"); empty when it is
    not named.
    """
    if "background" not in scene.named:
        return "", ""
    if scene.background not in COLOURS:
        after, alone = BACKGROUND_WORDS[scene.background]
        return pick(rng, after), pick(rng, alone)
    colour = "grey" if scene.background == "gray" and rng.random() < 0.3 else scene.background
    article = "an" if colour[0] in "aeiou" else "a"
    after_text, alone_text = (pick(rng, phrases).format(colour) for phrases in PLAIN_WORDS)
    return re.sub(rf"\ba {colour}", f"{article} {colour}", after_text), alone_text


def pair_words(scene: Scene, rng: np.random.Generator, place: str, place_alone: str, others: dict[str, str]) -> str:
    """Several things: of one kind they are counted; else the left one first, a shared motion said once, different motions
    each with its own thing.
    """
    alike = len({thing.motion for thing in scene.things}) == 1
    if scene.things[0].object == scene.things[1].object and alike:
        return counted(scene, rng, place, place_alone, others)
    things = [with_article(styled(thing, scene, rng, others), thing) for thing in scene.things]
    motions = [motion_words(thing, scene, rng) for thing in scene.things]
    if not motions[0]:
        return f"{pick(rng, PAIRS).format(*things)} {place}"
    if not alike:
        return f"{things[0]} {motions[0]} and {things[1]} {motions[1]} {place}"
    both = pick(rng, PAIRS).format(*things)
    return pick(
        rng,
        (
            f"{both} {place}, both {motions[0]}",
            f"{both} {motions[0]} {place}",
            f"{place_alone}, {both}, both {motions[0]}",
        ),
    )


def counted(scene: Scene, rng: np.random.Generator, place: str, place_alone: str, others: dict[str, str]) -> str:
    """Two or three things of one kind that move alike: "two rockets", "three cats"."""
    text = styled(scene.things[0], scene, rng, others, many=True)
    count = pick(rng, COUNT_WORDS[len(scene.things)])
    motion = motion_words(scene.things[0], scene, rng)
    return pick(
        rng,
        (
            f"{count} {text} {motion} {place}",
            f"{count} {text} {place}, {motion}",
            f"{place_alone}, {count} {text} {motion}",
        ),
    )
