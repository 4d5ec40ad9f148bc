"""A thing of the user's own: a mascot, a logo or a drawing moves as the prompt says."""

import numpy as np
from comfy_api.latest import io
from torch import Tensor

from ..stunet_core.editing.fit_pictures import as_rgb
from ..stunet_core.mini.pictures.cut_out import cut_out
from ..stunet_core.mini.pictures.own_picture import laid_out
from ..stunet_core.mini.prompt.own import ANY, WHICH
from .host.mini.own import with_own
from .host.runtime.notices import say
from .search import found_by


class STUNetThingFromPicture(io.ComfyNode):
    """IMAGE and MASK -> the thing that a prompt of the mini model is about."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="STUNetThingFromPicture",
            display_name="Thing from Picture (STUNet)",
            **found_by("mascot", "logo", "my drawing", "character", "own picture", "subject", "reference image", "animate drawing"),
            category="STUNet/sampling",
            description="Makes a picture of yours the thing of a prompt: a mascot, a logo or a drawing moves as the words say, on the "
                        "background that they say. For the mini model; between CLIP Text Encode and the sampler.",
            inputs=[
                io.Conditioning.Input("conditioning", tooltip="The prompt, from CLIP Text Encode with the CLIP of Load Mini Model, such as "
                                                              "'my mascot flying up at sunset'."),
                io.Image.Input("image", tooltip="The thing, whole, on a plain background or with a mask. 200 pixels or more are best; of a "
                                                "batch the first is taken."),
                io.Mask.Input("mask", optional=True,
                              tooltip="Where the thing is: white = the thing, black = what is round it (of the masks of editing, white is "
                                      "what is made anew). Without it, what differs from a plain background is the thing. Put InvertMask "
                                      "behind Load Image's mask of a transparent picture."),
                io.Combo.Input("which", options=list(WHICH), default=ANY, optional=True,
                               tooltip="Which thing of the prompt the picture shows. auto: the first noun that the picture book does not "
                                       "know, else the first thing. first, second: as they are named; for two pictures use two of these "
                                       "nodes in a row."),
            ],
            outputs=[io.Conditioning.Output(display_name="conditioning", tooltip="The prompt with your picture, for any sampler.")],
        )

    @classmethod
    def execute(cls, conditioning, image, mask=None, which: str = ANY) -> io.NodeOutput:
        if len(image) > 1:
            say(f"image: has {len(image)} pictures; the first one is the thing")
        alpha = image[..., 3] if mask is None and image.ndim == 4 and image.shape[-1] == 4 else mask
        if mask is None and alpha is not None and not (alpha[:1] < 0.5).any():
            alpha = None  # nothing is transparent
        pixels = as_rgb("image", image[:1])
        own = laid_out(cut_out(array(pixels), None if alpha is None else array(one_mask(alpha))))
        return io.NodeOutput(with_own(conditioning, own, which))


def one_mask(mask: Tensor) -> Tensor:
    """The first of the masks, 1 h w. Raises ValueError for what is none."""
    mask = mask[None] if mask.ndim == 2 else mask
    if mask.ndim != 3 or 0 in mask.shape:
        raise ValueError(f"mask: is {tuple(mask.shape)}; a mask is frames x height x width, at least one")
    return mask[:1]


def array(pictures: Tensor) -> np.ndarray:
    """The first of several, as numpy."""
    return pictures[0].float().cpu().numpy()
