"""The embedded model."""

from comfy_api.latest import io

from .host.mini.model import load_mini
from .host.runtime import files
from .host.runtime.weight_cache import WeightCache


class STUNetLoadMini(io.ComfyNode):
    """MODEL, CLIP and VAE of the small text-to-image model that comes with the pack."""

    weight_cache: WeightCache  # the extension's

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetLoadMini",
            display_name="Load Mini Model (STUNet)",
            category="STUNet/loaders",
            description="Loads the small text-to-image model that comes with the pack: drawings of 256x256 pixels, of about 1,300 things "
                        "in four styles, on backgrounds, moving in twelve ways; no photos. It makes single images; with Apply STUNet it "
                        "makes clips.",
            inputs=[
                io.Combo.Input("weights", options=files.choices(files.MINI), default=files.MINI,
                               tooltip=f"The checkpoint. {files.MINI} comes with the pack; others, trained with "
                                       "`run.py train`, belong into models/stunet."),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The image model. Takes SD-inpainting conditioning."),
                io.Clip.Output(display_name="CLIP", tooltip="Its text encoder and picture book, for CLIP Text Encode. Prompts "
                                                               "may be in ten languages."),
                io.Vae.Output(display_name="VAE", tooltip="Its autoencoder: 16x16 pixels are one latent cell."),
            ],
        )

    @classmethod
    def validate_inputs(cls, weights: str) -> bool | str:
        return files.check(weights)

    @classmethod
    def fingerprint_inputs(cls, weights: str) -> str:
        return files.fingerprint(weights)

    @classmethod
    def execute(cls, weights: str) -> io.NodeOutput:
        return io.NodeOutput(*load_mini(cls.weight_cache, files.find(weights)))
