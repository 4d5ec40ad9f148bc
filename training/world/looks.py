"""Other looks of one drawing: in a colour that a caption names, or varied at random into something no book holds."""

from __future__ import annotations

import cv2
import numpy as np

from stunet_core.mini.recolour import recolour


def varied(cell: np.ndarray, seed: int) -> np.ndarray:
    """A drawing that nobody has seen: hue turned, mirrored, sheared, and sometimes cut or covered with a texture.

    `cell` uint8 [c, c, 4], premultiplied; the same seed gives the same look. Seed 0 changes nothing.
    """
    if seed == 0:
        return cell
    rng = np.random.default_rng(seed)
    side = cell.shape[0]
    alpha = cell[..., 3:].astype(np.float32) / 255
    colour: np.ndarray = cell[..., :3].astype(np.float32) / np.maximum(alpha, 1 / 255)
    if rng.random() < 0.7:
        hsv = cv2.cvtColor((colour.clip(0, 255) / 255).astype(np.float32), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0] + rng.uniform(0, 360)) % 360
        hsv[..., 1] = (hsv[..., 1] * rng.uniform(0.5, 1.3)).clip(0, 1)
        colour = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32) * 255
    if rng.random() < 0.25:
        grid = cv2.resize(rng.uniform(40, 255, (int(rng.integers(2, 9)), int(rng.integers(2, 9)), 3)).astype(np.float32), (side, side),
                          interpolation=cv2.INTER_NEAREST if rng.random() < 0.6 else cv2.INTER_CUBIC)
        colour = colour + (grid - colour) * rng.uniform(0.4, 1.0)
    out = np.concatenate([colour.clip(0, 255) * alpha, alpha * 255], axis=2)
    if rng.random() < 0.5:
        out = out[:, ::-1]
    half = side / 2
    a = np.eye(2) + rng.uniform(-0.22, 0.22, (2, 2)) * (rng.random() < 0.7)
    a /= max(1.0, float(np.abs(a).sum(axis=1).max()))
    out = cv2.warpAffine(np.ascontiguousarray(out), np.column_stack([a, half - a @ [half, half]]), (side, side), flags=cv2.INTER_LINEAR)
    if rng.random() < 0.2:
        direction = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[0:side, 0:side] - half
        out = out * (x * np.cos(direction) + y * np.sin(direction) < 0.22 * side)[..., None]
    return (out.clip(0, 255) + 0.5).astype(np.uint8)


def coloured(cell: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The drawing in a colour: `cell` uint8 [c, c, 4], premultiplied."""
    alpha = cell[..., 3].astype(np.float32) / 255
    plain = cell[..., :3].astype(np.float32) / np.maximum(alpha, 1 / 255)[..., None]
    out = recolour(plain.clip(0, 255), alpha, colour) * alpha[..., None]
    return np.concatenate([(out.clip(0, 255) + 0.5).astype(np.uint8), cell[..., 3:]], axis=2)
