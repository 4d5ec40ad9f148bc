"""Clips from clips: inpainting, outpainting, extending."""

from typing import Any

from comfy_api.latest import io

from ..stunet_core.editing import tasks
from ..stunet_core.editing.keep_mask import doubt, fitting, read_mask
from ..stunet_core.editing.model_size import FIT
from ..stunet_core.editing.pictures import check_pictures
from ..stunet_core.editing.steps import nothing
from ..stunet_core.editing.times import read_aspect
from . import task_inputs
from .clip import LARGEST
from .host.runtime.notices import say
from .host.runtime.progress import progress
from .host.walk.conditioning import conditioned
from .host.walk.picture_size import brought, brought_with_margins
from .search import found_by

AFTER, BEFORE = "after", "before"


class STUNetInpaint(io.ComfyNode):
    """A clip whose masked part is made anew."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetInpaint",
            display_name="Inpaint Clip (STUNet: remove object)",
            **found_by("remove object", "video inpainting", "replace", "erase", "propainter"),
            category=task_inputs.CATEGORY,
            description="Conditioning and latent that make the white part of a clip anew: fill a hole, replace a thing "
                        "by what the prompt says, or remove it (start_from). Composite puts all other pixels "
                        "back, exactly.",
            inputs=[
                *task_inputs.prompts(),
                io.Image.Input("clip", tooltip="The clip, any number of frames, any size."),
                io.Mask.Input("mask", tooltip="White = to be generated, black stays. As large as the clip; one mask for "
                                              "all frames, or one per frame. Leave some room around a thing: GrowMask."),
                # Added later, so optional: workflows in the API form that do not name it still run.
                io.Combo.Input("start_from", options=list(tasks.GUESSES), default=tasks.THERE, optional=True,
                               tooltip="What a sampler with denoise below 1 starts from in the white part. To remove a thing, take "
                                       "surroundings, an empty prompt and a denoise of about 0.3: the place is then filled with what is "
                                       "seen there at other times (a still camera), else from around it, and refined. With denoise 1 it "
                                       "has no effect."),
                task_inputs.size(),
            ],
            outputs=task_inputs.outputs(),
        )

    @classmethod
    def execute(cls, positive, negative, vae, clip, mask, start_from: str = tasks.THERE, size: str = FIT) -> io.NodeOutput:
        task_inputs.check_clip("clip", clip)
        mask = fitting("mask", mask, *clip.shape[:3])
        fit = brought("clip", clip, size, vae, positive, len(clip))
        step = progress(2 * len(clip) if fit.scaled else 1)
        clip = fit.pictures(clip, step)
        keep = read_mask("mask", fit.mask(mask, step), *clip.shape[:3])
        doubtful = doubt("mask", keep)
        if doubtful:
            say(doubtful)
        task = tasks.inpaint(clip, keep, start_from, progress(len(clip)))
        return io.NodeOutput(*conditioned(positive, negative, vae, task), task.given, task.generate)


class STUNetOutpaint(io.ComfyNode):
    """A clip with more around it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        sides = [io.Int.Input(side, default=0, min=0, max=LARGEST, step=8,
                              tooltip=f"Pixels to generate {where}, 0 to {LARGEST}. Multiples of 8 show the model the "
                                      "most of the clip.")
                 for side, where in (("left", "on the left"), ("top", "above"), ("right", "on the right"),
                                     ("bottom", "below"))]
        return io.Schema(
            node_id="STUNetOutpaint",
            display_name="Outpaint Clip (STUNet)",
            **found_by("video outpainting", "aspect ratio", "expand", "uncrop"),
            category=task_inputs.CATEGORY,
            description="Conditioning and latent for a clip with more around it: so many pixels on each side, or as "
                        "many as an aspect ratio needs. Composite puts the clip's own pixels back, exactly.",
            inputs=[
                *task_inputs.prompts(),
                io.Image.Input("clip", tooltip="The clip, any number of frames, any size."),
                *sides,
                io.String.Input("aspect", default="",
                                tooltip="Instead of pixels: width:height to reach, such as 16:9, or a number such as "
                                        "1.78. Both sides grow alike; nothing is cut. Empty: the pixels above count."),
                task_inputs.size(),
            ],
            outputs=task_inputs.outputs(),
        )

    @classmethod
    def validate_inputs(cls, aspect: Any = None) -> bool | str:
        try:
            return not isinstance(aspect, str) or not aspect.strip() or bool(read_aspect(aspect))
        except ValueError as error:
            return str(error)

    @classmethod
    def execute(cls, positive, negative, vae, clip, left: int, top: int, right: int, bottom: int,
                aspect: str, size: str = FIT) -> io.NodeOutput:
        task_inputs.check_clip("clip", clip)
        margins = (left, top, right, bottom)
        if aspect.strip():
            if any(margins):
                raise ValueError("aspect: give either an aspect or pixels on the sides; set the others to 0, or leave "
                                 "aspect empty")
            margins = tasks.margins(clip.shape[2], clip.shape[1], read_aspect(aspect))
        for side, pixels in zip(("left", "top", "right", "bottom"), margins, strict=True):
            if pixels < 0:
                raise ValueError(f"{side}: {pixels} pixels; give 0 or more")
        fit, margins = brought_with_margins("clip", clip, margins, size, vae, positive)
        task = tasks.outpaint(fit.pictures(clip, progress(len(clip)) if fit.scaled else nothing), *margins)
        doubtful = doubt("left, top, right, bottom", task.keep)
        if doubtful:
            say(doubtful)
        return io.NodeOutput(*conditioned(positive, negative, vae, task), task.given, task.generate)


