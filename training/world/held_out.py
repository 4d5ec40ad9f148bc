"""Which combinations of thing, style and background training never sees."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from training.world.scene import Scene

HELD_OUT_SHARE = 0.10


@lru_cache(maxsize=65536)
def set_aside(thing: str, style: str, background: str) -> bool:
    """Whether this combination is kept out of training: a stable tenth of all, the same on every machine."""
    digest = hashlib.sha256(f"stunet world|{thing}|{style}|{background}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_OUT_SHARE * 2**64


def is_held_out(scene: Scene) -> bool:
    """Whether training never sees this scene: any of its things is in a combination of object, style and background
    set aside.

    The motion is no part of the combination, so that the same split also holds for single frames: no frame and no
    clip of a held-out object, style and background is ever trained on, whatever the motion.
    """
    return any(set_aside(thing.object, thing.style, scene.background) for thing in scene.things)
