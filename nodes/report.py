"""What is good and bad about a clip, in numbers."""

import json

import numpy as np
import torch
from comfy_api.latest import io, ui

from ..stunet_core.editing.keep_mask import doubt, read_mask
from ..stunet_core.editing.pictures import check_alike, check_pictures
from ..stunet_core.report.report import passes, read_joints, report
from .host.runtime.notices import say
from .host.runtime.progress import progress
from .search import found_by


class STUNetClipReport(io.ComfyNode):
    """Flicker, warp error, motion, joints and colour drift of a clip, beside those of its original."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetClipReport",
            display_name="Clip Report (STUNet)",
            **found_by("flicker", "metrics", "quality", "fps", "compare"),
            category="STUNet/clip",
            description="Measures a clip: flicker, change that no motion explains, motion inside and outside a mask, "
                        "visible joints, colour drift, how well it loops. As text, as JSON and as a small plot.",
            inputs=[
                io.Image.Input("clip", tooltip="The clip to measure, at least 2 frames."),
                io.Float.Input("fps", default=16.0, min=1.0, max=120.0, step=1.0, round=0.001,
                               tooltip="Frames per second, 1 to 120: how many frames the first and the last second have. For a clip "
                                       "that was loaded, connect the fps output of Get Video Components."),
                io.String.Input("joints", default="",
                                tooltip="Where clips were joined: the first frame after each joint, such as 80, 160. "
                                        "Joints that the mask shows (from frames that were given to generated ones) are "
                                        "found without it."),
                io.Mask.Input("mask", optional=True,
                              tooltip="1 mask or one per frame; white = generated. Motion is then measured inside and "
                                      "outside, and black pixels are compared with the original."),
                io.Image.Input("original", optional=True,
                               tooltip="The clip it was made from, of the same size and number of frames."),
            ],
            outputs=[
                io.String.Output(display_name="text", tooltip="One line per figure."),
                io.String.Output(display_name="json", tooltip="The same figures as a JSON object."),
                io.Image.Output(display_name="plot", tooltip="Change and motion from frame to frame."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, clip, fps: float, joints: str, mask=None, original=None) -> io.NodeOutput:
        check_pictures("clip", clip)
        if not 1 <= fps <= 120:
            raise ValueError(f"fps: {fps}; it must be 1 to 120 frames per second")
        if original is not None:
            check_pictures("original", original)
            check_alike("original", original, "clip", clip)
            if len(original) != len(clip):
                raise ValueError(f"original: has {len(original)} frames, the clip {len(clip)}; give both the same number, "
                                 "for example with ImageFromBatch")
        white = None
        if mask is not None:
            keep = read_mask("mask", mask, len(clip), *clip.shape[1:3])
            white = ~keep.cpu().numpy()
            warning = doubt("mask", keep)
            if warning:
                say(warning)
        found = report(clip, fps, white=white, original=original, joints=read_joints(joints, len(clip)),
                       step=progress(passes(len(clip), original is not None)))
        text, picture = found.text(), torch.from_numpy(found.picture().astype(np.float32) / 255)[None]
        return io.NodeOutput(text, json.dumps(found.figures), picture, ui=ui.PreviewText(text))
