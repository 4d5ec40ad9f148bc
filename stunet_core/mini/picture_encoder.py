"""The picture encoder: small pictures of a prompt's things become tokens beside its words (retrieval-augmented diffusion, 2204.11824).

So the U-Net draws what it is shown and need not know by heart what a thing looks like. A picture is 128x128 pixels: its latents, and how
much of each cell the thing covers, from -1 (nothing) to 1 (all of it). Slot k shows the k-th thing, the left one first.
"""

import torch
from torch import Tensor, nn

from .config import MiniConfig
from .inputs import SLOTS
from .unet import ResBlock

CELLS = 8  # along each side of a picture
TOKENS = CELLS * CELLS  # of each picture
WIDTH = 128  # channels inside
SILENT = 64  # channels of the embedding its blocks would hear; it is zero
POOLED = 256  # hidden channels of what is added to the pooled text


class PictureEncoder(nn.Module):
    """Pictures -> tokens for cross-attention, and what they add to the pooled text. An absent picture has tokens of its own."""

    def __init__(self, config: MiniConfig):
        super().__init__()
        dim, channels = config.context_dim, config.latent_channels + 1
        self.stem = nn.Conv2d(channels, WIDTH, 3, padding=1)
        self.blocks = nn.ModuleList(ResBlock(WIDTH, SILENT, WIDTH, scale_shift=False) for _ in range(2))
        self.out = nn.Conv2d(WIDTH, dim, 1)
        self.positions = nn.Parameter(torch.randn(TOKENS, dim) * 0.5)
        self.absent = nn.Parameter(torch.zeros(TOKENS, dim))
        self.slots = nn.Parameter(torch.randn(SLOTS, dim) * torch.tensor([0.0, 0.3])[:, None])
        self.pool_in = nn.Linear(channels * TOKENS, POOLED)
        self.pool_out = nn.ModuleList(nn.Linear(POOLED, config.pooled_dim) for _ in range(SLOTS))
        nn.init.zeros_(self.pool_out[1].weight)
        nn.init.zeros_(self.pool_out[1].bias)

    def forward(self, pictures: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens b (2 64) c, and b p to be added to the pooled text.

        Args:
            pictures: b 2 (c+1) 8 8, of any value in a slot that shows none.
            shown: b 2, bool: which slots show a picture.
        """
        there = shown.to(pictures)[..., None]                                                  # b 2 1
        h, silence = self.stem(pictures.flatten(0, 1)), pictures.new_zeros(shown.numel(), SILENT)
        for block in self.blocks:
            h = block(h, silence)
        seen = self.out(h).flatten(2).transpose(1, 2).unflatten(0, shown.shape)                # b 2 64 c
        tokens = torch.where(shown[..., None, None], seen, self.absent) + self.positions + self.slots[:, None]
        hidden = nn.functional.silu(self.pool_in(pictures.flatten(2)))                         # b 2 256
        pooled = torch.stack([out(hidden[:, k]) for k, out in enumerate(self.pool_out)], dim=1) * there
        return tokens.flatten(1, 2), pooled.sum(dim=1)

    def beside(self, context: Tensor, pooled: Tensor, pictures: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Words' context b n c and pooled text b p with the pictures' share: b (n + 2 64) c, b p"""
        tokens, added = self(pictures, shown)
        return torch.cat([context, tokens], dim=1), pooled + added
