"""Pictures and a clip of the pack's own: the templates run with nothing copied by hand."""

from typing import Any

import torch
from comfy_api.latest import InputImpl, io, ui

from .host.runtime import files, picture_files
from .host.runtime.picture_files import CLIPS, PICTURES, example, examples, said_of
from .search import found_by

CATEGORY = "STUNet/examples"
AGAIN = "Install the pack again"


class STUNetExamplePicture(io.ComfyNode):
    """A picture of the pack, or a mask, as core's Load Image gives them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetExamplePicture",
            display_name="Example Picture (STUNet)",
            **found_by("sample picture", "sample image", "test image", "demo picture", "example mask"),
            category=CATEGORY,
            description="A picture or a mask that comes with the pack, so that its templates run at once. Load Image takes its place when "
                        "you have a picture of your own: the same outputs.",
            inputs=[
                io.Combo.Input("image", options=examples(PICTURES),
                               tooltip="The picture, 256x256. Those that end in mask, first or water are masks: white = generated. "
                                       "The node shows it when it has run."),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="The picture, as Load Image gives it."),
                io.Mask.Output(display_name="MASK", tooltip="Of a mask: white as it is drawn, as Load Image (as Mask) gives it from a "
                                                            "colour's channel. Of a picture: 64x64 and black, as from Load Image."),
            ],
        )

    @classmethod
    def validate_inputs(cls, image: Any = None) -> bool | str:
        return not isinstance(image, str) or said_of(example, "image", image, PICTURES)

    @classmethod
    def fingerprint_inputs(cls, image: str) -> str:
        return files.stamp(example("image", image, PICTURES))

    @classmethod
    def execute(cls, image: str) -> io.NodeOutput:
        pixels, grey = picture_files.read("image", example("image", image, PICTURES), "RGB")
        mask = pixels[..., 0] if grey else torch.zeros(64, 64)
        return io.NodeOutput(pixels[None], mask[None], ui=ui.PreviewImage(pixels[None]))


class STUNetExampleClip(io.ComfyNode):
    """A clip of the pack, as core's Load Video gives it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetExampleClip",
            display_name="Example Clip (STUNet)",
            **found_by("sample clip", "sample video", "test video", "demo video", "example video"),
            category=CATEGORY,
            description="A short video that comes with the pack, so that its templates run at once. Load Video takes its place when you "
                        "have a clip of your own: the same output.",
            inputs=[
                io.Combo.Input("file", options=examples(CLIPS),
                               tooltip="The video: 3 seconds of a drawn fox, 256x256, 16 frames per second, without sound."),
            ],
            outputs=[io.Video.Output(display_name="VIDEO", tooltip="The video, for Get Video Components, which gives its frames, its sound "
                                                                   "and its frame rate.")],
        )

    @classmethod
    def validate_inputs(cls, file: Any = None) -> bool | str:
        return not isinstance(file, str) or said_of(example, "file", file, CLIPS)

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:
        return files.stamp(example("file", file, CLIPS))

    @classmethod
    def execute(cls, file: str) -> io.NodeOutput:
        path = example("file", file, CLIPS)
        video = InputImpl.VideoFromFile(str(path))
        try:
            frames = len(video.get_components().images)  # now, not in a later node that knows no file
        except Exception as error:  # the decoder's own kinds
            raise ValueError(f"file: {path} is no video, or damaged ({error}). {AGAIN}") from error
        if not frames:
            raise ValueError(f"file: {path} has no frames. {AGAIN}")
        return io.NodeOutput(video)
