"""Clips from pictures: image to video, key frames, cinemagraphs."""

from typing import Any

from comfy_api.latest import io

from ..stunet_core.editing import tasks
from ..stunet_core.editing.keep_mask import doubt, fitting, read_mask
from ..stunet_core.editing.model_size import FIT
from ..stunet_core.editing.pictures import check_alike, check_pictures, one_picture
from ..stunet_core.editing.times import read_times, split_times
from . import task_inputs
from .host.runtime.notices import say
from .host.walk.conditioning import conditioned
from .host.walk.mask_input import looped
from .host.walk.picture_size import brought
from .search import found_by

LOOP = ("The clip repeats without a jump: the frame after the last one is the first, which is there only once. Switch on loop in Apply "
        "STUNet too, which makes the motion flow through, and in Composite.")
TWICE = ("the first and the last picture are the same. In a clip that repeats it would be seen twice in a row: for a loop, switch on loop "
         "in this node, Apply STUNet and Composite.")
DURATION = "Duration in seconds, more than 0. The clip gets seconds x fps frames, rounded."


class STUNetImageToVideo(io.ComfyNode):
    """A clip that begins with an image, and ends with another one if there is one."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetImageToVideo",
            display_name="Image to Video (STUNet: i2v, loop)",
            **found_by("i2v", "img2vid", "first frame", "last frame", "loop", "animate image"),
            category=task_inputs.CATEGORY,
            description="Conditioning and latent for a clip whose first frame is the image, and whose last one is the "
                        "end image if there is one. For any sampler; Composite puts the "
                        "image's own pixels back after decoding.",
            inputs=[
                *task_inputs.prompts(),
                io.Image.Input("image", tooltip="The first frame: one picture, of any size: see size."),
                *task_inputs.duration(DURATION),
                io.Image.Input("end_image", optional=True, tooltip="The last frame, as large as the first."),
                # Added later, so optional: workflows in the API form that do not name it still run.
                io.Boolean.Input("loop", default=False, optional=True, tooltip=LOOP),
                task_inputs.size(),
            ],
            outputs=[*task_inputs.outputs(), task_inputs.rate()],
        )

    @classmethod
    def execute(cls, positive, negative, vae, image, seconds: float, fps: float, end_image=None,
                loop: bool = False, size: str = FIT) -> io.NodeOutput:
        frames = task_inputs.frames(seconds, fps)
        one_picture("image", image)
        if end_image is not None:
            one_picture("end_image", end_image)
            check_alike("end_image", end_image, "image", image)
            if not loop and tasks.same(image, end_image):
                say(TWICE)
        fit = brought("image", image, size, vae, positive, frames)
        task = tasks.image_to_video(fit.pictures(image), frames, None if end_image is None else fit.pictures(end_image), loop=loop)
        return io.NodeOutput(*looped(conditioned(positive, negative, vae, task), loop), task.given, task.generate, fps)


class STUNetKeyframes(io.ComfyNode):
    """A clip that passes through the given pictures at the given times."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetKeyframes",
            display_name="Key Frames (STUNet: loop, interpolate)",
            **found_by("keyframes", "key frame", "interpolate", "in between", "loop", "flf2v"),
            category=task_inputs.CATEGORY,
            description="Conditioning and latent for a clip that shows each image at its time; what lies between is "
                        "generated. For any sampler; Composite puts the images' own pixels back after decoding.",
            inputs=[
                *task_inputs.prompts(),
                io.Image.Input("images", tooltip="The key frames, a batch of any number of pictures."),
                io.String.Input("times", default="0, 2.5s, 79",
                                tooltip="When each image is shown, one time per image with commas between them: a frame "
                                        "number from 0, or seconds with an s. In any order."),
                *task_inputs.duration(DURATION),
                # Added later, so optional: workflows in the API form that do not name it still run.
                io.Boolean.Input("loop", default=False, optional=True, tooltip=LOOP),
                task_inputs.size(),
            ],
            outputs=[*task_inputs.outputs(), task_inputs.rate()],
        )

    @classmethod
    def validate_inputs(cls, times: Any = None) -> bool | str:
        """Only what each word means: ComfyUI says an error once for every input that is asked for here."""
        try:
            return not isinstance(times, str) or bool(split_times(times))
        except ValueError as error:
            return str(error)

    @classmethod
    def execute(cls, positive, negative, vae, images, times: str, seconds: float, fps: float, loop: bool = False,
                size: str = FIT) -> io.NodeOutput:
        count, at = task_inputs.frames(seconds, fps), read_times(times, seconds, fps)
        if len(images) == len(at) == 1:
            say(f"images: one picture is the clip's only key frame{tasks.LISTED}.")
        check_pictures("images", images)
        fit = brought("images", images, size, vae, positive, count)
        task = tasks.key_frames(fit.pictures(images), at, count, loop=loop)
        if not loop and {0, count - 1} <= set(at) and tasks.same(*(images[at.index(time)] for time in (0, count - 1))):
            say(TWICE)
        return io.NodeOutput(*looped(conditioned(positive, negative, vae, task), loop), task.given, task.generate, fps)


class STUNetAnimateRegion(io.ComfyNode):
    """Cinemagraph: everything outside `region` stays exactly the still image."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetAnimateRegion",
            display_name="Animate Region (STUNet: cinemagraph, loop)",
            **found_by("cinemagraph", "loop", "motion brush", "living photo"),
            category=task_inputs.CATEGORY,
            description="Cinemagraph: conditioning and latent for a clip in which only the white region of the image "
                        "moves. After Composite nothing outside it changes at all.",
            inputs=[
                *task_inputs.prompts(),
                io.Image.Input("image", tooltip="The still: one picture, of any size: see size."),
                io.Mask.Input("region", tooltip="White = to be generated, i.e. what moves; black stays still. As large "
                                                "as the image; one mask, or one per frame."),
                *task_inputs.duration(DURATION),
                io.Boolean.Input("loop", default=False, tooltip=LOOP),
                task_inputs.size(),
            ],
            outputs=[*task_inputs.outputs(), task_inputs.rate()],
        )

    @classmethod
    def execute(cls, positive, negative, vae, image, region, seconds: float, fps: float, loop: bool,
                size: str = FIT) -> io.NodeOutput:
        frames = task_inputs.frames(seconds, fps)
        one_picture("image", image)
        region = fitting("region", region, frames, *image.shape[1:3])
        fit = brought("image", image, size, vae, positive, frames)
        image = fit.pictures(image)
        keep = read_mask("region", fit.mask(region), frames, *image.shape[1:3])
        doubtful = doubt("region", keep)
        if doubtful:
            say(doubtful)
        task = tasks.animate_region(image, keep)
        return io.NodeOutput(*looped(conditioned(positive, negative, vae, task), loop), task.given, task.generate, fps)
