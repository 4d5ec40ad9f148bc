"""A style as a file of its own, learned from a picture or a few."""

from typing import Any

from comfy_api.latest import io

from ..stunet_core.checkpoints.lora import EVERYTHING, LAYERS
from ..stunet_core.editing.fit_pictures import FITS, as_rgb, fit
from .host.style.fit_style import FitStyleSettings, fit_style
from .search import found_by


class STUNetFitStyle(io.ComfyNode):
    """StyleDrop (2306.00983): a LoRA on the frozen image model, fitted in the graph."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetFitStyle",
            display_name="Fit Style (STUNet)",
            **found_by("styledrop", "train lora", "style lora"),
            category="STUNet/style",
            description="Fits a LoRA to one or a few pictures of a style, saves it as a file that any LoRA loader reads, and hands "
                        "on the model with it. The same inputs are fitted only once, even after a restart. For less of the style "
                        "see Blend Style.",
            inputs=[
                io.Model.Input("model", tooltip="A U-Net: the mini model, SD1.5, SD2.x or SDXL, also after Apply STUNet: only its "
                                                "image layers are fitted. LoRAs on it are part of it."),
                io.Clip.Input("clip", tooltip="The model's text encoder, for the caption."),
                io.Vae.Input("vae", tooltip="The model's VAE, to encode the pictures."),
                io.Image.Input("image", tooltip="One picture of the style, or several. Any size; grey ones become colour pictures, "
                                                "and what is transparent becomes white. They are mirrored too."),
                io.String.Input("caption", default="", multiline=True,
                                tooltip="What the pictures show, without the style, such as 'a rocket on a yellow background'. What "
                                        "the words do not say is learned as style. Not empty."),
                io.Int.Input("steps", default=200, min=1, max=10000,
                             tooltip="Steps of fitting, 1 to 10000. More comes closer to the pictures, and in the end copies them."),
                io.Int.Input("rank", default=8, min=1, max=256,
                             tooltip="How much the LoRA can hold, 1 to 256. Small ones learn less of what the pictures show."),
                io.Float.Input("learning_rate", default=0.002, min=0.000001, max=1.0, step=0.0001, round=0.000001,
                               tooltip="How far each step goes. 0.002 suits the mini model; take 0.0002 or less for SD1.5 and SDXL."),
                io.Int.Input("seed", default=0, min=0, max=2**63 - 1, control_after_generate=False,
                             tooltip="Seed of the LoRA's start and of the noise. The same seed gives the same file."),
                io.Combo.Input("layers", options=list(LAYERS), default=EVERYTHING,
                               tooltip="What the LoRA changes: attention alone, or convolutions too, which small models need for "
                                       "colours and strokes."),
                io.Int.Input("size", default=256, min=8, max=4096, step=8,
                             tooltip="Side of the square, in pixels, that the pictures are brought to: 256 for the mini model, 512 "
                                     "for SD1.5, 1024 for SDXL."),
                io.Combo.Input("fit", options=list(FITS[:-1]), default=FITS[0],
                               tooltip="How: crop fills the square, pad repeats the picture's edges, stretch changes the aspect."),
                io.String.Input("name", default="style",
                                tooltip="Name of the file, which goes into the folder stunet inside ComfyUI's loras; a few letters "
                                        "that stand for the inputs are added."),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The model with the fitted LoRA at strength 1."),
                io.String.Output(display_name="lora_name", tooltip="The file's name, as LoraLoader lists it."),
            ],
        )

    @classmethod
    def validate_inputs(cls, caption: Any = None) -> bool | str:
        if isinstance(caption, str) and not caption.strip():  # else a link brings it later
            return "caption: is empty; say what the pictures show, such as 'a rocket on a yellow background'"
        return True

    @classmethod
    def execute(cls, model, clip, vae, image, caption: str, steps: int, rank: int, learning_rate: float, seed: int, layers: str,
                size: int, name: str, **how) -> io.NodeOutput:
        pixels = fit(as_rgb("image", image), size, size, how["fit"])
        settings = FitStyleSettings(steps, rank, learning_rate, seed, layers)
        return io.NodeOutput(*fit_style(model, clip, vae, pixels, caption, name, settings))
