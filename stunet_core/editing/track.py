"""A mask drawn on one frame, carried through the clip by the motion of what it covers.

The thing under the mask is a layer with a motion of its own: an affine map plus a smooth remainder, so that it may turn,
grow and bend. Only flow inside the mask speaks for it, and only where going there and back ends at the start; what its
edges uncover or hide does not. Each frame continues from its neighbour, then is corrected by flow from the key frame
itself, carried there by the motion so far: small errors do not add up, and the mask keeps the shape that was drawn.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from .flow import both_ways, grey, grid, sample_at
from .steps import Step, nothing

Points = np.ndarray  # n 2 (x, y) in pixels

FEWEST = 12  # points that an affine map is fitted to; fewer only say how far
MOST = 3000
INLIER = 1.0  # pixels from the affine map
ALIKE = 45  # levels of 255 in any channel that the same point may differ between frames
FOUND = 0.5  # share of the thing that must look as on the key frame
GONE = 0.05  # of the drawn mask's pixels; fewer in the picture are none


@dataclass(frozen=True)
class Track:
    """masks F H W float32 in 0..1; share F: how much of the thing looks as on the key frame, 0..1; lost: frames where
    that is less than half, so that the mask there is a guess; gone: frames where (nearly) all of it left the picture.
    """

    masks: np.ndarray
    share: np.ndarray
    lost: tuple[int, ...]
    gone: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """Where each pixel p of a frame lies on the key frame: affine(p) + rest(p). affine 2 3, rest H W 2, in pixels."""

    affine: np.ndarray
    rest: np.ndarray

    def places(self) -> np.ndarray:
        return apply(self.affine, grid(*self.rest.shape[:2])) + self.rest

    def after(self, move: "Layer") -> "Layer":
        """The layer one step on; `move` says where each pixel of the new frame lies on this one."""
        rest = move.rest @ self.affine[:, :2].T + sample_at(self.rest, move.places())
        return Layer(compose(self.affine, move.affine), rest.astype(np.float32))


def track(frames: np.ndarray, mask: np.ndarray, at: int = 0, step: Step = nothing) -> Track:
    """Carry `mask` from frame `at` to both ends of the clip.

    Args:
        frames: F H W 3 uint8 RGB.
        mask: H W float in 0..1, drawn on frame `at`; counts as covered from 0.5.
        at: index of that frame, 0..F-1.
        step: called after each frame, for progress and cancel.

    Raises:
        ValueError: `mask` covers nothing, or its size is not the clip's.
    """
    if mask.shape != frames.shape[1:3]:
        raise ValueError(f"mask: is {mask.shape[1]} x {mask.shape[0]} pixels, the clip {frames.shape[2]} x "
                         f"{frames.shape[1]}; draw it on a frame of this clip")
    if not (mask > 0.5).any():
        raise ValueError("mask: is all black, so there is nothing to follow; paint what is to be followed white")
    if not 0 <= at < len(frames):
        has = f"its {len(frames)} frames are 0 to {len(frames) - 1}" if len(frames) > 1 else "it has only frame 0"
        raise ValueError(f"frame: {at} is outside the clip; {has}")
    pictures = grey(frames)
    masks = np.empty(frames.shape[:3], np.float32)
    share = np.ones(len(frames), np.float32)
    masks[at] = mask
    for way in (range(at + 1, len(frames)), range(at - 1, -1, -1)):
        for n, layer in follow(pictures, masks[at], at, way):
            masks[n] = carry(masks[at], layer)
            share[n] = likeness(frames[at], frames[n], masks[n], layer)
            step()
    gone = (masks > 0.5).sum((1, 2)) < GONE * (mask > 0.5).sum()
    lost = (share < FOUND) & ~gone
    return Track(masks, share, tuple(np.flatnonzero(lost).tolist()), tuple(np.flatnonzero(gone).tolist()))


def follow(pictures: np.ndarray, mask: np.ndarray, at: int, way: Iterable[int]) -> Iterable[tuple[int, Layer]]:
    """(frame, its layer) for the frames of `way`, neighbour by neighbour from `at`; pictures F H W uint8."""
    layer, last, move = still(mask.shape), at, still(mask.shape)
    for n in way:
        covered = carry(mask, layer) > 0.5
        move = motion(pictures[last], pictures[n], covered, otherwise=move)
        layer = layer.after(move)
        carried, covered = sample_at(pictures[at], layer.places()), carry(mask, layer) > 0.5
        layer = layer.after(motion(carried, pictures[n], covered, otherwise=still(mask.shape)))
        yield n, layer
        last = n


def carry(mask: np.ndarray, layer: Layer) -> np.ndarray:
    """The key frame's mask H W where its layer now is. What lay outside the key frame was not drawn: it is not covered."""
    return sample_at(mask, layer.places(), outside=cv2.BORDER_CONSTANT)


