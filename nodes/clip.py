"""Clips to start from."""

from typing import Any

from comfy_api.latest import io

from ..stunet_core.editing.clip import frame_count
from .host.runtime.latents import CELL, Cells, cells_of, empty
from .search import found_by

LARGEST = 4096
LONGEST = 600.0  # seconds


class STUNetEmptyClip(io.ComfyNode):
    """Latents of an empty clip, one row per frame, to be filled by a sampler."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetEmptyClip",
            display_name="Empty Clip (STUNet: text to video, t2v, fps)",
            **found_by("text to video", "t2v", "txt2vid", "fps", "frame rate", "empty latent video"),
            category="STUNet/clip",
            description="An empty clip of the given size and duration, for text to video. Frames are a batch: any "
                        "sampler, VAE or mask node takes it.",
            inputs=[
                io.Int.Input("width", default=256, min=CELL, max=LARGEST, step=CELL,
                             tooltip="Width in pixels, a multiple of 8, or of 16 for the mini model, which was trained at 256."),
                io.Int.Input("height", default=256, min=CELL, max=LARGEST, step=CELL,
                             tooltip="Height in pixels, a multiple of 8, or of 16 for the mini model, which was trained at 256."),
                io.Float.Input("seconds", default=5.0, min=0.01, max=LONGEST, step=0.05, round=0.001,
                               tooltip="Duration in seconds, more than 0. The clip gets seconds x fps frames, rounded, "
                                       "at least one; one frame is a plain image."),
                io.Float.Input("fps", default=16.0, min=1.0, max=120.0, step=1.0, round=0.001,
                               tooltip="Frames per second, 1 to 120. The mini model was trained at 16."),
                # Added later, so optional: workflows in the API form that do not name it still run.
                io.Model.Input("model", optional=True,
                               tooltip="The model that will fill the clip, whose kind of latents it then has: the mini model's cells "
                                       "are 16 pixels wide. Without it: latents as those of SD1.5, SD2.x and SDXL."),
            ],
            outputs=[
                io.Latent.Output(display_name="LATENT", tooltip="One row per frame."),
                io.Float.Output(display_name="fps", tooltip="The clip's frames per second, for Create Video: so it is typed once."),
            ],
        )

    @classmethod
    def validate_inputs(cls, width: Any = None) -> bool | str:
        """The step of 8, which callers of the API could skip. ComfyUI says an error once for every input that is asked for here, so only
        the width is: the height's step is looked at when the node runs, and the limits of the others by ComfyUI."""
        return not isinstance(width, int) or check(width, None, None, None) or True

    @classmethod
    def execute(cls, width: int, height: int, seconds: float, fps: float, model: Any = None) -> io.NodeOutput:
        cells = Cells() if model is None else cells_of(model)
        problem = check(width, height, seconds, fps, cells.pixels)  # values that arrive through links were not validated
        if problem:
            raise ValueError(problem)
        return io.NodeOutput(empty(cells, frame_count(seconds, fps), height, width), fps)


def check(width: int | None, height: int | None, seconds: float | None, fps: float | None, cell: int = CELL) -> str | None:
    """What is wrong with the values and what would be right, or None. A value of None is not known yet."""
    for name, pixels in (("width", width), ("height", height)):
        if pixels is None:
            continue
        if not cell <= pixels <= LARGEST:
            return f"{name}: {pixels} pixels; it must be {cell} to {LARGEST}."
        if pixels % cell:
            lower = max(cell, pixels // cell * cell)
            return f"{name}: {pixels} is no multiple of {cell} pixels; use {lower} or {pixels // cell * cell + cell}."
    if seconds is not None and not 0 < seconds <= LONGEST:
        return f"seconds: {seconds}; the clip must last more than 0 and at most {LONGEST:g} seconds."
    if fps is not None and not 1 <= fps <= 120:
        return f"fps: {fps}; it must be 1 to 120 frames per second."
    return None
