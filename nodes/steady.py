"""Less boiling, without training."""

from comfy_api.latest import io

from .host.guidance.deflicker import DeflickerSettings, make_steady
from .search import found_by


class STUNetSteady(io.ComfyNode):
    """Neighbouring frames are averaged a little at each step of sampling, so that a clip boils less."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetSteady",
            display_name="Steady Clip (STUNet: deflicker)",
            **found_by("flicker", "deflicker", "boiling", "temporal smoothing", "stabilize"),
            category="STUNet/sampling",
            description="Takes boiling and flicker out of a clip while it is made: at each step, what the model predicts of a frame is "
                        "averaged with its neighbours in time where they are alike. Costs next to nothing, needs no training, and works "
                        "with any sampler. Quick shaking is damped too.",
            inputs=[
                io.Model.Input("model", tooltip="A clip model: the output of Apply STUNet, or a model on its way there."),
                io.Float.Input("frames", default=4.0, min=0.0, max=16.0, step=0.1, round=0.01,
                               tooltip="How far the average reaches, 0 to 16 frames (the standard deviation of a bell curve): 0 changes "
                                       "nothing, 2 to 4 suit most clips at 16 frames a second."),
                io.Float.Input("difference", default=0.3, min=0.01, max=100.0, step=0.05, round=0.001,
                               tooltip="How much two frames may differ at a place and still be averaged there, 0.01 to 100 standard "
                                       "deviations of the latents: less keeps what moves fast sharper, and lets more of it boil."),
                io.Float.Input("start_percent", default=0.0, min=0.0, max=1.0, step=0.01, round=0.001,
                               tooltip="When in sampling it begins, 0 to 1."),
                io.Float.Input("end_percent", default=1.0, min=0.0, max=1.0, step=0.01, round=0.001,
                               tooltip="When in sampling it ends, 0 to 1: below 1, the last steps give back detail, and much of the "
                                       "boiling."),
                # Added later, so optional: workflows in the API form that do not name it still run.
                io.Float.Input("still_background", default=0.7, min=0.0, max=100.0, step=0.05, round=0.001, optional=True,
                               tooltip="What stood still for as long as it was given (the background of a clip that goes on, or around "
                                       "a hole that moves) goes on standing still, wherever the model's prediction differs from it by no "
                                       "more than this, 0 to 100 standard deviations of the latents. 0: not looked for."),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The model, for any sampler.")],
        )

    @classmethod
    def execute(cls, model, frames: float, difference: float, start_percent: float, end_percent: float,
                still_background: float = 0.7) -> io.NodeOutput:
        return io.NodeOutput(make_steady(model, DeflickerSettings(frames, difference, start_percent, end_percent, still_background)))
