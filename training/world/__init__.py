"""The world the mini model learns: scenes of openly licensed emoji art, rendered with captions and ground truth.

scene = sample_scene(np.random.default_rng(0), OBJECT_NAMES)
clip = render(scene, size=256)       # clip.frames uint8 [80, 256, 256, 3], clip.mask, clip.centre, ...
text = caption(scene, np.random.default_rng(1))
"""

from training.world import library
from training.world.camera import CAMERAS
from training.world.caption import caption, vocabulary, words
from training.world.held_out import is_held_out
from training.world.labels import KINDS, PACES, labels
from training.world.motion import CLIP_SECONDS, MOTIONS
from training.world.palette import BACKGROUNDS, COLOURS
from training.world.render import Rendered, render
from training.world.sample import sample_scene
from training.world.scene import HELD_OUT_STYLES, LOCALS, OBJECT_NAMES, PLACES, SIZES, STYLES, Scene, Thing

__all__ = [
    "BACKGROUNDS",
    "CAMERAS",
    "CLIP_SECONDS",
    "COLOURS",
    "HELD_OUT_STYLES",
    "KINDS",
    "LOCALS",
    "MOTIONS",
    "OBJECT_NAMES",
    "PACES",
    "PLACES",
    "SIZES",
    "STYLES",
    "Rendered",
    "Scene",
    "Thing",
    "caption",
    "is_held_out",
    "labels",
    "library",
    "render",
    "sample_scene",
    "vocabulary",
    "words",
]
