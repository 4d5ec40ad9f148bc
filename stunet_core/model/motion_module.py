"""AnimateDiff's motion module as a temporal block (Guo et al., 2307.04725, sec. 4.2).

Every frame is normalised and projected; then, at each place in the picture, self-attention looks along time. Frames are
told apart by a table of sinusoids, of 24 to 64 entries, so the module as published knows no longer clips. Here it sees
only the frames of its own level: where the time stride brings them back inside the table, nothing needs doing.
"""

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .attention import attend
from .bounds import bounds, check_fields, shown
from .temporal_blocks import TemporalBlock, Time
from .windows import windows

NORMS = ("frame", "clip")
BETAS = ("linear", "scaled_linear")
POSITIONS = ("window", "interpolate")
OVERLAP = 0.25  # of a window, shared with the next one

Spans = list[tuple[slice | Tensor, Tensor]]  # windows: which frames (a slice, but for one across a loop's end), what each counts there


@dataclass(frozen=True)
class MotionConfig:
    """What all motion modules of one file have in common.

    `positions` is the length of the tables, in frames. `norm` says over what the group norm's statistics run: each
    `frame`, as the modules were trained and published, or the whole `clip`, as diffusers computes them. `betas` is the
    noise schedule of their training: (one of BETAS, first, last); None: that of the image model.
    """

    positions: int = field(default=32, metadata=bounds(1, 4096))
    heads: int = field(default=8, metadata=bounds(1, 256))
    layers: int = field(default=1, metadata=bounds(1, 32))
    attentions: int = field(default=2, metadata=bounds(1, 16))
    norm: str = "frame"
    betas: tuple[str, float, float] | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.betas is not None:
            if not isinstance(self.betas, list | tuple) or len(self.betas) != 3:
                raise ValueError(f"betas: {shown(self.betas)}; it must be one of {', '.join(BETAS)}, the first beta and the last")
            name, first, last = self.betas
            if name not in BETAS:
                raise ValueError(f"betas {shown(self.betas)} of a motion module: the first must be one of {', '.join(BETAS)}")
            if any(isinstance(b, bool) or not isinstance(b, int | float) or not 0 < b < 1 for b in (first, last)):
                raise ValueError(f"betas {shown(self.betas)} of a motion module: the second and third must be between 0 and 1")
            object.__setattr__(self, "betas", (name, first, last))  # JSON gives lists
        if self.norm not in NORMS:
            raise ValueError(f"norm {self.norm!r} of a motion module: use one of {', '.join(NORMS)}")


def spans(index: Tensor, weight: Tensor, like: Tensor) -> Spans:
    """Windows as attention to `like` takes them, of their frames' numbers (on the CPU) and weights, k length."""
    frames = [part.to(like.device) if part[0] > part[-1] else slice(int(part[0]), int(part[-1]) + 1) for part in index]
    return list(zip(frames, weight.to(like), strict=True))


def sinusoids(length: int, channels: int) -> Tensor:
    """1 length channels: sines and cosines in turn, of wavelengths from 2 pi to 10,000 times that (1706.03762)."""
    frequency = torch.exp(torch.arange(0, channels, 2) * (-math.log(10000.0) / channels))
    angle = torch.arange(length)[:, None] * frequency  # length channels/2
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[None]


class Positions(nn.Module):
    """The table. `pe` is what published files call it."""

    def __init__(self, length: int, channels: int):
        super().__init__()
        self.register_buffer("pe", sinusoids(length, channels))

    def forward(self, frames: int) -> Tensor:
        """The positions of so many frames, 1 f c; more than there are entries stretch the table over them."""
        if frames > self.pe.shape[1]:
            return F.interpolate(self.pe.float().mT, size=frames, mode="linear", align_corners=True).mT
        return self.pe[:, :frames]


