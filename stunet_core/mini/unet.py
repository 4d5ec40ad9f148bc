"""The spatial U-Net in the LDM key layout: the same numbers as ComfyUI's `UNetModel`, in plain torch for training.

Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (2112.10752); `y` (pooled text and the frame's time) is
added to the time step's embedding as in SDXL (2307.01952). The embedding scales and shifts each block's normalised features (Dhariwal &
Nichol, 2105.05233, sec. 3.1).
"""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..model.attention import attend
from .config import GROUPS, MiniConfig


def timestep_embedding(t: Tensor, dim: int, max_period: float = 10000.0) -> Tensor:
    """Sinusoids of the timesteps `t` (b): cosines first, then sines."""
    half = dim // 2
    freqs = torch.exp(-math.log(max_period) * torch.arange(half, device=t.device, dtype=torch.float32) / half)
    args = t[:, None].float() * freqs[None]
    return torch.cat([args.cos(), args.sin()], dim=-1)  # b dim


class Downsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        return self.op(h)


class Upsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, h: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        size = size or (h.shape[-2] * 2, h.shape[-1] * 2)
        return self.conv(F.interpolate(h, size=size, mode="nearest"))


class ResBlock(nn.Module):
    """Two convolutions, between which the embedding scales and shifts the normalised features, or is added without `scale_shift`."""

    def __init__(self, channels: int, emb_channels: int, out_channels: int, scale_shift: bool = True):
        super().__init__()
        self.scale_shift = scale_shift
        self.in_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(emb_channels, out_channels * (2 if scale_shift else 1)))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, out_channels), nn.SiLU(), nn.Dropout(0.0),
            nn.Conv2d(out_channels, out_channels, 3, padding=1))
        same = channels == out_channels
        self.skip_connection = nn.Identity() if same else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.in_layers(x)
        told = self.emb_layers(emb)[:, :, None, None].to(h.dtype)
        if not self.scale_shift:
            return self.skip_connection(x) + self.out_layers(h + told)
        scale, shift = told.chunk(2, dim=1)
        return self.skip_connection(x) + self.out_layers[1:](self.out_layers[0](h) * (1 + scale) + shift)


class CrossAttention(nn.Module):
    def __init__(self, dim: int, context_dim: int, head_channels: int):
        super().__init__()
        self.heads = dim // head_channels
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(context_dim, dim, bias=False)
        self.to_v = nn.Linear(context_dim, dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(0.0))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """x: (b f) n c; context: b m c, one for the f frames of a clip, whose keys and values are then made once."""
        context = x if context is None else context
        b = context.shape[0]
        q = rearrange(self.to_q(x), "(b f) n (h d) -> b h (f n) d", b=b, h=self.heads)
        k, v = (rearrange(t, "b m (h d) -> b h m d", h=self.heads) for t in (self.to_k(context), self.to_v(context)))
        return self.to_out(rearrange(attend(q, k, v), "b h (f n) d -> (b f) n (h d)", n=x.shape[1]))


