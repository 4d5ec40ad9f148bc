"""Dense optical flow between frames: where each pixel goes, whether to believe it, and pictures pulled back along it."""

import cv2
import numpy as np
from torch import Tensor

from .steps import Step, nothing

FINE_SIDE = 256  # pictures up to this side are matched at full resolution, larger ones at half of it
LEAST_SIDE = 32  # smaller pictures are padded: the method's patches are 8 pixels wide


def to_bytes(frames: Tensor, step: Step = nothing) -> np.ndarray:
    """F H W 3 in [0, 1] -> F H W 3 uint8, for all that looks at clips through OpenCV; frame by frame, to save memory."""
    out = np.empty(frames.shape, np.uint8)
    for i, frame in enumerate(frames):
        out[i] = (frame.detach().cpu().float().clamp(0, 1) * 255).round().byte().numpy()
        step()
    return out


def grey(frames: np.ndarray) -> np.ndarray:
    """One channel in which the clip's colours differ most: the first principal axis of all its pixels.

    Luminance would make an orange thing on a grey background invisible to the flow; this axis does not.

    Args:
        frames: F H W 3 uint8 RGB.

    Returns:
        F H W uint8, all frames projected alike, not stretched.
    """
    step = max(1, frames[..., 0].size // 200_000)
    pixels = frames.reshape(-1, 3)[::step].astype(np.float64)
    axis = np.linalg.eigh(np.cov(pixels.T))[1][:, -1] if len(pixels) > 1 else np.ones(3)
    axis = axis / np.abs(axis).sum()
    shift = -255 * np.minimum(axis, 0).sum()
    out = [np.rint(frame @ axis.astype(np.float32) + shift) for frame in frames]
    return np.stack(out).clip(0, 255).astype(np.uint8)


def flow(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Dense flow by inverse search over patches with variational refinement (DIS; Kroeger et al., 1603.03590).

    Args:
        source, target: H W uint8, of one size.

    Returns:
        H W 2 float32 (x, y) in pixels: what is at p in `source` is at p + flow(p) in `target`.
    """
    h, w = source.shape
    below, right = max(0, LEAST_SIDE - h), max(0, LEAST_SIDE - w)
    if below or right:
        source, target = (cv2.copyMakeBorder(i, 0, below, 0, right, cv2.BORDER_REPLICATE) for i in (source, target))
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setFinestScale(0 if max(h, w) <= FINE_SIDE else 1)
    found = method.calc(np.ascontiguousarray(source), np.ascontiguousarray(target), None)  # type: ignore[call-overload]
    return np.asarray(found)[:h, :w]


def both_ways(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(flow a -> b, where it can be believed: H W bool) for H W uint8 pictures."""
    there, back = flow(a, b), flow(b, a)
    return there, agree(there, back)


def agree(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Where the way there and back ends near its start; elsewhere the pixel is occluded, leaves, or was mismatched.

    The test of Sundaram, Brox and Keutzer (ECCV 2010): |f + b|^2 < 0.01 (|f|^2 + |b|^2) + 0.5.

    Args:
        there, back: H W 2 flows a -> b and b -> a.

    Returns:
        H W bool on the grid of a.
    """
    h, w = there.shape[:2]
    home = warp(back, there)
    length = (there**2).sum(-1) + (home**2).sum(-1)
    x, y = np.moveaxis(grid(h, w) + there, -1, 0)
    inside = (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
    return inside & (((there + home) ** 2).sum(-1) < 0.01 * length + 0.5)


def grid(h: int, w: int) -> np.ndarray:
    """H W 2 float32: the (x, y) of every pixel."""
    return np.stack(np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)), axis=-1)


def warp(picture: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """`picture` [H W] or [H W C], any type that OpenCV knows, sampled at p + motion(p); its border goes on outside."""
    return sample_at(picture, grid(*motion.shape[:2]) + motion)


def sample_at(picture: np.ndarray, places: np.ndarray, *, outside: int = cv2.BORDER_REPLICATE) -> np.ndarray:
    """`picture` [H W] or [H W C] at `places` [h w 2] (x, y), bilinear; outside, its border goes on.

    With `outside=cv2.BORDER_CONSTANT` it is zero there.
    """
    places = np.ascontiguousarray(places, np.float32)
    return cv2.remap(picture, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=outside, borderValue=0)