class TimeAttention(nn.Module):
    """Self-attention along time with positions."""

    def __init__(self, channels: int, config: MotionConfig):
        super().__init__()
        self.heads = config.heads
        self.pos_encoder = Positions(config.positions, channels)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels, bias=False) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x: Tensor, spans: Spans | None) -> Tensor:
        """n f c -> n f c: of all frames to all, or within each of `spans`, which fade into one another."""
        if spans is None:
            x = x + self.pos_encoder(x.shape[1]).to(x.dtype)
            return self.to_out[0](self.look(*(to(x) for to in (self.to_q, self.to_k, self.to_v))))
        places = self.pos_encoder(len(spans[0][1])).to(x.dtype)
        frames, offsets = ([to(t) for to in (self.to_q, self.to_k, self.to_v)] for t in (x, places))  # each frame read once
        out = torch.zeros_like(x)
        for part, share in spans:
            seen = self.look(*(t[:, part] + offset for t, offset in zip(frames, offsets, strict=True)))
            if isinstance(part, slice):
                out[:, part].addcmul_(seen, share[:, None])
            else:
                out.index_add_(1, part, seen * share[:, None])
        return self.to_out[0](out)

    def look(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (rearrange(t, "n f (a d) -> n a f d", a=self.heads) for t in (q, k, v))
        return rearrange(attend(q, k, v), "n a f d -> n f (a d)")


class GatedLinear(nn.Module):
    """GEGLU (2002.05202)."""

    def __init__(self, channels: int, inner: int):
        super().__init__()
        self.proj = nn.Linear(channels, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        x, gate = self.proj(x).chunk(2, dim=-1)
        return x * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.net = nn.Sequential(GatedLinear(channels, 4 * channels), nn.Identity(), nn.Linear(4 * channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class TimeTransformer(nn.Module):
    """One transformer block along time: attentions, then a feed-forward layer, each on what is normalised."""

    def __init__(self, channels: int, config: MotionConfig):
        super().__init__()
        self.attention_blocks = nn.ModuleList([TimeAttention(channels, config) for _ in range(config.attentions)])
        self.norms = nn.ModuleList([nn.LayerNorm(channels) for _ in range(config.attentions)])
        self.ff, self.ff_norm = FeedForward(channels), nn.LayerNorm(channels)

    def forward(self, x: Tensor, spans: Spans | None) -> Tensor:
        """n f c -> n f c"""
        for attention, norm in zip(self.attention_blocks, self.norms, strict=True):
            x = x + attention(norm(x), spans)
        return x + self.ff(self.ff_norm(x))


class MotionBlock(TemporalBlock):
    """One motion module. The names of its parameters are those of the published files."""

    inside_middle = True  # v2's stands after the middle block's transformer

    def __init__(self, channels: int, config: MotionConfig):
        super().__init__()
        self.config = config
        self.norm = nn.GroupNorm(32, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels)
        self.transformer_blocks = nn.Sequential(*(TimeTransformer(channels, config) for _ in range(config.layers)))
        self.proj_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def whole(self, h: Tensor, frames: int) -> Tensor:
        if self.config.norm == "frame":
            return h
        h = self.norm(rearrange(h, "(b f) c h w -> b c f h w", f=frames))
        return rearrange(h, "b c f h w -> (b f) c h w")

    def frames(self, h: Tensor, cond: Tensor) -> Tensor:
        h = self.norm(h) if self.config.norm == "frame" else h
        h = rearrange(h, "n c h w -> n h w c").contiguous()  # or torch takes the weights along once for every row
        return rearrange(self.proj_in(h), "n h w c -> n c h w")

    def mix(self, h: Tensor, time: Time) -> Tensor:
        height, width = h.shape[-2:]
        x = rearrange(h, "(b f) c h w -> (b h w) f c", f=time.frames).contiguous()  # of one row it is a view: see `frames`
        seen = self.spans(time, x)
        for block in self.transformer_blocks:
            x = block(x, seen)
        x = rearrange(self.proj_out(x), "(b p) f c -> (b f) p c", p=height * width)
        return x.mT.contiguous().unflatten(2, (height, width))  # turned in two steps: twice as fast on a CPU as in one

    def spans(self, time: Time, x: Tensor) -> Spans | None:
        """Windows for attention where the table is too short for a level's frames; None: all frames see all.

        Every window starts the table anew, and what it saw fades into what its neighbours saw (as in FreeNoise, 2310.15169);
        all else is done once for each frame. A loop always takes this way: a table has a first frame, a circle has none.
        """
        if not (time.loop or (time.frames > self.config.positions and time.positions == "window")):
            return None
        length = min(time.frames, self.config.positions)
        index, weight = windows(time.frames, length, int(length * OVERLAP), time.loop)
        return spans(index, weight, x)
