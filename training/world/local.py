"""Parts that move in place: a flame that flickers, a flag that waves (the rippling water is a background)."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

from training.world.scene import Scene
from training.world.sprites import composite, sprite

CLOTH, DOT, POLE = (214, 32, 44), (250, 246, 240), (92, 66, 48)


def draw_local(frame: np.ndarray, mask: np.ndarray, scene: Scene, seconds: float) -> None:
    """Draw the scene's moving part into `frame` [H, W, 3] and its pixels into `mask` [H, W]."""
    if scene.local == "water":
        mask[:] = True
    elif scene.local == "flame":
        draw_flame(frame, mask, scene, seconds)
    else:
        draw_flag(frame, mask, scene, seconds)


def draw_flame(frame: np.ndarray, mask: np.ndarray, scene: Scene, seconds: float) -> None:
    size = frame.shape[0]
    side = round(0.42 * size)
    source = sprite("fire", scene.things[0].style).levels[2]
    v, u = (np.mgrid[0:side, 0:side].astype(np.float32) + 0.5) / side
    free = (1 - v) ** 1.3  # the foot stays, the tip moves most
    wave = 2 * math.pi * seconds
    phase = scene.seed % 628 / 100
    sway = free * (0.10 * np.sin(1.6 * wave - 5 * v + phase) + 0.05 * np.sin(3.1 * wave + 9 * v))
    height = 0.86 + 0.10 * math.sin(1.9 * wave + phase) + 0.04 * math.sin(3.7 * wave)
    map_x, map_y = (u + sway) * 128 - 0.5, (1 - (1 - v) / height) * 128 - 0.5
    paste(frame, mask, cv2.remap(source, map_x, map_y.astype(np.float32), cv2.INTER_LINEAR), 0.57, 0.52)


def draw_flag(frame: np.ndarray, mask: np.ndarray, scene: Scene, seconds: float) -> None:
    size = frame.shape[0]
    left, top = round(0.62 * size), round(0.22 * size)
    frame[top : round(0.92 * size), left : left + max(1, round(0.025 * size))] = POLE
    side = round(0.34 * size)
    v, u = (np.mgrid[0:side, 0:side].astype(np.float32) + 0.5) / side
    angle = 2 * math.pi * (1.3 * u - 1.1 * seconds) + scene.seed % 628 / 100
    lift = 0.12 * u * np.sin(angle)
    cloth = cv2.remap(flag(), u * 128 - 0.5, (v + lift) * 128 - 0.5, cv2.INTER_LINEAR)
    shade = 1 + 0.22 * u * np.cos(angle)  # the folds catch the light
    cloth[..., :3] = np.minimum(cloth[..., :3] * shade[..., None], cloth[..., 3:]).astype(np.uint8)
    paste(frame, mask, cloth, 0.645, 0.19)


@lru_cache(maxsize=1)
def flag() -> np.ndarray:
    """A red cloth with white dots (no nation's flag), hanging free in a premultiplied cell [128, 128, 4]."""
    cell = np.zeros((128, 128, 4), np.uint8)
    cell[24:104, 0:124] = (*CLOTH, 255)
    for x, y in ((26, 44), (62, 44), (98, 44), (26, 84), (62, 84), (98, 84)):
        cv2.circle(cell, (x, y), 11, (*DOT, 255), -1, cv2.LINE_AA)
    return cell


def paste(frame: np.ndarray, mask: np.ndarray, patch: np.ndarray, x: float, y: float) -> None:
    """Put a premultiplied patch [h, w, 4] with its upper left corner at fractions (x, y) of the frame."""
    size = frame.shape[0]
    left, top = round(x * size), round(y * size)
    where = np.s_[top : min(size, top + patch.shape[0]), left : min(size, left + patch.shape[1])]
    patch = patch[: size - top, : size - left]
    composite(frame[where], patch)
    mask[where] |= patch[..., 3] > 127