def motion(a: np.ndarray, b: np.ndarray, covered: np.ndarray, otherwise: Layer) -> Layer:
    """Where the pixels of `b` lie on `a`, for the thing that covers `covered` on `a`; `otherwise` when flow cannot say."""
    there, sure = both_ways(a, b)
    y, x = np.nonzero(covered & sure)
    if len(x) < 3:
        return otherwise
    if len(x) > MOST:
        some = np.linspace(0, len(x) - 1, MOST).astype(int)
        y, x = y[some], x[some]
    old = np.stack([x, y], axis=1).astype(np.float32)
    new = old + there[y, x]
    affine = fit(new, old)
    return Layer(affine, remainder(new, old - apply(affine, new), covered))


def fit(new: Points, old: Points) -> np.ndarray:
    """The affine map 2 3 that takes most of `new` to `old`; of few points only their median shift."""
    if len(new) >= FEWEST:
        affine, _ = cv2.estimateAffine2D(new, old, method=cv2.RANSAC, ransacReprojThreshold=INLIER)
        if affine is not None and 0.5 < abs(np.linalg.det(affine[:, :2])) < 2:
            return affine
    shift = np.median(old - new, axis=0)
    return np.array([[1, 0, shift[0]], [0, 1, shift[1]]])


def remainder(points: Points, rest: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """`rest` [n 2] at `points`, averaged over a neighbourhood and fading to zero away from them -> H W 2.

    The neighbourhood grows with the thing: normalised convolution with a Gaussian of an eighth of its side.
    """
    h, w = covered.shape
    column, row = np.rint(points).astype(int).T
    inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)
    near = np.linalg.norm(rest, axis=1) < 4 * INLIER
    use = inside & near
    total = np.zeros((h, w, 3), np.float32)
    np.add.at(total, (row[use], column[use]), np.column_stack([rest[use], np.ones(use.sum())]).astype(np.float32))
    sigma = max(1.0, float(np.sqrt(covered.sum())) / 8)
    near_by = cv2.GaussianBlur(total, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    return near_by[..., :2] / (near_by[..., 2:] + 0.05)


def likeness(key: np.ndarray, frame: np.ndarray, mask: np.ndarray, layer: Layer) -> float:
    """The share of the thing's pixels on `frame` that look as they do on `key` (H W 3 uint8), give or take a pixel."""
    covered = mask > 0.5
    if not covered.any():
        return 0.0
    expected = sample_at(key, layer.places()).astype(np.int16)
    window = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(frame, window).astype(np.int16), cv2.dilate(frame, window).astype(np.int16)
    off = np.maximum(low - expected, expected - high).max(axis=-1)
    return float((off[covered] < ALIKE).mean())


def widen(masks: np.ndarray, pixels: int, step: Step = nothing) -> np.ndarray:
    """Masks F H W, white grown by `pixels` in every direction."""
    if pixels == 0:
        return masks
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    out = np.empty_like(masks)
    for i, mask in enumerate(masks):
        out[i] = cv2.dilate(mask, disc)
        step()
    return out


def speak(found: Track, at: int) -> str:
    """What a user should know of a track from frame `at`."""
    lines = [f"Followed from frame {at} over {len(found.masks)} frames; at worst {found.share.min():.0%} of it was found."]
    if found.lost:
        lines.append(f"mask: lost track on frames {runs(found.lost)}, where masks are a guess. Paint another mask on one of "
                     "these frames and track from there.")
    if found.gone:
        lines.append(f"It has left the picture on frames {runs(found.gone)}.")
    key = found.masks[at] > 0.5
    if key[[0, -1]].any() or key[:, [0, -1]].any():
        lines.append(f"The mask reaches the edge of frame {at}: what lies beyond it is not followed. Better paint it on a "
                     "frame that shows all of it.")
    return "\n".join(lines)


def runs(numbers: tuple[int, ...]) -> str:
    """1, 2, 3, 7 -> "1-3, 7"."""
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


def still(shape: tuple[int, ...]) -> Layer:
    """The motion of a layer of `shape` (h, w) that does not move."""
    return Layer(np.eye(2, 3), np.zeros((*shape, 2), np.float32))


def apply(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """An affine map 2 3 of points [... 2]."""
    return (points @ affine[:, :2].T + affine[:, 2]).astype(np.float32)


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """outer(inner(p)) as one affine map 2 3."""
    bottom = [[0.0, 0.0, 1.0]]
    return (np.vstack([outer, bottom]) @ np.vstack([inner, bottom]))[:2]
