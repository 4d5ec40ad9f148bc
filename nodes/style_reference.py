"""The look of a clip from one picture, without training."""

from comfy_api.latest import io

from ..stunet_core.editing.fit_pictures import FITS, as_rgb
from ..stunet_core.guidance.style import read_weights
from .host.style import reference
from .host.style.reference import ReferenceSettings, add_reference
from .search import found_by


class STUNetStyleReference(io.ComfyNode):
    """Every frame's self-attention also sees the reference's keys and values (StyleAligned, 2312.02133)."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetStyleReference",
            display_name="Style Reference (STUNet: like IPAdapter)",
            **found_by("ipadapter", "ip-adapter", "style transfer", "stylealigned", "reference image"),
            category="STUNet/style",
            description="Gives everything the model makes the style of a picture, without training. The picture is noised to "
                        "every step and seen by the self-attention of every frame; it never appears in the clip. For the mini "
                        "model, SD1.5, SD2.x and SDXL, before or after Apply STUNet, with LoRAs and ControlNets.",
            inputs=[
                io.Model.Input("model", tooltip="A U-Net: the mini model, SD1.5, SD2.x or SDXL. With mode statistics any model."),
                io.Vae.Input("vae", tooltip="The model's VAE, to encode the reference."),
                io.Image.Input("image", tooltip="The reference: one picture of the style, or several. Any size; grey ones become "
                                                "colour pictures, and what is transparent becomes white."),
                io.Float.Input("strength", default=1.0, min=0.0, max=2.0, step=0.05, round=0.001,
                               tooltip="How much of the style, 0 to 2: 0 is exactly as without this node, 1 as published; above 1 "
                                       "attention exaggerates it."),
                io.Float.Input("start_percent", default=0.0, min=0.0, max=1.0, step=0.01, round=0.001,
                               tooltip="When in sampling the reference begins to act, 0 (the start) to 1 (the end). Later leaves the "
                                       "composition alone."),
                io.Float.Input("end_percent", default=1.0, min=0.0, max=1.0, step=0.01, round=0.001,
                               tooltip="When it stops to act, 0 to 1. Earlier leaves the details to the prompt."),
                io.Combo.Input("levels", options=list(reference.LEVELS), default=reference.ALL,
                               tooltip="Which levels of the U-Net see the reference: fine (strokes, texture), coarse (shapes, "
                                       "composition), or all."),
                io.Combo.Input("mode", options=list(reference.MODES), default=reference.ATTENTION,
                               tooltip="attention: as published. statistics: the clip only takes on the reference's palette (mean and "
                                       "covariance of its latents), also on models whose attention carries little style, such as "
                                       "the mini model. Or both."),
                io.Combo.Input("fit", options=list(FITS), default=FITS[0],
                               tooltip="How a reference of another size is brought to the clip's: crop fills it, pad repeats its "
                                       "edges, stretch changes the aspect, own size leaves it as it is."),
                io.String.Input("weights", default="",
                                tooltip="How much each of several pictures counts, with commas between them, such as 2, 1; nothing: "
                                        "all the same."),
            ],
            outputs=[io.Model.Output(display_name="MODEL", tooltip="The model with the reference, for any sampler.")],
        )

    @classmethod
    def execute(cls, model, vae, image, strength: float, start_percent: float, end_percent: float, levels: str, mode: str,
                fit: str, weights: str) -> io.NodeOutput:
        pictures = as_rgb("image", image)
        shares = read_weights(weights, len(pictures))
        settings = ReferenceSettings(mode, strength, start_percent, end_percent, levels, fit, shares)
        return io.NodeOutput(add_reference(model, vae, pictures, settings))
