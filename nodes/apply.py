"""From image model to clip model."""

from comfy_api.latest import io

from .host import files
from .host.apply import apply_skeleton
from .host.shelf import Shelf


class STUNetApply(io.ComfyNode):
    """Lumiere's Space-Time U-Net: temporal layers woven into any U-Net, so that its batch becomes one clip."""

    shelf: Shelf  # the extension's

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetApply",
            display_name="Apply STUNet",
            category="STUNet",
            description="Makes a clip model of an image model: its batch is then the frames of one clip, all made in a "
                        "single pass. The result is still an ordinary MODEL for any sampler.",
            inputs=[
                io.Model.Input("model", tooltip="A U-Net: the mini model, or one that the weights were trained for."),
                io.Combo.Input("weights", options=files.choices(files.SKELETON), default=files.SKELETON,
                               tooltip=f"Temporal layers. {files.SKELETON} comes with the pack and belongs to the mini "
                                       "model; put others into models/stunet."),
                io.Float.Input("strength", default=1.0, min=0.0, max=2.0, step=0.05, round=0.001,
                               tooltip="How much the temporal layers add, 0 to 2: 1 as trained, lower for less motion "
                                       "and less consistency between frames."),
                io.Boolean.Input("loop", default=False,
                                 tooltip="Time is a circle: the last frame leads back to the first. The number of "
                                         "frames must then be a multiple of the weights' time stride (4 for the mini "
                                         "model)."),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The clip model. One frame is a plain image.")],
        )

    @classmethod
    def validate_inputs(cls, weights: str) -> bool | str:
        return files.check(weights)

    @classmethod
    def fingerprint_inputs(cls, weights: str, **_) -> str:
        return files.fingerprint(weights)

    @classmethod
    def execute(cls, model, weights: str, strength: float, loop: bool) -> io.NodeOutput:
        return io.NodeOutput(apply_skeleton(cls.shelf, model, files.find(weights), loop=loop, strength=strength))
