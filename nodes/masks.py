"""Masks that move: carried by what they cover, or along a path."""

from typing import Any

import torch
from comfy_api.latest import io

from ..stunet_core.editing.clip import frame_count
from ..stunet_core.editing.flow import to_bytes
from ..stunet_core.editing.keep_mask import doubt, read_mask
from ..stunet_core.editing.mask_path import PACES, SHAPES, mask_path, read_boxes
from ..stunet_core.editing.pictures import check_pictures
from ..stunet_core.editing.times import read_times
from ..stunet_core.editing.track import speak, track, widen
from .clip import LARGEST, LONGEST
from .host.runtime.notices import say
from .host.runtime.progress import progress
from .search import found_by
from .task_inputs import check_clip

MOST_GROWN = 256  # pixels
MOST_PIXELS = 2**31  # of all masks together: 8 GiB


class STUNetTrackMask(io.ComfyNode):
    """One painted mask -> a mask for every frame, carried by dense optical flow."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetTrackMask",
            display_name="Track Mask (STUNet: segment)",
            **found_by("segment", "sam", "propagate mask", "rotoscope", "follow object"),
            category="STUNet/masks",
            description="Carries a mask that was painted on one frame through the whole clip, forwards and backwards, "
                        "by the motion of what it covers. Says on which frames it lost track.",
            inputs=[
                io.Image.Input("clip", tooltip="The clip to follow something in, one row per frame."),
                io.Mask.Input("mask", tooltip="One mask, painted on one frame of the clip: white is what is followed, "
                                              "and what will be generated. Take a frame that shows all of it."),
                io.Int.Input("frame", default=0, min=0, max=100_000,
                             tooltip="The frame that the mask was painted on; 0 is the first."),
                io.Int.Input("grow", default=2, min=0, max=MOST_GROWN,
                             tooltip="Pixels by which every mask is widened, 0 to 256: a mask that is too tight leaves a "
                                     "rim of what was to be replaced."),
            ],
            outputs=[
                io.Mask.Output(display_name="masks", tooltip="One per frame; white = to be generated."),
                io.String.Output(display_name="report", tooltip="How far it was followed, and the frames where not."),
            ],
        )

    @classmethod
    def execute(cls, clip, mask, frame: int, grow: int) -> io.NodeOutput:
        check_clip("clip", clip)
        mask = mask[None] if mask.ndim == 2 else mask
        if len(mask) != 1:
            raise ValueError(f"mask: has {len(mask)} frames; give the 1 that was painted on the clip's frame {frame}")
        if not 0 <= grow <= MOST_GROWN:
            raise ValueError(f"grow: {grow} pixels; it must be 0 to {MOST_GROWN}")
        keep = read_mask("mask", mask, 1, *clip.shape[1:3])
        step = progress((3 if grow else 2) * len(clip) - 1)
        found = track(to_bytes(clip, step), mask[0].float().cpu().numpy(), frame, step)
        told = speak(found, frame)
        for problem in (doubt("mask", keep), told if found.lost else None):
            if problem:
                say(problem)
        return io.NodeOutput(torch.from_numpy(widen(found.masks, grow, step)), told)


class STUNetMaskPath(io.ComfyNode):
    """A box or an ellipse at key times -> a mask for every frame."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetMaskPath",
            display_name="Mask Path (STUNet: trajectory, spline)",
            **found_by("trajectory", "spline", "moving mask", "animated mask", "path"),
            category="STUNet/masks",
            description="A box or an ellipse that moves and grows from one key time to the next, as one mask per frame.",
            inputs=[
                io.String.Input("times", default="0, 79",
                                tooltip="When the boxes are reached: frame numbers, or seconds with an s, with commas "
                                        "between them, such as 0, 2.5s, 79. Before the first and after the last the "
                                        "mask stands still."),
                io.String.Input("boxes", default="32 80 96 96\n128 80 96 96", multiline=True,
                                tooltip="One line for each time: left top width height in pixels. Inside is white = to "
                                        "be generated. A box may reach out of the picture."),
                io.Combo.Input("shape", options=list(SHAPES), default="box",
                               tooltip="The boxes themselves, or the ellipses in them."),
                io.Combo.Input("pace", options=list(PACES), default="steady",
                               tooltip="steady: even motion from key to key. ease: starts and stops gently at each."),
                io.Int.Input("width", default=256, min=1, max=LARGEST, tooltip="Width in pixels, 1 to 4096."),
                io.Int.Input("height", default=256, min=1, max=LARGEST, tooltip="Height in pixels, 1 to 4096."),
                io.Float.Input("seconds", default=5.0, min=0.01, max=LONGEST, step=0.05, round=0.001,
                               tooltip="Duration in seconds, more than 0: seconds x fps masks, rounded."),
                io.Float.Input("fps", default=16.0, min=1.0, max=120.0, step=1.0, round=0.001,
                               tooltip="Frames per second, 1 to 120. With a clip that was loaded, connect the fps output of Get "
                                       "Video Components."),
                io.Image.Input("clip", optional=True,
                               tooltip="Takes width, height and number of masks from this clip instead. fps still says "
                                       "what a second is."),
            ],
            outputs=[io.Mask.Output(display_name="masks", tooltip="One per frame; white = to be generated.")],
        )

    @classmethod
    def validate_inputs(cls, boxes: Any = None) -> bool | str:
        """Before anything runs; what arrives through links is checked when it does, and the limits of numbers by ComfyUI."""
        try:
            return not isinstance(boxes, str) or bool(read_boxes(boxes)) or True
        except ValueError as problem:
            return str(problem)

    @classmethod
    def execute(cls, times: str, boxes: str, shape: str, pace: str, width: int, height: int, seconds: float, fps: float,
                clip=None) -> io.NodeOutput:
        problem = check(width, height, seconds, fps)
        if problem:
            raise ValueError(problem)
        if clip is not None:
            check_pictures("clip", clip)
            seconds, (height, width) = len(clip) / fps, clip.shape[1:3]
        frames = frame_count(seconds, fps)
        if frames * height * width > MOST_PIXELS:
            raise ValueError(f"seconds, width, height: {frames} masks of {width}x{height} pixels need more than 8 GiB; make "
                             "a shorter or smaller clip")
        masks = torch.from_numpy(mask_path(read_times(times, seconds, fps), read_boxes(boxes), frames, height, width,
                                           shape=shape, pace=pace, step=progress(frames)))
        warning = doubt("boxes", read_mask("boxes", masks, frames, height, width))
        if warning:
            say(warning)
        return io.NodeOutput(masks)


def check(width: int | None, height: int | None, seconds: float | None, fps: float | None) -> str | None:
    """What is wrong with the values and what would be right, or None. A value of None is not known yet."""
    for name, value, least, most, unit in (("width", width, 1, LARGEST, "pixels"), ("height", height, 1, LARGEST, "pixels"),
                                           ("fps", fps, 1, 120, "frames per second")):
        if value is not None and not least <= value <= most:
            return f"{name}: {value}; it must be {least} to {most} {unit}."
    if seconds is not None and not 0 < seconds <= LONGEST:
        return f"seconds: {seconds}; the masks must last more than 0 and at most {LONGEST:g} seconds."
    return None
