"""A clip's figures, put together: as numbers, as text, as a plot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ..editing.flow import to_bytes
from ..editing.steps import Step, nothing
from . import metrics
from .plot import Panel, plot

# name in the JSON -> how the text says it
WORDS = {
    "change": "change between neighbouring frames, levels of 255",
    "warp_error": "of it not explained by motion (warp error), levels",
    "hidden": "share of pixels covered, uncovered or not matched",
    "flicker": "flicker of the whole frame's colour, levels",
    "flow": "mean motion, pixels per frame",
    "flow_inside": "mean motion where the mask is white, pixels per frame",
    "flow_outside": "mean motion where the mask is black, pixels per frame",
    "change_outside": "change between frames where the mask is black, levels",
    "colour_drift": "colour drift from first to last second, Lab units (2 is just visible)",
    "loop_error": "last to first frame, over the median change (1 is a clean loop)",
    "joint_errors": "joints, over the median change around them (1 is no visible joint)",
    "given_exact": "share of black pixels equal to the original, bit for bit",
    "given_psnr": "PSNR of black pixels against the original, dB",
    "original_warp_error": "warp error of the original, levels",
    "original_flicker": "flicker of the original, levels",
    "warp_error_ratio": "warp error, over that of the original",
    "motion_correlation": "how alike both move, place by place (1 is the same motion)",
}
ENOUGH = 2  # frames


@dataclass(frozen=True)
class Report:
    """`figures`: JSON-ready numbers by the names of WORDS, None where one has no value; `panels`: the curves."""

    figures: dict[str, Any]
    panels: tuple[Panel, ...]

    def text(self) -> str:
        """One line per figure."""
        f = self.figures
        lines = [f"{f['frames']} frames of {f['width']}x{f['height']} at {f['fps']:g} fps"]
        return "\n".join(lines + [f"{WORDS[name]}: {spoken(f[name])}" for name in WORDS if name in f])

    def picture(self) -> np.ndarray:
        """The plot, H W 3 uint8 RGB."""
        return plot(self.panels)


def report(clip: Tensor, fps: float, *, white: np.ndarray | None = None, original: Tensor | None = None,
           joints: Sequence[int] = (), step: Step = nothing) -> Report:
    """Measure a clip, and beside it the original it was made from.

    Args:
        clip, original: F H W 3 in [0, 1], of one size and number.
        white: F H W or 1 H W bool, True where the mask is white (= generated).
        joints: first frames after a joint; where the mask goes from all given to partly generated, or back, there is
            one too.
        step: called after each frame of each pass, at most `passes` times.

    Raises:
        ValueError: fewer than 2 frames, or a joint outside the clip.
    """
    if len(clip) < ENOUGH:
        raise ValueError(f"clip: has {len(clip)} frame; what happens in time needs at least {ENOUGH}")
    frames = to_bytes(clip, step)
    joints = sorted({*joints, *seams(white)})
    joined = {str(joint): metrics.joint_error(frames, joint) for joint in joints}  # before the long work: it checks them
    moved, change = metrics.motion(frames, white, step), metrics.changes(frames, step=step)
    figures: dict[str, Any] = {
        "frames": len(frames), "height": frames.shape[1], "width": frames.shape[2], "fps": fps,
        "change": change.mean(), "warp_error": moved.warp_error.mean(), "hidden": moved.hidden.mean(),
        "flicker": metrics.flicker(frames), "colour_drift": metrics.colour_drift(frames, fps),
        "loop_error": metrics.loop_error(frames)}
    speed = {"motion": moved.speed}
    figures["flow"] = moved.speed.mean()
    if white is not None:
        speed = {"inside": moved.inside, "outside": moved.outside}
        figures |= {"flow_inside": moved.inside.mean(), "flow_outside": moved.outside.mean(),
                    "change_outside": 255 * metrics.changes(clip.float().cpu().numpy(), ~white).mean()}
    if joints:
        figures["joint_errors"] = joined
    curves = {"change": change, "not explained": moved.warp_error}
    if original is not None:
        before = metrics.motion(to_bytes(original, step), white, step)
        figures |= beside(figures, moved, before, original) | given(clip, original, white, step)
        curves["original's"] = before.warp_error
    panels = (Panel("levels", curves, joints), Panel("pixels per frame", speed, joints))
    return Report({name: rounded(value) for name, value in figures.items()}, panels)


def passes(frames: int, original: bool) -> int:
    """How often `report` calls its `step` at most."""
    return 3 * frames * (2 if original else 1)


def seams(white: np.ndarray | None) -> list[int]:
    """Frames at which a mask goes from black all over to not, or back."""
    if white is None:
        return []
    made = np.asarray(white.any(axis=(1, 2)))
    return [int(n) + 1 for n in np.flatnonzero(made[1:] != made[:-1])]


def beside(figures: dict[str, Any], moved: metrics.Motion, before: metrics.Motion, original: Tensor) -> dict[str, Any]:
    """The original's figures, and what the clip has of them."""
    return {
        "original_warp_error": before.warp_error.mean(), "original_flicker": metrics.flicker(to_bytes(original)),
        "warp_error_ratio": metrics.ratio(figures["warp_error"], before.warp_error.mean()),
        "motion_correlation": metrics.alike(moved, before)}


def given(clip: Tensor, original: Tensor, white: np.ndarray | None, step: Step = nothing) -> dict[str, Any]:
    """How much of what was given came back; nothing without a mask."""
    if white is None:
        return {}
    exact = count = error = 0.0
    black = np.logical_not(white)
    for i, (a, b) in enumerate(zip(clip.float().cpu().numpy(), original.float().cpu().numpy(), strict=True)):
        off = (a - b)[black[min(i, len(black) - 1)]]  # n 3
        exact, count, error = exact + (off == 0).all(axis=-1).sum(), count + len(off), error + float(np.square(off).sum())
        step()
    return {"given_exact": exact / max(count, 1), "given_psnr": 10 * np.log10(3 * count / error) if error else None}


def read_joints(text: str, frames: int) -> list[int]:
    """"80, 160" -> frames; nothing -> none. Raises ValueError for what is no frame number with another frame before it."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if not (word.isascii() and word.isdigit() and 1 <= int(word) < frames):
            least = f"1 to {frames - 1}, with commas between them, such as 80, 160" if frames > 2 else "here only 1"
            raise ValueError(f"joints: {word!r}; write the first frame after each joint, {least}")
    return [int(word) for word in words]


def rounded(value: Any) -> Any:
    """Numbers to four digits behind the point, inside mappings too: what JSON can hold and a person reads."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return round(float(value), 4) if isinstance(value, float | np.floating) else value


def spoken(value: Any) -> str:
    """A figure, or a dictionary of figures by frame, as a reader wants it."""
    if isinstance(value, dict):
        return ", ".join(f"frame {key}: {spoken(one)}" for key, one in value.items())
    return "no value (nothing to compare with)" if value is None else f"{value:.4g}"
