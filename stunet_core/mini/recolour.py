"""Paint a drawing in one colour: its main body takes the colour, its shading, outlines and small parts stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

COLOURS: Mapping[str, tuple[int, int, int]] = MappingProxyType({  # the names captions use (training/world/palette.py), RGB
    "black": (12, 12, 14), "white": (246, 246, 246), "red": (205, 28, 36), "orange": (245, 135, 20), "yellow": (250, 218, 60),
    "green": (40, 160, 62), "blue": (35, 85, 215), "purple": (128, 48, 180), "pink": (250, 150, 195), "teal": (10, 140, 140),
    "gray": (132, 134, 138), "brown": (112, 70, 38),
})
NEAR = 35.0      # degrees of hue that still belong to the body
COLOURED = 0.22  # saturation from which a pixel has a hue
GROUND = 200     # the grey that the book's pictures stand on, 0 to 255
APART = 14       # levels by which a pixel of the thing differs from that grey


def recolour(image: np.ndarray, coverage: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Paint what `coverage` shows of an image.

    Args:
        image: float [H, W, 3], 0 to 255.
        coverage: float [H, W], 0 (background) to 1 (the thing).
        colour: RGB, 0 to 255.

    Returns:
        float [H, W, 3]: the body in the colour, lighter and darker where it was; all else as it was. Pixels outside of
        the coverage may change too if they look like the body.
    """
    image = np.ascontiguousarray(image, np.float32)
    solid = coverage > 0.5
    if not solid.any():
        return image
    body = body_of(image, solid)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    weight = body * solid
    if weight.sum() < 0.02 * solid.sum():
        return image
    order = np.argsort(grey[solid], kind="stable")
    passed = np.cumsum(weight[solid][order])
    middle = max(8.0, float(grey[solid][order][int(np.searchsorted(passed, 0.5 * passed[-1]))]))
    lighter = ((grey - middle) / max(1.0, 255 - middle)).clip(0, 1)[..., None]
    darker = (grey / middle).clip(0, 1)[..., None]
    paint = np.array(colour, np.float32)
    painted = paint * (0.25 + 0.75 * darker) + (255 - paint) * 0.7 * lighter
    return image + (painted - image) * body[..., None]


def body_of(image: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """How much each pixel looks like the main body, 0 to 1 [H, W]: of its most common hue, or pale where most has none."""
    hsv = cv2.cvtColor(image / 255, cv2.COLOR_RGB2HSV)
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    hued = solid & (saturation > COLOURED) & (value > 0.2)
    if hued.sum() <= 0.25 * solid.sum():
        return ((0.30 - saturation) / 0.10).clip(0, 1) * ((value - 0.28) / 0.12).clip(0, 1)
    counts = np.histogram(hue[hued], bins=36, range=(0, 360), weights=(saturation * value)[hued])[0]
    wide = counts + np.roll(counts, 1) + np.roll(counts, -1)
    main = 10.0 * float(np.argmax(wide)) + 5.0
    apart = np.abs((hue - main + 180) % 360 - 180)
    return ((NEAR + 12 - apart) / 12).clip(0, 1) * ((saturation - 0.12) / 0.12).clip(0, 1)


def recolour_picture(picture: Tensor, colour: str, decode: Callable[[Tensor], Tensor], encode: Callable[[Tensor], Tensor]) -> Tensor:
    """A picture of the book with its thing in a colour.

    Args:
        picture: [9, 12, 12], as `Book.picture` gives it.
        colour: a name of `COLOURS`.
        decode, encode: the autoencoder's: 1 8 12 12 latents <-> 1 3 192 192 images in [-1, 1].

    Returns:
        [9, 12, 12]: the latents of the painted picture, and the coverage as it was.

    Raises:
        ValueError: for another colour.
    """
    if colour not in COLOURS:
        raise ValueError(f'colour: "{colour}" is unknown; it is one of {", ".join(COLOURS)}')
    with torch.no_grad():
        image = ((decode(picture[None, :8]).float()[0] + 1) * 127.5).clamp(0, 255)  # 3 192 192
        rough = F.interpolate(picture[None, 8:].float() / 2 + 0.5, size=image.shape[-2:], mode="bilinear", align_corners=False)[0, 0]
        pixels = image.movedim(0, -1).cpu().numpy()
        shape = thing_in(pixels, rough.cpu().numpy())
        painted = pixels + (recolour(pixels, shape, COLOURS[colour]).clip(0, 255) - pixels) * shape[..., None]
        encoded = encode((torch.from_numpy(painted).movedim(-1, 0)[None] / 127.5 - 1).to(picture)).to(picture)[0]
    return torch.cat([encoded, picture[8:]])


def thing_in(pixels: np.ndarray, rough: np.ndarray) -> np.ndarray:
    """What of a picture of the book is the thing, float [H, W]: pixels unlike the plain ground, near where the coverage is."""
    unlike = (np.abs(pixels - GROUND).max(axis=2) > APART) & (rough > 0.03)
    closed = cv2.morphologyEx(unlike.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.maximum(closed, rough > 0.8).astype(np.float32)
