"""An autoencoder of cells of 16x16 pixels without normalisation layers, so that every pixel depends only on its neighbourhood.

In the spirit of TAESD (plain residual convolutions). Most of the work is done at low resolution and sides grow by pixel shuffles, so that
80 frames of 256 pixels decode in seconds on a CPU.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALE = 16          # pixels along each side of a latent cell
LATENT_CHANNELS = 8
FINE, MIDDLE, COARSE = 96, 160, 256  # channels at a quarter, an eighth and a sixteenth of the picture's sides


class Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, h: Tensor) -> Tensor:
        return h + self.second(F.silu(self.first(F.silu(h))))


class Encoder(nn.Sequential):
    """b 3 h w -> b 8 h/16 w/16"""

    def __init__(self) -> None:
        super().__init__(
            nn.PixelUnshuffle(4), nn.Conv2d(48, FINE, 3, padding=1), Residual(FINE),
            nn.Conv2d(FINE, MIDDLE, 3, stride=2, padding=1), Residual(MIDDLE),
            nn.Conv2d(MIDDLE, COARSE, 3, stride=2, padding=1), Residual(COARSE), Residual(COARSE),
            nn.SiLU(), nn.Conv2d(COARSE, LATENT_CHANNELS, 3, padding=1))


class Decoder(nn.Sequential):
    """b 8 h/16 w/16 -> b 3 h w"""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(LATENT_CHANNELS, COARSE, 3, padding=1), Residual(COARSE), Residual(COARSE), Residual(COARSE),
            nn.Conv2d(COARSE, 4 * MIDDLE, 1), nn.PixelShuffle(2), Residual(MIDDLE), Residual(MIDDLE), Residual(MIDDLE),
            nn.Conv2d(MIDDLE, 4 * FINE, 1), nn.PixelShuffle(2), Residual(FINE), Residual(FINE),
            nn.SiLU(), nn.Conv2d(FINE, 48, 3, padding=1), nn.PixelShuffle(4))


class Autoencoder(nn.Module):
    """Images in [-1, 1] <-> latents whose channels have zero mean and unit deviation over the training world."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.register_buffer("mean", torch.zeros(LATENT_CHANNELS))
        self.register_buffer("std", torch.ones(LATENT_CHANNELS))

    def encode(self, x: Tensor) -> Tensor:
        """b 3 h w in [-1, 1], sides multiples of 16 -> b 8 h/16 w/16"""
        return (self.encoder(x) - self.mean[:, None, None]) / self.std[:, None, None]

    def decode(self, z: Tensor) -> Tensor:
        """b 8 h/16 w/16 -> b 3 h w, about [-1, 1] (not clamped)"""
        return self.decoder(z * self.std[:, None, None] + self.mean[:, None, None])