class STUNetExtend(io.ComfyNode):
    """A clip that goes on, or begins earlier."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetExtend",
            display_name="Extend Clip (STUNet)",
            **found_by("continue video", "longer", "prolong", "fps"),
            category=task_inputs.CATEGORY,
            description="Conditioning and latent for frames that continue a clip, or lead to it. The model sees only the "
                        "overlap, so a clip can be extended step by step to any length: join what Composite makes to "
                        "the rest with ImageBatch, and extend that.",
            inputs=[
                *task_inputs.prompts(),
                io.Image.Input("clip", tooltip="The clip, any number of frames, any size."),
                *task_inputs.duration("How much to add, in seconds, more than 0. With the overlap, the mini model is at "
                                      "its best at 80 frames."),
                io.Combo.Input("side", options=[AFTER, BEFORE], default=AFTER,
                               tooltip="Where to add it: after the clip's end, or before its beginning."),
                io.Int.Input("overlap", default=16, min=1, max=10_000,
                             tooltip="How many of the clip's frames the model sees, 1 to all of them: more of them tell "
                                     "it more of the motion."),
                task_inputs.size(),
            ],
            outputs=[
                *task_inputs.outputs(),
                io.Image.Output(display_name="rest", tooltip="The clip's other frames, to be joined to the result with "
                                                             "ImageBatch: in front of it for after, behind it for before. "
                                                             "None if the overlap is the whole clip."),
                task_inputs.rate(),
            ],
        )

    @classmethod
    def validate_inputs(cls, side: Any = None) -> bool | str:
        """Older ComfyUIs do not check the choices of a list."""
        return side in (None, AFTER, BEFORE) or f"side: {side!r} is neither {AFTER} nor {BEFORE}"

    @classmethod
    def execute(cls, positive, negative, vae, clip, seconds: float, fps: float, side: str, overlap: int,
                size: str = FIT) -> io.NodeOutput:
        added = task_inputs.frames(seconds, fps)
        check_pictures("clip", clip)
        fit = brought("clip", clip, size, vae, positive, len(clip) + added)
        task, rest = tasks.extend(fit.pictures(clip, progress(len(clip)) if fit.scaled else nothing), added, overlap, before=side == BEFORE)
        return io.NodeOutput(*conditioned(positive, negative, vae, task), task.given, task.generate, rest, fps)
