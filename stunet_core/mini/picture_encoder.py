"""The picture encoder: small pictures of a prompt's things become tokens beside its words (retrieval-augmented diffusion, 2204.11824).

So the U-Net draws what it is shown and need not know by heart what a thing looks like. A picture is 192x192 pixels: its latents, and how
much of each cell the thing covers, from -1 (nothing) to 1 (all of it). Slot k shows the k-th thing, the left one first.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import MiniConfig
from .inputs import SLOTS
from .unet import ResBlock

FINE, COARSE = 96, 128  # channels at a picture's own cells, and at half as many along each side
SILENT = 64  # channels of the embedding its blocks would hear; it is zero
POOLED = 256  # hidden channels of what is added to the pooled text


class PictureEncoder(nn.Module):
    """Pictures -> tokens for cross-attention, and what they add to the pooled text. An absent picture has tokens of its own.

    A token is of 2 x 2 cells: `tokens` of them a picture.
    """

    def __init__(self, config: MiniConfig):
        super().__init__()
        self.shape, dim = config.picture_shape, config.context_dim
        self.tokens = (config.picture_cells // 2) ** 2
        self.stem = nn.Conv2d(self.shape[0], FINE, 3, padding=1)
        self.blocks = nn.ModuleList(ResBlock(width, SILENT, width, scale_shift=False) for width in (FINE, COARSE))
        self.down = nn.Conv2d(FINE, COARSE, 3, stride=2, padding=1)
        self.out = nn.Conv2d(COARSE, dim, 1)
        self.positions = nn.Parameter(torch.randn(self.tokens, dim) * 0.5)
        self.absent = nn.Parameter(torch.zeros(self.tokens, dim))
        self.slots = nn.Parameter(torch.randn(SLOTS, dim) * torch.tensor([0.0, 0.3])[:, None])
        self.pool_in = nn.Linear(self.shape[0] * self.tokens, POOLED)
        self.pool_out = nn.ModuleList(nn.Linear(POOLED, config.pooled_dim) for _ in range(SLOTS))
        nn.init.zeros_(self.pool_out[1].weight)
        nn.init.zeros_(self.pool_out[1].bias)

    def forward(self, pictures: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens b (2 n) c, and b p to be added to the pooled text.

        Args:
            pictures: b 2 9 12 12 (`MiniConfig.picture_shape`), of any value in a slot that shows none.
            shown: b 2, bool: which slots show a picture.
        """
        there = shown.to(pictures)[..., None]                                                  # b 2 1
        silence = pictures.new_zeros(shown.numel(), SILENT)
        h = self.blocks[0](self.stem(pictures.flatten(0, 1)), silence)                         # (b 2) 96 12 12
        h = self.blocks[1](self.down(h), silence)                                              # (b 2) 128 6 6
        seen = self.out(h).flatten(2).transpose(1, 2).unflatten(0, shown.shape)                # b 2 n c
        tokens = torch.where(shown[..., None, None], seen, self.absent) + self.positions + self.slots[:, None]
        coarse = F.avg_pool2d(pictures.flatten(0, 1), 2).flatten(1).unflatten(0, shown.shape)  # b 2 (9 n)
        hidden = F.silu(self.pool_in(coarse))                                                  # b 2 256
        pooled = torch.stack([out(hidden[:, k]) for k, out in enumerate(self.pool_out)], dim=1) * there
        return tokens.flatten(1, 2), pooled.sum(dim=1)

    def beside(self, context: Tensor, pooled: Tensor, pictures: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Words' context b t c and pooled text b p with the pictures' share: b (t + 2 n) c, b p"""
        tokens, added = self(pictures, shown)
        return torch.cat([context, tokens], dim=1), pooled + added

    def none(self, rows: int = 1) -> tuple[Tensor, Tensor]:
        """`pictures` and `shown` of prompts that show nothing."""
        weight = self.stem.weight
        return weight.new_zeros(rows, SLOTS, *self.shape), torch.zeros(rows, SLOTS, dtype=torch.bool, device=weight.device)
