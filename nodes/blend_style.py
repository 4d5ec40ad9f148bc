"""How much of a style is in the weights."""

from typing import Any

from comfy_api.latest import io

from ..stunet_core.guidance.keyframes import read_keyframes
from ..stunet_core.guidance.style import read_weights
from .host.style.blend import Style, blend
from .search import found_by

MORE = ("style_2", "style_3", "style_4")


class STUNetBlendStyle(io.ComfyNode):
    """W = a W_style + (1 - a) W_orig (Lumiere, 2401.12945), for one style or several."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetBlendStyle",
            display_name="Blend Style (STUNet)",
            **found_by("merge", "style strength", "mix styles"),
            category="STUNet/style",
            description="Weights between a model and one with a style in it, as Lumiere stylises clips: strength x W_style + "
                        "(1 - strength) x W_model. Styles are models with LoRAs (Fit Style, LoraLoader) or other checkpoints of "
                        "the same kind.",
            inputs=[
                io.Model.Input("model", tooltip="The model without the style. What else hangs on it (Apply STUNet, Style "
                                                "Reference) stays; what hangs on the styles is not taken over."),
                io.Model.Input("style", tooltip="The same model with the style in its weights: after Fit Style or a LoRA loader, or "
                                                "a checkpoint of the same kind."),
                io.Float.Input("strength", default=0.7, min=0.0, max=1.0, step=0.05, round=0.001,
                               tooltip="How much of the style, 0 to 1: 0 is exactly model, 1 exactly the style. Lumiere takes 0.5 "
                                       "to 1."),
                io.String.Input("schedule", default="",
                                tooltip="The strength over sampling, as time: value with commas between them, both from 0 to 1: "
                                        "'0: 0, 0.5: 1' grows to the middle. Multiplied with strength. Empty: the same all the "
                                        "time. For LoRAs only."),
                io.String.Input("weights", default="",
                                tooltip="How much each of several styles counts, with commas between them, such as 2, 1; nothing: "
                                        "all the same."),
                *(io.Model.Input(name, optional=True, tooltip="One more style, to be mixed with the first.") for name in MORE),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="model with the blended weights.")],
        )

    @classmethod
    def validate_inputs(cls, schedule: Any = None) -> bool | str:
        try:
            return not isinstance(schedule, str) or bool(read_keyframes("schedule", schedule)) or True  # else a link brings it later
        except ValueError as error:
            return str(error)

    @classmethod
    def execute(cls, model, style, strength: float, schedule: str, weights: str, **more) -> io.NodeOutput:
        models = {"style": style} | {name: more[name] for name in MORE if more.get(name) is not None}
        shares = read_weights(weights, len(models), "styles")
        styles = [Style(name, one, share) for (name, one), share in zip(models.items(), shares, strict=True) if share]
        return io.NodeOutput(blend(model, styles, strength, read_keyframes("schedule", schedule)))
