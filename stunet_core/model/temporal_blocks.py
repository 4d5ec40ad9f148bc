"""The temporal layers that inflate a frozen text-to-image U-Net (Lumiere, 2401.12945, sec. 3.1).

Each block is split where the walk needs it: `frames` works on every frame by itself (run over chunks of frames),
`mix` works along time (run over chunks of positions) and gives the residual. The last projection of every block is
zero at the start, so that the inflated net begins as the text-to-image model.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .attention import attend
from .rotary import rotary_angles, rotate


@dataclass(frozen=True)
class Time:
    """How time stands at one level: `frames` of it, each `stride` frames of the clip after the one before."""

    frames: int
    stride: float = 1
    loop: bool = False           # time is a circle
    positions: str = "window"    # what a block does whose position table is shorter than `frames`: see motion_module


class TemporalBlock(nn.Module, ABC):
    """One position's temporal block. The walk runs `whole`, `frames`, `mix` in turn and adds what comes out to `h`."""

    joint = False            # whether `mix` must see the whole picture at once
    inside_middle = False    # whether it stands before the middle block's last ResBlock; otherwise after it

    def whole(self, h: Tensor, frames: int) -> Tensor:
        """What needs the whole clip at once: (b f) c h w -> (b f) c h w"""
        return h

    @abstractmethod
    def frames(self, h: Tensor, cond: Tensor) -> Tensor:
        """What treats each frame alone, on any of them: n c h w, n e -> n c h w"""

    @abstractmethod
    def mix(self, h: Tensor, time: Time) -> Tensor:
        """What mixes frames, on any rows of the picture unless `joint`: (b f) c h w -> the residual (b f) c h w"""


def pad_time(h: Tensor, amount: int, loop: bool) -> Tensor:
    """b c f n -> b c (f + 2 amount) n: the border frames repeated, or time as a circle."""
    if loop:
        index = torch.arange(-amount, h.shape[2] + amount, device=h.device) % h.shape[2]
        return h.index_select(2, index)
    return torch.cat([h[:, :, :1].expand(-1, -1, amount, -1), h, h[:, :, -1:].expand(-1, -1, amount, -1)], dim=2)


