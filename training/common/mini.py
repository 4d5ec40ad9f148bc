"""The parts that the image stage trains together, as one module: text encoder, picture encoder, pose head and U-Net."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from stunet_core.mini.config import MiniConfig
from stunet_core.mini.frame_time import with_time
from stunet_core.mini.inputs import beside
from stunet_core.mini.picture_encoder import PictureEncoder
from stunet_core.mini.poses.pose_head import PoseHead
from stunet_core.mini.text import TextEncoder
from stunet_core.mini.tokenizer import Tokenizer
from stunet_core.mini.unet import UNet
from stunet_core.model.layout import read_layout
from stunet_core.model.skeleton import Skeleton, lumiere

RATIOS = (2, 2)  # time halves with each spatial halving


class Mini(nn.Module):
    """The image model. Trained together, so that words, pictures and poses come to mean the same to all of them."""

    def __init__(self, words: Sequence[str], config: MiniConfig | None = None):
        super().__init__()
        self.config = config or MiniConfig()
        self.tokenizer = Tokenizer(words)
        self.text = TextEncoder(self.config, len(self.tokenizer))
        nn.init.normal_(self.text.token_embedding.weight)  # unit deviation: words differ from step one
        self.pictures = PictureEncoder(self.config)
        self.pose_head = PoseHead(self.config)
        self.unet = UNet(self.config)

    def ids(self, captions: Sequence[str]) -> Tensor:
        """Captions -> token ids n text_tokens"""
        length = self.config.text_tokens
        return torch.tensor([self.tokenizer.pad(self.tokenizer.encode(text), length) for text in captions])

    def nothing(self) -> tuple[Tensor, Tensor]:
        """Context and pooled text of the empty prompt, for guidance: 1 (t + 2 n) c, 1 p"""
        context, pooled = self.text(self.ids([""]).to(self.pictures.positions.device))
        return self.pictures.beside(context, pooled, *self.pictures.none())

    def forward(self, noisy: Tensor, mask: Tensor, given: Tensor, t: Tensor, context: Tensor, pooled: Tensor,
                times: Tensor | None = None, drafts: Tensor | None = None) -> Tensor:
        """v of single frames, n c h w.

        Args:
            noisy, given: n c h w; what is given stands filled in already (`nearest_given`).
            mask: n 1 h w, 1 where to generate.
            t: n, steps of the noise schedule.
            context, pooled: of words and pictures (`PictureEncoder.beside`).
            times: n, when each frame is, NaN where that is not told; None tells nothing.
            drafts: n 18 h w (`draft.drafts`), or 0 where none is shown; None shows none.
        """
        times = torch.full((len(noisy),), torch.nan, device=noisy.device) if times is None else times
        return self.unet(torch.cat([noisy, beside(mask, given, drafts)], dim=1), t, context, with_time(pooled, times))


def new_skeleton(unet: UNet) -> Skeleton:
    """Lumiere's arrangement for the mini U-Net; its blocks also hear the pooled text and the frame's time."""
    return Skeleton(lumiere(read_layout(unet), RATIOS, pooled_channels=unet.config.y_channels, model="STUNet mini"))


def fill_grown(module: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Take over `weights` into `module`, also where the module has more rows, input channels or parts: new ones stay as they are,
    but new input channels of the U-Net are not heard at first. Returns the names of what grew. ValueError for what is of another kind.
    """
    own, grown = module.state_dict(), []
    unknown = sorted(set(weights) - set(own))
    if unknown:
        raise ValueError(f"weights of another model: it has no {', '.join(unknown[:3])}")
    for name, value in own.items():
        if name not in weights:
            grown.append(name)
        elif weights[name].shape == value.shape:
            value.copy_(weights[name])
        elif weights[name].ndim == value.ndim and all(a <= b for a, b in zip(weights[name].shape, value.shape, strict=True)):
            if name.endswith("input_blocks.0.0.weight"):
                value.zero_()
            value[tuple(slice(0, n) for n in weights[name].shape)] = weights[name]
            grown.append(name)
        else:
            raise ValueError(f"weights of another model: {name} is {list(weights[name].shape)}, not {list(value.shape)}")
    return grown
