"""The figures: how many of a model's frames and clips show what their captions asked for.

    judges = Judges.load()
    evaluate_images(frames, scenes, judges)   # frames [n, h, w, 3] uint8, scenes: what the captions said
    evaluate_clips(clips, scenes, judges)     # clips n x [F, h, w, 3] uint8
    nearest_share(frames, scenes, judges)     # also of things that the judges have no name for
    flicker(clips, scenes)                    # over that of the scenes themselves, rendered
    speed_error(clips, scenes, judges)        # against the speed or period that the captions tell

Only what a scene's caption names is scored (`scene.named`). Figures are shares in 0..1; a figure nothing was asked of
is left out.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from stunet_core.report import metrics

from ..world import BACKGROUNDS, CAMERAS, MOTIONS, STYLES, Scene, render
from . import kinematics
from .judges import Judges
from .kinematics import says_speed
from .looks import Gallery

EVERY = 10  # frames apart at which a clip is asked whether it still shows the same thing


def evaluate_images(frames: np.ndarray, scenes: Sequence[Scene], judges: Judges | None = None) -> dict[str, float]:
    """Shares of frames [n, h, w, 3] uint8 that show the named object, style, background and colour.

    `object` counts a scene with two things only if both are found, each looked at alone; `object_single` and `object_pair` split it.
    ValueError when counts differ or a scene's object is one that the judges do not know.
    """
    judges = judges or Judges.load()
    check(len(frames), scenes, judges)
    return shares(frame_marks(frames, scenes, judges))


def evaluate_clips(
    clips: Sequence[np.ndarray] | np.ndarray, scenes: Sequence[Scene], judges: Judges | None = None
) -> dict[str, float]:
    """Shares of clips, each [F, h, w, 3] uint8, that show what was asked.

    object, style, background, colour: on the median frame (F // 2). motion: over the clip, for scenes whose things all move
    alike; camera: where it moves. object_held: the object judged the same on the first and the last frame, whatever it is.
    steady: mean over clips of the share of every tenth frame judged to show the median frame's object. identity: every one
    of them does.
    """
    judges = judges or Judges.load()
    check(len(clips), scenes, judges)
    middle = np.stack([clip[len(clip) // 2] for clip in clips])
    marks = frame_marks(middle, scenes, judges)
    seen = judges.watch(clips)
    for scene, clip, motion, camera in zip(scenes, clips, seen["motion"].argmax(axis=1), seen["camera"].argmax(axis=1), strict=True):
        asked = {thing.motion for thing in scene.things}
        if "motion" in scene.named and len(asked) == 1:
            marks.setdefault("motion", []).append(float(MOTIONS[motion] in asked))
        if "camera" in scene.named and scene.camera:
            marks.setdefault("camera", []).append(float(camera == CAMERAS.index(scene.camera)))
        shown = np.concatenate([clip[[0, len(clip) - 1, len(clip) // 2]], clip[::EVERY]])
        found = judges.found(shown, judges.look(shown), [len(scene.things)] * len(shown))
        marks.setdefault("object_held", []).append(float(found[0] == found[1]))
        marks.setdefault("steady", []).append(float(np.mean([one == found[2] for one in found[3:]])))
        marks.setdefault("identity", []).append(float(all(one == found[2] for one in found[3:])))
    return shares(marks)


def flicker(clips: Sequence[np.ndarray] | np.ndarray, scenes: Sequence[Scene]) -> float | None:
    """Change between neighbouring frames that motion does not explain (the warp error) in clips, each [F, h, h, 3] uint8,
    over that in the same scenes rendered; 1 is as steady as the world, None when nothing flickers there.
    """
    truths = [render(scene, frames=len(clip), size=clip.shape[1]).frames for clip, scene in zip(clips, scenes, strict=True)]
    made, true = (np.mean([metrics.motion(clip).warp_error.mean() for clip in some]) for some in (clips, truths))
    return metrics.ratio(float(made), float(true))


def speed_error(clips: Sequence[np.ndarray] | np.ndarray, scenes: Sequence[Scene], judges: Judges | None = None) -> float | None:
    """The median over clips of |speed - asked| / asked, where the caption tells a speed or a period: `training.judges.kinematics`.

    A thing that moves the other way has an error above 1. None when no caption tells any.
    """
    judges = judges or Judges.load()
    told = [(clip, scene) for clip, scene in zip(clips, scenes, strict=True) if says_speed(scene)]
    errors = [kinematics.speed_error(scene, judges.follow(clip)) for clip, scene in told]
    found = [error for error in errors if error is not None]
    return round(float(np.median(found)), 4) if found else None


def frame_marks(frames: np.ndarray, scenes: Sequence[Scene], judges: Judges) -> dict[str, list[float]]:
    """For each figure, 1 or 0 for every frame whose caption names that attribute."""
    marks: dict[str, list[float]] = {}
    verdict = judges.look(frames)
    objects, colours = judges.found(frames, verdict, [len(scene.things) for scene in scenes]), verdict.colours()
    for n, scene in enumerate(scenes):
        asked = {judges.objects.index(thing.object) for thing in scene.things}
        found = float(objects[n] == asked)
        for figure in ("object", "object_single" if len(asked) == 1 else "object_pair"):
            marks.setdefault(figure, []).append(found)
        if "style" in scene.named and scene.things[0].style in STYLES:
            right = STYLES[int(verdict.style[n].argmax())] == scene.things[0].style
            marks.setdefault("style", []).append(float(right))
        painted = {thing.colour for thing in scene.things}
        if "colour" in scene.named and len(painted) == 1:
            marks.setdefault("colour", []).append(float(colours[n] in painted))
        if "background" in scene.named:
            right = BACKGROUNDS[int(verdict.background[n].argmax())] == scene.background
            marks.setdefault("background", []).append(float(right))
    return marks


def nearest_share(frames: np.ndarray, scenes: Sequence[Scene], judges: Judges, galleries: dict[str, Gallery]) -> float:
    """The share of frames [n, h, w, 3] uint8 whose thing looks most like its own picture, of all in the gallery of its style."""
    right = [judges.nearest(frame[None], galleries[scene.things[0].style])[0] == scene.things[0].object
             for frame, scene in zip(frames, scenes, strict=True)]
    return round(float(np.mean(right)), 4)


def sharpness(clips: Sequence[np.ndarray] | np.ndarray, truths: Sequence[np.ndarray] | np.ndarray, judges: Judges) -> float:
    """The mean gradient inside of things, over that in the truth (which went through the autoencoder too): 1 is as sharp."""
    made, true = (float(np.mean([inner_gradient(clip, judges) for clip in some])) for some in (clips, truths))
    return round(made / max(true, 1e-6), 4)


def inner_gradient(frames: np.ndarray, judges: Judges) -> float:
    """Mean size of the gradient of brightness where a judge sees things: F h w 3 uint8, in levels a pixel."""
    frames = frames[::EVERY]
    grey = frames.astype(np.float32).mean(-1)
    size = np.hypot(*np.gradient(grey, axis=(1, 2)))
    masks = judges.look(frames).mask
    inside = np.stack([cv2.resize(mask, grey.shape[:0:-1], interpolation=cv2.INTER_LINEAR) > 0.5 for mask in masks])
    return float(size[inside].mean()) if inside.any() else 0.0


def shares(marks: dict[str, list[float]]) -> dict[str, float]:
    return {figure: round(float(np.mean(values)), 4) for figure, values in marks.items()}


def check(count: int, scenes: Sequence[Scene], judges: Judges) -> None:
    if count != len(scenes) or not count:
        raise ValueError(f"scenes: give one for each frame or clip; got {len(scenes)} scenes for {count} of those")
    unknown = {thing.object for scene in scenes for thing in scene.things} - set(judges.objects)
    if unknown:
        names = ", ".join(sorted(unknown))
        raise ValueError(f"scenes: these judges do not know {names}; they know {len(judges.objects)} objects")
