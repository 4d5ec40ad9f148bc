"""The figures: how many of a model's frames and clips show what their captions asked for.

    judges = Judges.load()
    evaluate_images(frames, scenes, judges)   # frames [n, h, w, 3] uint8, scenes: what the captions said
    evaluate_clips(clips, scenes, judges)     # clips n x [F, h, w, 3] uint8
    flicker(clips, scenes)                    # over that of the scenes themselves, rendered
    speed_error(clips, scenes, judges)        # against the speed or period that the captions tell

Only what a scene's caption names is scored (`scene.named`). Figures are shares in 0..1; a figure nothing was asked of
is left out.
"""

from collections.abc import Sequence

import numpy as np

from stunet_core.report import metrics

from ..world import BACKGROUNDS, MOTIONS, STYLES, Scene, render
from . import kinematics
from .judges import Judges
from .kinematics import says_speed


def evaluate_images(frames: np.ndarray, scenes: Sequence[Scene], judges: Judges | None = None) -> dict[str, float]:
    """Shares of frames [n, h, w, 3] uint8 that show the named object, style and background.

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

    object, style, background: on the median frame (F // 2). motion: over the clip, for scenes whose things all move
    alike. object_held: the object judged the same on the first and the last frame, whatever it is. steady: mean over
    clips of the share of (at most 16) frames judged to show the median frame's object. identity: every one of them does.
    """
    judges = judges or Judges.load()
    check(len(clips), scenes, judges)
    middle = np.stack([clip[len(clip) // 2] for clip in clips])
    marks = frame_marks(middle, scenes, judges)
    motions = judges.motions(clips).argmax(axis=1)
    for scene, clip, motion in zip(scenes, clips, motions, strict=True):
        asked = {thing.motion for thing in scene.things}
        if "motion" in scene.named and len(asked) == 1:
            marks.setdefault("motion", []).append(float(MOTIONS[motion] in asked))
        count = len(scene.things)
        index = np.unique(np.linspace(0, len(clip) - 1, 16).round().astype(int))
        shown = np.concatenate([clip[[0, len(clip) - 1, len(clip) // 2]], clip[index]])
        seen = judges.found(shown, judges.look(shown), [count] * len(shown))
        marks.setdefault("object_held", []).append(float(seen[0] == seen[1]))
        marks.setdefault("steady", []).append(float(np.mean([one == seen[2] for one in seen[3:]])))
        marks.setdefault("identity", []).append(float(all(one == seen[2] for one in seen[3:])))
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
    objects = judges.found(frames, verdict, [len(scene.things) for scene in scenes])
    for n, scene in enumerate(scenes):
        asked = {judges.objects.index(thing.object) for thing in scene.things}
        found = float(objects[n] == asked)
        for figure in ("object", "object_single" if len(asked) == 1 else "object_pair"):
            marks.setdefault(figure, []).append(found)
        if "style" in scene.named and scene.things[0].style in STYLES:
            right = STYLES[int(verdict.style[n].argmax())] == scene.things[0].style
            marks.setdefault("style", []).append(float(right))
        if "background" in scene.named:
            right = BACKGROUNDS[int(verdict.background[n].argmax())] == scene.background
            marks.setdefault("background", []).append(float(right))
    return marks


def shares(marks: dict[str, list[float]]) -> dict[str, float]:
    return {figure: round(float(np.mean(values)), 4) for figure, values in marks.items()}


def check(count: int, scenes: Sequence[Scene], judges: Judges) -> None:
    if count != len(scenes) or not count:
        raise ValueError(f"scenes: give one for each frame or clip; got {len(scenes)} scenes for {count} of those")
    unknown = {thing.object for scene in scenes for thing in scene.things} - set(judges.objects)
    if unknown:
        names = ", ".join(sorted(unknown))
        raise ValueError(f"scenes: these judges do not know {names}; they know {len(judges.objects)} objects")
