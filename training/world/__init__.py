"""The world the mini model learns: scenes of openly licensed emoji art, rendered with captions and ground truth.

scene = sample_scene(np.random.default_rng(0), OBJECT_NAMES[:64])
clip = render(scene)                 # clip.frames uint8 [80, 128, 128, 3], clip.mask, clip.centre, ...
text = caption(scene, np.random.default_rng(1))
"""

from training.world.caption import caption, vocabulary, words
from training.world.labels import PACES, labels
from training.world.motion import CLIP_SECONDS, MOTIONS
from training.world.palette import BACKGROUNDS, COLOURS
from training.world.render import Clip, render
from training.world.scene import (
    HELD_OUT_STYLES,
    LOCALS,
    OBJECT_NAMES,
    STYLES,
    Scene,
    Thing,
    is_held_out,
    sample_scene,
)

__all__ = [
    "BACKGROUNDS",
    "CLIP_SECONDS",
    "COLOURS",
    "HELD_OUT_STYLES",
    "LOCALS",
    "MOTIONS",
    "OBJECT_NAMES",
    "PACES",
    "STYLES",
    "Clip",
    "Scene",
    "Thing",
    "caption",
    "is_held_out",
    "labels",
    "render",
    "sample_scene",
    "vocabulary",
    "words",
]
