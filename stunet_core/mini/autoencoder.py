"""A small f=8 autoencoder without normalisation layers, so that every pixel depends only on its neighbourhood.

In the spirit of TAESD (plain residual convolutions), but most of the work is done at low resolution and the last
upsampling is a pixel shuffle, so that 80 frames decode in about a second on a CPU.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALE = 8          # pixels per latent cell
LATENT_CHANNELS = 4


class Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, h: Tensor) -> Tensor:
        return F.relu(h + self.conv(h))


class Encoder(nn.Sequential):
    """b 3 h w -> b 4 h/8 w/8"""

    def __init__(self) -> None:
        super().__init__(
            nn.PixelUnshuffle(4), nn.Conv2d(48, 64, 3, padding=1), nn.ReLU(), Residual(64),
            nn.Conv2d(64, 128, 3, stride=2, padding=1), nn.ReLU(), Residual(128), Residual(128),
            nn.Conv2d(128, LATENT_CHANNELS, 3, padding=1))


class Decoder(nn.Sequential):
    """b 4 h/8 w/8 -> b 3 h w"""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(LATENT_CHANNELS, 128, 3, padding=1), nn.ReLU(), Residual(128), Residual(128), Residual(128),
            nn.Conv2d(128, 96, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2), Residual(96), Residual(96),
            nn.Conv2d(96, 48, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2), Residual(48),
            nn.Conv2d(48, 12, 3, padding=1), nn.PixelShuffle(2))


class Autoencoder(nn.Module):
    """Images in [-1, 1] <-> latents whose channels have zero mean and unit deviation over the training world."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.register_buffer("mean", torch.zeros(LATENT_CHANNELS))
        self.register_buffer("std", torch.ones(LATENT_CHANNELS))

    def encode(self, x: Tensor) -> Tensor:
        """b 3 h w in [-1, 1], sides multiples of 8 -> b 4 h/8 w/8"""
        return (self.encoder(x) - self.mean[:, None, None]) / self.std[:, None, None]

    def decode(self, z: Tensor) -> Tensor:
        """b 4 h/8 w/8 -> b 3 h w, about [-1, 1] (not clamped)"""
        return self.decoder(z * self.std[:, None, None] + self.mean[:, None, None])
