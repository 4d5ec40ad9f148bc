"""Scenes as prompts: what the model is told of them, with pictures of their things as the book has them."""

from collections.abc import Sequence

import numpy as np

from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.mini.inputs import SLOTS

from ..world import Scene, Thing, caption
from ..world.sprites import sprite
from .cache import encode_pictures
from .data import picture
from .mini import Mini
from .sampling import Told


def one(name: str, style: str, motion: str, background: str) -> Scene:
    return Scene((Thing(name, style, 0.6, 0.5, 0.5, motion),), background)


SHEET = (  # what contact sheets show
    one("rocket", "3d", "up", "purple"), one("apple", "flat", "bounce", "green"), one("car", "cartoon", "right", "yellow"),
    one("panda", "line", "still", "pink"), one("tulip", "3d", "grow", "white"), one("guitar", "flat", "spin", "night sky"),
    one("sailboat", "cartoon", "left", "water"), one("pizza", "3d", "down", "sunset sky"),
)


def different(scene: Scene) -> tuple[Thing, ...]:
    """The things of a scene that have a picture each: two of a kind share one."""
    return scene.things[:SLOTS] if len({thing.object for thing in scene.things}) > 1 else scene.things[:1]


def told_of(mini: Mini, autoencoder: Autoencoder, scenes: Sequence[Scene], captions: Sequence[str]) -> Told:
    """Captions and the pictures of their scenes' things, on the model's device."""
    pictures, shown = mini.pictures.none(len(scenes))
    for row, scene in enumerate(scenes):
        things = different(scene)
        drawn = [picture(sprite(t.object, t.style, t.colour, t.variant).levels[0]) for t in things]
        pictures[row, :len(things)] = encode_pictures(autoencoder, drawn).to(pictures)
        shown[row, :len(things)] = True
    return Told(mini.ids(captions), pictures, shown).to(pictures.device)


def sheet_prompts(mini: Mini, autoencoder: Autoencoder) -> Told:
    """SHEET in words, the same every time."""
    rng = np.random.default_rng(0)
    return told_of(mini, autoencoder, SHEET, [caption(scene, rng) for scene in SHEET])