class GEGLU(nn.Module):
    def __init__(self, dim: int, inner: int):
        super().__init__()
        self.proj = nn.Linear(dim, inner * 2)

    def forward(self, x: Tensor) -> Tensor:
        x, gate = self.proj(x).chunk(2, dim=-1)
        return x * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.net = nn.Sequential(GEGLU(dim, dim * 4), nn.Dropout(0.0), nn.Linear(dim * 4, dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class BasicTransformerBlock(nn.Module):
    def __init__(self, dim: int, context_dim: int, head_channels: int):
        super().__init__()
        self.attn1 = CrossAttention(dim, dim, head_channels)
        self.ff = FeedForward(dim)
        self.attn2 = CrossAttention(dim, context_dim, head_channels)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    def __init__(self, channels: int, context_dim: int, head_channels: int):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList([BasicTransformerBlock(channels, context_dim, head_channels)])
        self.proj_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        y = self.proj_in(rearrange(self.norm(x), "b c h w -> b (h w) c").contiguous())
        for block in self.transformer_blocks:
            y = block(y, context)
        return x + rearrange(self.proj_out(y), "b (h w) c -> b c h w", h=h, w=w)


def run_layers(layers, h: Tensor, emb: Tensor, context: Tensor, size: tuple[int, int] | None = None) -> Tensor:
    """One block's spatial layers in order, each given what it takes."""
    for layer in layers:
        if isinstance(layer, ResBlock):
            h = layer(h, emb)
        elif isinstance(layer, SpatialTransformer):
            h = layer(h, context)
        elif isinstance(layer, Upsample):
            h = layer(h, size)
        else:
            h = layer(h)
    return h


class UNet(nn.Module):
    """The embedded model's spatial U-Net. `forward` is the image model; the space-time walk visits the same blocks."""

    def __init__(self, config: MiniConfig):
        super().__init__()
        self.config = config
        c, emb = config.model_channels, config.model_channels * 4
        self.time_embed = nn.Sequential(nn.Linear(c, emb), nn.SiLU(), nn.Linear(emb, emb))
        self.label_emb = nn.Sequential(
            nn.Sequential(nn.Linear(config.y_channels, emb), nn.SiLU(), nn.Linear(emb, emb)))

        def block(cin: int, cout: int, level: int) -> list[nn.Module]:
            layers: list[nn.Module] = [ResBlock(cin, emb, cout)]
            if config.attention[level]:
                layers.append(SpatialTransformer(cout, config.context_dim, config.head_channels))
            return layers

        self.input_blocks = nn.ModuleList([nn.ModuleList([nn.Conv2d(config.in_channels, c, 3, padding=1)])])
        skips, ch = [c], c
        for level, mult in enumerate(config.channel_mult):
            for _ in range(config.num_res_blocks[level]):
                self.input_blocks.append(nn.ModuleList(block(ch, mult * c, level)))
                ch = mult * c
                skips.append(ch)
            if level < config.levels - 1:
                self.input_blocks.append(nn.ModuleList([Downsample(ch)]))
                skips.append(ch)

        self.middle_block = nn.ModuleList([
            ResBlock(ch, emb, ch), SpatialTransformer(ch, config.context_dim, config.head_channels),
            ResBlock(ch, emb, ch)])

        self.output_blocks = nn.ModuleList()
        for level, mult in reversed(list(enumerate(config.channel_mult))):
            for i in range(config.num_res_blocks[level] + 1):
                layers = block(ch + skips.pop(), mult * c, level)
                ch = mult * c
                if level and i == config.num_res_blocks[level]:
                    layers.append(Upsample(ch))
                self.output_blocks.append(nn.ModuleList(layers))

        self.out = nn.Sequential(nn.GroupNorm(GROUPS, ch), nn.SiLU(), nn.Conv2d(ch, config.latent_channels, 3, padding=1))
        self._init()

    def _init(self) -> None:
        """Every residual branch starts as zero: the net begins as its skip connections."""
        for m in self.modules():
            if isinstance(m, ResBlock):
                nn.init.zeros_(m.out_layers[3].weight)  # type: ignore[arg-type]
                nn.init.zeros_(m.out_layers[3].bias)  # type: ignore[arg-type]
            elif isinstance(m, SpatialTransformer):
                nn.init.zeros_(m.proj_out.weight)
                nn.init.zeros_(m.proj_out.bias)
        nn.init.zeros_(self.out[2].weight)  # type: ignore[arg-type]

    def embed(self, timesteps: Tensor, y: Tensor) -> Tensor:
        """(b), (b y) -> b emb"""
        dtype = self.time_embed[0].weight.dtype  # type: ignore[union-attr]
        t = timestep_embedding(timesteps, self.config.model_channels).to(dtype)
        return self.time_embed(t) + self.label_emb(y)

    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor, y: Tensor) -> Tensor:
        """The image model's prediction v, b c h w.

        Args:
            x: b in_channels h w, noisy latents and what stands beside them (`inputs.py`).
            context: b n context, words and picture tokens.
            y: b y_channels, pooled text and the frame's time (`frame_time.py`).
        """
        emb = self.embed(timesteps, y)
        h, skips = x, []
        for layers in self.input_blocks:
            h = run_layers(layers, h, emb, context)
            skips.append(h)
        h = run_layers(self.middle_block, h, emb, context)
        for layers in self.output_blocks:
            h = torch.cat([h, skips.pop()], dim=1)  # b (c skip) h w
            h = run_layers(layers, h, emb, context, skips[-1].shape[-2:] if skips else None)
        return self.out(h)
