"""What `bench speed` measures: a U-Net of SD1.5's size with motion modules, in plain torch, and the ways to make a clip with it."""

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stunet_core.mini.config import MiniConfig
from stunet_core.mini.host import forward_clip
from stunet_core.mini.unet import UNet
from stunet_core.model.layout import read_layout
from stunet_core.model.motion_module import MotionConfig
from stunet_core.model.skeleton import BlockSpec, Skeleton, SkeletonConfig
from stunet_core.model.strides import ratios
from stunet_core.model.walk import Clip
from stunet_core.model.windows import windowed

SD15 = MiniConfig(model_channels=320, channel_mult=(1, 2, 4, 4), num_res_blocks=(2, 2, 2, 2), attention=(True, True, True, False),
                  head_channels=40, context_dim=768, pooled_dim=768, latent_channels=4, text_tokens=77)  # and a few more input channels
TINY = replace(SD15, model_channels=32, head_channels=32, context_dim=32, pooled_dim=32)
LEVELS, CELL = 4, 8
CHUNK = 8  # frames at once in a single pass, as in ComfyUI
LENGTH, OVERLAP = 16, 4  # frames of a window, all at once


class Subject:
    """The net, its temporal layers, and a step's inputs."""

    def __init__(self, config: MiniConfig, frames: int, size: int, device: str, dtype: torch.dtype):
        torch.manual_seed(0)
        with torch.device(device):
            self.net = UNet(config).to(dtype).eval().requires_grad_(False)
            self.motion = skeleton(self.net, temporal=True).to(dtype).eval().requires_grad_(False)
            self.nothing = skeleton(self.net, temporal=False).to(dtype).eval()
            self.x = torch.randn(frames, 4, size // CELL, size // CELL, dtype=dtype)
            self.t = torch.full((2,), 500.0)
            self.context = torch.randn(2, config.text_tokens, config.context_dim, dtype=dtype)
            self.y = torch.randn(2, config.y_channels, dtype=dtype)
            for module in (self.net, self.motion):
                for parameter in module.parameters():  # nothing is zero, so that nothing is skipped
                    parameter.data = torch.randn_like(parameter) * 0.02

    def seen(self, x: Tensor) -> Tensor:
        """Latents of frames as the net's input, once for each conditioning."""
        return F.pad(x, (0, 0, 0, 0, 0, self.net.config.in_channels - x.shape[1])).repeat(2, 1, 1, 1)

    def clip(self, x: Tensor, strides: str, temporal: bool = True, chunk: int = CHUNK) -> Tensor:
        """Guided prediction of frames (f ...) in one pass."""
        clip = Clip(2, len(x), ratios=ratios(strides, LEVELS - 1), chunk=chunk)
        made = self.motion if temporal else self.nothing
        y = self.y.repeat_interleave(len(x), dim=0)
        out, without = forward_clip(self.net, made, self.seen(x), self.t, self.context, y, clip).chunk(2)
        return without + 7 * (out - without)

    def frame(self, x: Tensor) -> Tensor:
        """The same of one frame (1 ...) by the image model alone."""
        out, without = self.net(self.seen(x), self.t, self.context, self.y).chunk(2)
        return without + 7 * (out - without)

    def image(self, x: Tensor) -> Tensor:
        """Guided prediction of frames by the image model, all in one call."""
        n = len(x)
        every = (t.repeat_interleave(n, dim=0) for t in (self.t, self.context, self.y))
        out, without = self.net(self.seen(x), *every).chunk(2)
        return without + 7 * (out - without)

    def window(self, x: Tensor) -> Tensor:
        """The same of a window."""
        return self.clip(x, "none", chunk=LENGTH)

    def ways(self) -> dict[str, Callable[[], Tensor]]:
        """The ways to make a clip, by name, and a single window of one."""
        return {
            "single": lambda: self.clip(self.x, "lumiere"),
            "gentle": lambda: self.clip(self.x, "gentle"),
            "windows": lambda: windowed(self.window, self.x, LENGTH, OVERLAP),
            "frames": lambda: torch.cat([self.frame(x[None]) for x in self.x]),
            "window": lambda: self.window(self.x[:LENGTH]),
        }


def skeleton(net: nn.Module, temporal: bool) -> Skeleton:
    """Motion modules at every position of the net, or nothing at all."""
    layout = read_layout(net)
    blocks = tuple(BlockSpec(p.name, p.channels, "motion") for p in layout.positions) if temporal else ()
    return Skeleton(SkeletonConfig(blocks, (1,) * (layout.levels - 1), layout.down_channels, layout.up_channels,
                                   layout.emb_channels, motion=MotionConfig(positions=32)))
