"""A style as something to say: found in pictures, added to any prompt."""

from typing import Any

from comfy_api.latest import io

from ..stunet_core.editing.fit_pictures import FITS, as_rgb, fit
from .host.style.textual_inversion import InversionSettings, fit_words, worded
from .search import found_by

STYLE_WORDS = io.Custom("STUNET_STYLE_WORDS")


class STUNetFitWords(io.ComfyNode):
    """Textual inversion (2208.01618) of a style: what to add to a prompt's embedding."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetFitWords",
            display_name="Fit Style Words (STUNet)",
            **found_by("textual inversion", "embedding", "learn style"),
            category="STUNet/style",
            description="Finds what would have to be said for the model to draw as in a picture: seconds of fitting, nothing of the "
                        "model is changed. Add Style Words adds it to any prompt. What the prompt asks for is kept better than with "
                        "a palette; a style that the model cannot draw is not learned.",
            inputs=[
                io.Model.Input("model", tooltip="A U-Net: the mini model, SD1.5, SD2.x or SDXL, also after Apply STUNet: only its "
                                                "image layers are asked. LoRAs on it are part of it."),
                io.Clip.Input("clip", tooltip="The model's text encoder, for the caption."),
                io.Vae.Input("vae", tooltip="The model's VAE, to encode the pictures."),
                io.Image.Input("image", tooltip="One picture of the style, or several. Any size; grey ones become colour pictures, "
                                                "and what is transparent becomes white. They are mirrored too."),
                io.String.Input("caption", default="", multiline=True,
                                tooltip="What the pictures show, without the style, such as 'a rocket on a yellow background'. What "
                                        "the words do not say is taken for style. Not empty."),
                io.Int.Input("steps", default=40, min=1, max=10000,
                             tooltip="Steps of fitting, 1 to 10000. More comes closer to the pictures, and in the end copies them."),
                io.Float.Input("learning_rate", default=0.02, min=0.00001, max=1.0, step=0.001, round=0.00001,
                               tooltip="How far each step goes, in deviations of the text's embedding. Lower it if the prompt is lost."),
                io.Int.Input("seed", default=0, min=0, max=2**63 - 1, control_after_generate=False,
                             tooltip="Seed of the noise. The same seed finds the same words."),
                io.Int.Input("size", default=256, min=8, max=4096, step=8,
                             tooltip="Side of the square, in pixels, that the pictures are brought to: 256 for the mini model, 512 "
                                     "for SD1.5, 1024 for SDXL."),
                io.Combo.Input("fit", options=list(FITS[:-1]), default=FITS[0],
                               tooltip="How: crop fills the square, pad repeats the picture's edges, stretch changes the aspect."),
            ],
            outputs=[STYLE_WORDS.Output(display_name="words", tooltip="The style, for Add Style Words.")],
        )

    @classmethod
    def validate_inputs(cls, caption: Any = None) -> bool | str:
        if isinstance(caption, str) and not caption.strip():  # else a link brings it later
            return "caption: is empty; say what the pictures show, such as 'a rocket on a yellow background'"
        return True

    @classmethod
    def execute(cls, model, clip, vae, image, caption: str, steps: int, learning_rate: float, seed: int, size: int,
                **how) -> io.NodeOutput:
        pixels = fit(as_rgb("image", image), size, size, how["fit"])
        return io.NodeOutput(fit_words(model, clip, vae, pixels, caption, InversionSettings(steps, learning_rate, seed)))


class STUNetAddWords(io.ComfyNode):
    """Conditioning in a style; ComfyUI's own nodes say when and where it counts."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetAddWords",
            display_name="Add Style Words (STUNet)",
            **found_by("textual inversion", "embedding"),
            category="STUNet/style",
            description="Adds a style that Fit Style Words found to a prompt. Several in a row add up; core's Conditioning (Set Timestep "
                        "Range) and (Set Area) say when and where.",
            inputs=[
                io.Conditioning.Input("conditioning", tooltip="A prompt, from the CLIP that the words were fitted with."),
                STYLE_WORDS.Input("words", tooltip="The style, from Fit Style Words."),
                io.Float.Input("strength", default=1.0, min=-2.0, max=2.0, step=0.05, round=0.001,
                               tooltip="How much of it, -2 to 2: 0 is exactly the prompt, 1 what was fitted; more exaggerates it and "
                                       "loses the prompt. Below 0: away from the style."),
            ],
            outputs=[io.Conditioning.Output(display_name="conditioning", tooltip="The prompt in the style, for any sampler.")],
        )

    @classmethod
    def execute(cls, conditioning, words, strength: float) -> io.NodeOutput:
        return io.NodeOutput(worded(conditioning, words, strength))
