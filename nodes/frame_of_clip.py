"""One frame of a clip, to look at and to paint a mask on."""

from typing import Any

import torch
from comfy_api.latest import io, ui

from ..stunet_core.editing.painted import frame_of, painted_mask
from .host.runtime import files, picture_files
from .host.runtime.notices import say
from .host.runtime.picture_files import edited, said_of
from .search import found_by

FARTHEST = 1_000_000  # frames


class STUNetFrameOfClip(io.ComfyNode):
    """A clip -> one of its frames, shown on the node, and the mask that was painted there."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetFrameOfClip",
            display_name="Frame of Clip (STUNet)",
            **found_by("pick frame", "select frame", "get frame", "first frame", "last frame", "mask editor", "paint mask"),
            category="STUNet/masks",
            description="Takes one frame out of a clip and shows it. When it has run, right-click it, choose Open in MaskEditor, paint and "
                        "save: the next run gives the mask too, for Track Mask or Inpaint.",
            inputs=[
                io.Image.Input("clip", tooltip="The clip, such as the images of Get Video Components."),
                io.Int.Input("frame", default=0, min=-FARTHEST, max=FARTHEST,
                             tooltip="Which frame; 0 is the first, -1 the last, -2 the one before it."),
                io.String.Input("image", default="", optional=True,
                                tooltip="The mask editor writes here what was painted. Empty it to begin anew. A mask that was painted on "
                                        "another frame is left out, and the node says so."),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The frame."),
                io.Mask.Output(display_name="mask", tooltip="White = painted, to be followed or generated. All black as long as nothing "
                                                            "was painted."),
                io.Int.Output(display_name="frame", tooltip="The frame's number from the first, for Track Mask's frame."),
            ],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, image: Any = None) -> bool | str:
        return not isinstance(image, str) or not image.strip() or said_of(edited, "image", image)

    @classmethod
    def fingerprint_inputs(cls, image: Any = None, **_) -> str:
        return files.stamp(edited("image", image)) if isinstance(image, str) and image.strip() else ""

    @classmethod
    def execute(cls, clip, frame: int, image: str = "") -> io.NodeOutput:
        picture = frame_of("clip", clip, frame)
        number, mask = frame % len(clip), None
        shown: Any = None
        if image.strip():
            path = edited("image", image)
            mask = painted_mask(picture_files.read("image", path, "RGBA")[0], picture[0].float().cpu())
            if mask is None:
                say(f"image: the mask was not painted on frame {number} as it is now, and is left out; paint with the mask brush on the "
                    "picture that the node shows")
            else:
                shown = ui.SavedImages([ui.SavedResult(path.name, picture_files.folder_in_inputs(path), io.FolderType.input)])
        if mask is None:
            mask = torch.zeros(picture.shape[1:3])
        return io.NodeOutput(picture, mask[None], number, ui=shown or ui.PreviewImage(picture.float()))
