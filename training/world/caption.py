"""Captions: one scene said in many ways, naming what `scene.named` lists and nothing else."""

from __future__ import annotations

import re

import numpy as np

from training.world.objects import OBJECTS
from training.world.palette import COLOURS
from training.world.scene import Scene, Thing

STYLE_WORDS: dict[str, tuple[str, ...]] = {  # {} is the object
    "3d": ("3d style {}", "3d style {}", "3d {}", "{} in 3d style", "3d rendered {}"),
    "flat": ("flat {}", "flat {}", "flat style {}", "{} in flat style", "flat design {}"),
    "line": ("line art {}", "line art {}", "line style {}", "{} in line art style", "black and white line art {}"),
    "cartoon": ("cartoon {}", "cartoon {}", "cartoon style {}", "{} in cartoon style"),
    "noto-v1": ("{}",),
    "twemoji": ("{}",),
}
BACKGROUND_WORDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # (after the thing, standing alone)
    "sunset sky": (
        ("in front of a sunset sky", "over a sunset sky", "at sunset", "on a sunset sky background"),
        ("sunset sky", "sunset sky background"),
    ),
    "night sky": (
        (
            "in the night sky",
            "over a night sky",
            "under a starry night sky",
            "on a night sky background",
            "at night with stars",
        ),
        ("night sky", "starry night sky", "night sky background"),
    ),
    "grass": (
        ("on the grass", "over a meadow", "on a grass meadow", "on a grass field", "in front of a meadow"),
        ("grass", "meadow", "grass meadow background"),
    ),
    "water": (
        ("over the water", "on the water", "over water", "on the sea", "in front of the sea"),
        ("water", "sea", "water background"),
    ),
    "checkerboard": (
        ("on a checkerboard", "over a checkerboard", "on a checkerboard background", "on a checkered background"),
        ("checkerboard", "checkerboard background", "checkered background"),
    ),
}
PLAIN_WORDS = (
    (
        "on a {} background",
        "on a {} background",
        "over a {} background",
        "against a {} background",
        "in front of a {} background",
        "on {}",
    ),
    ("{} background", "plain {} background"),
)
MOTION_WORDS: dict[str, tuple[str, ...]] = {
    "still": ("standing still", "not moving", "staying still", "resting", "holding still"),
    "left": ("moving left", "moving to the left", "going left", "flying left", "drifting left", "gliding to the left"),
    "right": (
        "moving right",
        "moving to the right",
        "going right",
        "flying right",
        "drifting right",
        "gliding to the right",
    ),
    "up": ("flying up", "flying up", "moving up", "going up", "rising", "floating up", "moving upwards"),
    "down": ("falling", "falling down", "moving down", "going down", "flying down", "sinking", "moving downwards"),
    "bounce": ("bouncing", "bouncing", "bouncing up and down", "hopping", "hopping up and down", "jumping up and down"),
    "spin": ("spinning", "spinning", "spinning around", "rotating", "turning around", "twirling"),
    "grow": ("growing", "growing", "getting bigger", "growing larger", "becoming bigger"),
    "shrink": ("shrinking", "shrinking", "getting smaller", "becoming smaller"),
    "swing": (
        "swinging",
        "swinging",
        "swinging back and forth",
        "swaying",
        "swaying from side to side",
        "swinging like a pendulum",
    ),
    "circle": (
        "circling",
        "circling",
        "moving in a circle",
        "moving in circles",
        "going around in circles",
        "flying in circles",
    ),
    "shake": ("shaking", "shaking", "trembling", "vibrating", "jittering", "shivering"),
}
SPEED_WORDS: dict[str, tuple[str, ...]] = {
    "slow": ("slowly {}", "slowly {}", "{} slowly", "gently {}", "{} at a slow pace"),
    "fast": ("quickly {}", "rapidly {}", "{} fast", "{} quickly", "{} at high speed"),
}
LOCAL_WORDS: dict[str, tuple[str, ...]] = {
    "flame": ("next to a flickering flame", "beside a flickering flame", "with a burning flame that flickers"),
    "flag": ("next to a waving flag", "beside a waving flag", "with a flag waving in the wind"),
    "water": ("over rippling water", "on rippling water", "in front of the rippling sea"),
}
ONE = (
    "{thing} {motion} {place}",
    "{thing} {motion} {place}",
    "{thing} {motion} {place}",
    "{place_alone}, {thing} {motion}",
    "{thing} {place}, {motion}",
    "{thing} {be} {motion} {place}",
    "a video of {thing} {motion} {place}",
    "a clip of {thing} {motion} {place}",
    "{bare}, {motion}, {place_alone}",
    "{bare} {motion}, {place_alone}",
)
PAIRS = ("{} and {}", "{} next to {}", "{} beside {}", "{} and {} side by side", "{} on the left and {} on the right")
PLURAL = frozenset({"cherries", "grapes", "fries", "scissors"})


