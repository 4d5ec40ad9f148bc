"""What ComfyUI registers."""

from typing import Any

from comfy_api.latest import ComfyExtension, io

from .apply import STUNetApply
from .blend_style import STUNetBlendStyle
from .clip import STUNetEmptyClip
from .composite import STUNetComposite
from .examples import STUNetExampleClip, STUNetExamplePicture
from .fit_style import STUNetFitStyle
from .follow import STUNetFollow
from .frame_of_clip import STUNetFrameOfClip
from .from_clips import STUNetExtend, STUNetInpaint, STUNetOutpaint
from .from_images import STUNetAnimateRegion, STUNetImageToVideo, STUNetKeyframes
from .host.runtime import files
from .host.runtime.weight_cache import WeightCache
from .load_mini import STUNetLoadMini
from .masks import STUNetMaskPath, STUNetTrackMask
from .motion_lora import STUNetMotionLora
from .places import STUNetPlaces
from .report import STUNetClipReport
from .sampler import STUNetSampler
from .steady import STUNetSteady
from .style_reference import STUNetStyleReference
from .style_words import STUNetAddWords, STUNetFitWords
from .thing_from_picture import STUNetThingFromPicture


class STUNetExtension(ComfyExtension):
    """The pack's nodes, and the cache of loaded weights that its loaders share."""

    def __init__(self) -> None:
        self.weight_cache = WeightCache()

    async def on_load(self) -> None:
        files.register_folders()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        files.register_folders()  # ComfyUI 0.3.75 does not call on_load
        return [self.loader(STUNetLoadMini), self.loader(STUNetApply), STUNetEmptyClip, STUNetSampler,
                STUNetImageToVideo, STUNetKeyframes, STUNetAnimateRegion, STUNetInpaint, STUNetOutpaint, STUNetExtend,
                STUNetComposite, STUNetTrackMask, STUNetMaskPath, STUNetClipReport,
                STUNetStyleReference, STUNetFitStyle, STUNetBlendStyle, STUNetFitWords, STUNetAddWords,
                STUNetMotionLora, STUNetSteady, STUNetFollow, STUNetPlaces, STUNetThingFromPicture,
                STUNetExamplePicture, STUNetExampleClip, STUNetFrameOfClip]

    def loader(self, node: type[io.ComfyNode]) -> Any:
        """`node` with this extension's cache of weights; a subclass, so that no state hangs on the module's own class."""
        return type(node.__name__, (node,), {"weight_cache": self.weight_cache, "__module__": node.__module__,
                                             "__doc__": node.__doc__})
