"""From image model to clip model."""

from typing import Any

from comfy_api.latest import io

from ..stunet_core.model.motion_module import POSITIONS
from ..stunet_core.model.strides import PRESETS
from .host.runtime import files
from .host.runtime.weight_cache import WeightCache
from .host.walk.apply import apply_skeleton
from .search import found_by

TRAINED, OWN = "from the weights", "of the model"


class STUNetApply(io.ComfyNode):
    """Lumiere's Space-Time U-Net: temporal layers woven into any U-Net, so that its batch becomes one clip."""

    weight_cache: WeightCache  # the extension's

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetApply",
            display_name="Apply STUNet (Lumiere, AnimateDiff)",
            **found_by("lumiere", "animatediff", "hotshotxl", "animatelcm", "motion module", "video model", "text to video", "t2v", "loop"),
            category="STUNet",
            description="Makes a clip model of an image model: its batch is then the frames of one clip, all made in a "
                        "single pass. The result is still an ordinary MODEL for any sampler.",
            inputs=[
                io.Model.Input("model", tooltip="A U-Net: the mini model, SD1.5, SDXL or one built like them. The weights must be "
                                                "made for it."),
                io.Combo.Input("weights", options=files.choices(files.SKELETON), default=files.SKELETON,
                               tooltip=f"Temporal layers. {files.SKELETON} comes with the pack and belongs to the mini "
                                       "model. For SD1.5 and SDXL, put motion modules of AnimateDiff, HotshotXL or "
                                       "AnimateLCM into models/animatediff_models, and STUNet's own into "
                                       "models/stunet."),
                io.Float.Input("strength", default=1.0, min=0.0, max=2.0, step=0.05, round=0.001,
                               tooltip="How much the temporal layers add, 0 to 2: 1 as trained, lower for less motion "
                                       "and less consistency between frames."),
                io.Boolean.Input("loop", default=False,
                                 tooltip="Time is a circle: the last frame leads back to the first. The number of "
                                         "frames must then be a multiple of the weights' time stride (4 for the mini "
                                         "model)."),
                # Added later, so optional: workflows in the API form that do not name them still run.
                io.Combo.Input("time_strides", options=[TRAINED, *PRESETS], default=TRAINED, optional=True,
                               tooltip="How many frames share one at each level of the U-Net, from fine to coarse. "
                                       "lumiere: 1, 2, 4, 8, fastest and for long clips; gentle: 1, 2, 2, 2; none: 1 "
                                       "everywhere, as motion modules were trained. A clip whose length is no multiple "
                                       "of the last is padded."),
                io.Combo.Input("positions", options=list(POSITIONS), default=POSITIONS[0], optional=True,
                               tooltip="Motion modules know 24 to 64 frames. Where a level of the U-Net has more, after "
                                       "the time strides: window sees them in overlapping windows that fade into one "
                                       "another, interpolate stretches what the module knows, which slows motion down. "
                                       "Elsewhere, and with STUNet's own weights, it has no effect."),
                io.Combo.Input("noise_schedule", options=[TRAINED, OWN], default=TRAINED, optional=True,
                               tooltip="AnimateDiff's motion modules were trained on other noise schedules than SD1.5 and SDXL, "
                                       "and give smeared or hardly moving clips without. from the weights: the model "
                                       "samples on theirs; of the model: it keeps its own."),
                io.Mask.Input("strength_mask", optional=True,
                              tooltip="Scales the strength per place and frame, 0 (none) to 1 (all of it). One mask for "
                                      "the whole clip, or one for each frame."),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The clip model. One frame is a plain image.")],
        )

    @classmethod
    def validate_inputs(cls, weights: Any = None) -> bool | str:
        return files.check(weights)

    @classmethod
    def fingerprint_inputs(cls, weights: str, **_) -> str:
        return files.fingerprint(weights)

    @classmethod
    def execute(cls, model, weights: str, strength: float, loop: bool, time_strides: str = TRAINED,
                positions: str = POSITIONS[0], noise_schedule: str = TRAINED, strength_mask=None) -> io.NodeOutput:
        where = None if strength_mask is None else strength_mask.reshape(-1, *strength_mask.shape[-2:])
        if where is not None and not (where > 0).any():
            raise ValueError("strength_mask: is black everywhere: nothing is painted, so the temporal layers would do nothing. Paint "
                             "white where they are to act, or disconnect it")
        return io.NodeOutput(apply_skeleton(
            cls.weight_cache, model, files.find(weights), loop=loop, strength=strength, positions=positions, where=where,
            time_strides=None if time_strides == TRAINED else time_strides, own_schedule=noise_schedule == OWN))
