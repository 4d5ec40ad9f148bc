"""Clips to start from."""

import torch
from comfy_api.latest import io

from ..stunet_core.editing.clip import frame_count

CELL = 8  # pixels per latent cell
LARGEST = 4096
LONGEST = 600.0  # seconds


class STUNetEmptyClip(io.ComfyNode):
    """Latents of an empty clip, one row per frame, to be filled by a sampler."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetEmptyClip",
            display_name="Empty Clip (STUNet)",
            category="STUNet/clip",
            description="An empty clip of the given size and duration, for text to video. Frames are a batch: any "
                        "sampler, VAE or mask node takes it.",
            inputs=[
                io.Int.Input("width", default=128, min=CELL, max=LARGEST, step=CELL,
                             tooltip="Width in pixels, a multiple of 8. The mini model was trained at 128."),
                io.Int.Input("height", default=128, min=CELL, max=LARGEST, step=CELL,
                             tooltip="Height in pixels, a multiple of 8. The mini model was trained at 128."),
                io.Float.Input("seconds", default=5.0, min=0.01, max=LONGEST, step=0.05, round=0.001,
                               tooltip="Duration in seconds, more than 0. The clip gets seconds x fps frames, rounded, "
                                       "at least one; one frame is a plain image."),
                io.Float.Input("fps", default=16.0, min=1.0, max=120.0, step=1.0, round=0.001,
                               tooltip="Frames per second, 1 to 120. The mini model was trained at 16."),
            ],
            outputs=[io.Latent.Output(display_name="LATENT", tooltip="One row per frame.")],
        )

    @classmethod
    def validate_inputs(cls, width: int, height: int, seconds: float, fps: float) -> bool | str:
        """What the widgets' limits say, for callers of the API too, who could otherwise skip the step of 8."""
        return check(width, height, seconds, fps) or True

    @classmethod
    def execute(cls, width: int, height: int, seconds: float, fps: float) -> io.NodeOutput:
        problem = check(width, height, seconds, fps)  # values that arrive through links were not validated
        if problem:
            raise ValueError(problem)
        samples = torch.zeros(frame_count(seconds, fps), 4, height // CELL, width // CELL)
        return io.NodeOutput({"samples": samples})


def check(width: int | None, height: int | None, seconds: float | None, fps: float | None) -> str | None:
    """What is wrong with the values and what would be right, or None. A value of None is not known yet."""
    for name, pixels in (("width", width), ("height", height)):
        if pixels is None:
            continue
        if not CELL <= pixels <= LARGEST:
            return f"{name}: {pixels} pixels; it must be {CELL} to {LARGEST}."
        if pixels % CELL:
            lower = max(CELL, pixels // CELL * CELL)
            return f"{name}: {pixels} is no multiple of {CELL} pixels; use {lower} or {pixels // CELL * CELL + CELL}."
    if seconds is not None and not 0 < seconds <= LONGEST:
        return f"seconds: {seconds}; the clip must last more than 0 and at most {LONGEST:g} seconds."
    if fps is not None and not 1 <= fps <= 120:
        return f"fps: {fps}; it must be 1 to 120 frames per second."
    return None
