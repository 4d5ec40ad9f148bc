"""What a motion module was taught afterwards: camera moves, mostly."""

from typing import Any

from comfy_api.latest import io

from .host.runtime import files
from .host.walk.motion_lora import add_motion_lora
from .search import found_by


class STUNetMotionLora(io.ComfyNode):
    """A motion LoRA on the motion module that Apply STUNet put in."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetMotionLora",
            display_name="Motion LoRA (STUNet: AnimateDiff)",
            **found_by("animatediff", "camera", "pan", "zoom", "motion lora"),
            category="STUNet",
            description="Changes the motion module of a clip model as a motion LoRA says: zooms, pans and rolls of the camera, or "
                        "a motion someone trained. Several can follow one another.",
            inputs=[
                io.Model.Input("model", tooltip="A clip model with a motion module: the output of Apply STUNet, or of another "
                                                "Motion LoRA."),
                io.Combo.Input("lora", options=files.motion_loras(),
                               tooltip="A LoRA of a motion module, such as AnimateDiff's v2_lora_ZoomIn, which goes with its v2 module. "
                                       "Put it into models/animatediff_motion_lora; models/stunet and models/loras are searched too."),
                io.Float.Input("strength", default=1.0, min=-4.0, max=4.0, step=0.05, round=0.001,
                               tooltip="How much of it, -4 to 4: 0 nothing, 1 as trained, below 0 the opposite."),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The clip model with the LoRA on its motion module.")],
        )

    @classmethod
    def validate_inputs(cls, lora: Any = None) -> bool | str:
        return files.check(lora, "lora")

    @classmethod
    def fingerprint_inputs(cls, lora: str, **_) -> str:
        return files.fingerprint(lora, "lora")

    @classmethod
    def execute(cls, model, lora: str, strength: float) -> io.NodeOutput:
        return io.NodeOutput(add_motion_lora(model, files.find(lora, "lora"), strength))