def caption(scene: Scene, rng: np.random.Generator) -> str:
    """A caption of the scene, lower case: the object always, and of style, background, motion, speed and local part
    what `scene.named` lists. Different draws of `rng` word it differently; the same state words it the same.
    """
    place, place_alone = place_words(scene, rng)
    if scene.local is not None and "local" in scene.named:
        extra = pick(rng, LOCAL_WORDS[scene.local])
        place, place_alone = (
            (extra, extra) if scene.local == "water" else (f"{extra} {place}", f"{place_alone}, {extra}")
        )
    if len(scene.things) == 2:
        return tidy(pair_words(scene, rng, place, place_alone))
    thing = scene.things[0]
    bare = styled(thing, scene, rng)
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
    return tidy(template.format(**said))


def vocabulary() -> list[str]:
    """Every word any caption can contain, sorted. Words are what `words` finds in a caption: no punctuation, lower
    case.
    """
    texts = (
        [name for name, _ in OBJECTS] + list(COLOURS) + ["grey", "a", "an", "some", "is", "are", "and", "both", "one"]
    )
    for table in (STYLE_WORDS, MOTION_WORDS, SPEED_WORDS, LOCAL_WORDS):
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


def styled(thing: Thing, scene: Scene, rng: np.random.Generator) -> str:
    return pick(rng, STYLE_WORDS[thing.style]).format(thing.object) if "style" in scene.named else thing.object


def with_article(phrase: str, thing: Thing) -> str:
    if thing.object in PLURAL:
        return "some " + phrase
    return ("an " if phrase[0] in "aeiou" and not phrase.startswith("uni") else "a ") + phrase


def motion_words(thing: Thing, scene: Scene, rng: np.random.Generator) -> str:
    if "motion" not in scene.named:
        return ""
    motion = pick(rng, MOTION_WORDS[thing.motion])
    return (
        pick(rng, SPEED_WORDS[thing.pace]).format(motion)
        if "speed" in scene.named and thing.pace in SPEED_WORDS
        else motion
    )


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


def pair_words(scene: Scene, rng: np.random.Generator, place: str, place_alone: str) -> str:
    """Two things, the left one first: a shared motion is said once, different motions each with its own thing."""
    things = [with_article(styled(thing, scene, rng), thing) for thing in scene.things]
    motions = [motion_words(thing, scene, rng) for thing in scene.things]
    if not motions[0]:
        return f"{pick(rng, PAIRS).format(*things)} {place}"
    if scene.things[0].motion == scene.things[1].motion:
        both = pick(rng, PAIRS).format(*things)
        return pick(
            rng,
            (
                f"{both} {place}, both {motions[0]}",
                f"{both} {motions[0]} {place}",
                f"{place_alone}, {both}, both {motions[0]}",
            ),
        )
    return f"{things[0]} {motions[0]} and {things[1]} {motions[1]} {place}"