class TimeConv(nn.Conv2d):
    """A 1D convolution along time, as a Conv2d of kernel (k, 1) on a `b c f (h w)` view: the fast form on a CPU."""

    def __init__(self, channels: int, kernel: int = 3, stride: int = 1):
        super().__init__(channels, channels, (kernel, 1), stride=(stride, 1))

    def along(self, h: Tensor, frames: int, loop: bool) -> Tensor:
        """(b f) c h w -> (b f/stride) c h w"""
        height = h.shape[2]
        h = rearrange(h, "(b f) c h w -> b c f (h w)", f=frames)
        h = self(pad_time(h, self.kernel_size[0] // 2, loop))
        return rearrange(h, "b c f (h w) -> (b f) c h w", h=height)

    def init_identity(self) -> "TimeConv":
        """Start as "take the frame itself"."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            self.weight[:, :, self.kernel_size[0] // 2, 0] = torch.eye(self.out_channels)
        return self


class TimeDown(nn.Module):
    """Fewer frames: an identity-initialised temporal convolution, then a stride (Lumiere, sec. 3.1)."""

    def __init__(self, channels: int, stride: int):
        super().__init__()
        self.conv = TimeConv(channels, stride=stride).init_identity()

    def forward(self, h: Tensor, frames: int, loop: bool = False) -> Tensor:
        return self.conv.along(h, frames, loop)  # (b f) c h w -> (b f/stride) c h w


class TimeUp(nn.Module):
    """More frames: each repeated, then an identity-initialised temporal convolution ("nearest-neighbour" init)."""

    def __init__(self, channels: int, stride: int):
        super().__init__()
        self.stride = stride
        self.conv = TimeConv(channels).init_identity()

    def forward(self, h: Tensor, frames: int, loop: bool = False) -> Tensor:
        h = h.repeat_interleave(self.stride, dim=0)  # (b f) c h w -> (b f stride) c h w
        return self.conv.along(h, frames * self.stride, loop)


class Modulation(nn.Module):
    """Scale and shift by the U-Net's own embedding (time + pooled text), zero at the start."""

    def __init__(self, cond_channels: int, channels: int):
        super().__init__()
        self.linear = nn.Linear(cond_channels, 2 * channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, h: Tensor, cond: Tensor) -> Tensor:
        """(b f) c h w, (b f) e -> (b f) c h w"""
        scale, shift = self.linear(cond)[:, :, None, None].to(h.dtype).chunk(2, dim=1)
        return torch.addcmul(shift, h, 1 + scale)


class ConvBlock(TemporalBlock):
    """Factorised space-time convolution: 3x3 in space, then 3 in time, then a zero projection."""

    def __init__(self, channels: int, cond_channels: int):
        super().__init__()
        self.norm_in = nn.GroupNorm(32, channels)
        self.space = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm_mid = nn.GroupNorm(32, channels)
        self.modulation = Modulation(cond_channels, channels)
        self.time = TimeConv(channels)
        self.proj = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.proj.weight)
        nn.init.zeros_(self.proj.bias)  # type: ignore[arg-type]

    def frames(self, h: Tensor, cond: Tensor) -> Tensor:
        if torch.is_grad_enabled() and not h.requires_grad:
            h = h.detach().requires_grad_()  # torch 2.13: group norm's CPU backward needs an input that takes a gradient
        h = self.space(F.silu(self.norm_in(h)))
        return F.silu(self.modulation(self.norm_mid(h), cond))

    def mix(self, h: Tensor, time: Time) -> Tensor:
        return self.proj(F.silu(self.time.along(h, time.frames, time.loop)))


class AttentionBlock(TemporalBlock):
    """Self-attention with frame positions at the coarsest level, and a feed-forward layer, then a zero projection.

    `joint` attends over time and space together: Lumiere attends along time alone, but at the coarsest level the joint
    form costs little and lets a thing be followed from one position to the next. Positions are rotary (2104.09864), in
    frames of the clip along time, so that any frame count works.
    """

    def __init__(self, channels: int, cond_channels: int, head_channels: int, joint: bool):
        super().__init__()
        self.heads, self.joint = channels // head_channels, joint
        self.norm_in = nn.GroupNorm(32, channels, eps=1e-6)
        self.modulation = Modulation(cond_channels, channels)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.norm_attention, self.norm_feed = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.out = nn.Linear(channels, channels)
        self.feed = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))
        self.proj = nn.Linear(channels, channels)
        nn.init.zeros_(self.proj.weight)
        nn.init.zeros_(self.proj.bias)

    def frames(self, h: Tensor, cond: Tensor) -> Tensor:
        if torch.is_grad_enabled() and not h.requires_grad:
            h = h.detach().requires_grad_()  # see ConvBlock
        return self.proj_in(self.modulation(self.norm_in(h), cond))

    def mix(self, h: Tensor, time: Time) -> Tensor:
        height, width = h.shape[-2:]
        if self.joint:
            x = rearrange(h, "(b f) c h w -> b (f h w) c", f=time.frames)
        else:
            x = rearrange(h, "(b f) c h w -> (b h w) f c", f=time.frames)
        space = (height, width) if self.joint else (1, 1)
        angles = rotary_angles(time.frames, space, x.shape[-1] // self.heads, time.stride, time.loop, h.device)  # n d/2
        q, k, v = rearrange(self.qkv(self.norm_attention(x)), "b n (three a d) -> three b a n d",
                            three=3, a=self.heads)
        x = x + self.out(rearrange(attend(rotate(q, angles), rotate(k, angles), v), "b a n d -> b n (a d)"))
        x = x + self.feed(self.norm_feed(x))
        x = self.proj(x)
        if self.joint:
            return rearrange(x, "b (f h w) c -> (b f) c h w", f=time.frames, h=height)
        return rearrange(x, "(b h w) f c -> (b f) c h w", h=height, w=width)
