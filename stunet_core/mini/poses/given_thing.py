"""The thing that given frames show, cut out of them, so that frames that are made can be drafted with it (`draft.py`).

What words and book say of a thing is its usual size, place and look; a given frame shows this one. So it is the draft's picture itself,
and goes on from where it stands along the path that the pose head guesses.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..autoencoder import LATENT_CHANNELS, SCALE
from ..inputs import draft_channels
from .draft import AT_ONCE, encoded
from .drawing import Code, Drawing, drawing, paint
from .places import poses_of

NEAR = 3  # cells of the border that a cell is held against: those most like it
ABOVE = 1.1  # times Otsu's threshold, as unlike are a thing's cells to them
LEAST, MOST = 0.02, 0.6  # of a frame's cells, how many are a thing's
WHERE = 0.25  # how much it counts how far a path is from the thing, beside how unlike its way
OUTSIDE = 0.25  # of a thing's cells, how many may be on the border
ROUNDS = 3  # of GrabCut
AROUND = 4 * SCALE  # pixels of background that it sees around a thing, and more
X, Y, SIZE, ANGLE, THERE = range(5)  # of a pose


@dataclass(frozen=True)
class GivenThing:
    """`poses`: f 5, where the thing is in each given frame; `drawings`: the thing in each of f frames, None where it is made; `given`: f,
    bool; `size`: h and w of a frame, in cells."""

    poses: Tensor
    drawings: tuple[Drawing | None, ...]
    given: Tensor
    size: tuple[int, int]


def given_whole(mask: Tensor) -> Tensor | None:
    """Which frames are given (bool f) of a clip whose frames are each given or made whole; None for other clips. mask: f h w, 1 where to
    generate."""
    made = (mask >= 0.5).flatten(1)
    given = ~made.any(dim=1)
    return given if bool((given | made.all(dim=1)).all()) and bool(given.any()) and not bool(given.all()) else None


def given_thing(given: Tensor, latents: Tensor, decode: Code) -> GivenThing | None:
    """The thing that the given frames (bool f) of a clip show. None where one of them shows none that stands out from what is along its
    border. latents: f c h w, of any value in frames that are made; decode: the autoencoder's, n c h w -> n 3 H W in [-1, 1].
    """
    cut = torch.zeros(len(latents), *latents.shape[2:], dtype=torch.bool, device=latents.device)
    for frame in given.nonzero()[:, 0].tolist():
        found = standing_out(latents[frame].float())
        if found is None:
            return None
        cut[frame] = found
    return cut_out(cut, latents, given, decode)


def cut_out(cut: Tensor, latents: Tensor, given: Tensor, decode: Code) -> GivenThing | None:
    """The thing that covers the cells `cut` (bool f h w) of given frames; None where one shows none. latents: f c h w; given: f, bool."""
    height, width = cut.shape[1:]
    which = given.nonzero()[:, 0]
    with torch.no_grad():
        shown = torch.cat([decode(part).float() for part in latents[which].float().split(AT_ONCE)])
    frames = ((shown.movedim(1, -1).cpu() + 1) * 127.5).clamp(0, 255).byte().numpy()
    poses = torch.zeros(len(cut), 5, device=cut.device)
    drawings: list[Drawing | None] = [None] * len(cut)
    for frame, pixels in zip(which.tolist(), frames, strict=True):
        coverage = outlined(pixels, cut[frame].cpu().numpy())
        if not (coverage >= 0.5).any():
            return None
        pose = poses_of(torch.from_numpy(coverage)[None])[0]
        side = max(height, width) * SCALE
        rgba = np.zeros((side, side, 4), np.uint8)  # a picture is square
        rgba[:height * SCALE, :width * SCALE] = np.dstack([pixels * coverage[..., None], 255 * coverage]).round()
        thing = drawing(rgba, 2.0 ** float(pose[SIZE]) * min(height, width) / max(height, width))
        pose[X], pose[Y] = (at * side / (SCALE * cells) for at, cells in zip(thing.middle, (width, height), strict=True))
        poses[frame], drawings[frame] = pose.to(poses), thing
    return GivenThing(poses, tuple(drawings), given, (height, width))


def outlined(pixels: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """How much of each pixel is the thing's, float H W from 0 to 1: of a frame (uint8 H W 3) what is the thing's in about its cells (bool
    h w), by the colours in them and around them (GrabCut, Rother et al., 2004)."""
    whole, square = cells.astype(np.uint8), np.ones((3, 3), np.uint8)
    near, inside, core = (large(which, pixels) for which in (cv2.dilate(whole, square), whole, cv2.erode(whole, square, borderValue=0)))
    told = np.select([core, inside, near], [cv2.GC_FGD, cv2.GC_PR_FGD, cv2.GC_PR_BGD], cv2.GC_BGD).astype(np.uint8)
    part = around(near, AROUND)
    if not near[part].all():
        cv2.setRNGSeed(0)  # the same frame is cut out alike every time
        found, _, _ = cv2.grabCut(np.ascontiguousarray(pixels[part]), np.ascontiguousarray(told[part]), None,  # type: ignore[call-overload]
                                  np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
        told[part] = found
    thing = largest(np.isin(told, (cv2.GC_FGD, cv2.GC_PR_FGD)))
    soft = cv2.GaussianBlur(thing.astype(np.float32), (5, 5), 0)
    return (2 * soft - 1).clip(0, 1)  # pixels on the edge are half background


def large(cells: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Cells (h w) as the pixels (H W 3) that they cover: bool H W"""
    return cv2.resize(cells, (pixels.shape[1], pixels.shape[0]), interpolation=cv2.INTER_NEAREST) > 0


def around(pixels: np.ndarray, margin: int) -> tuple[slice, slice]:
    """The box of what is True, and so many pixels more on each side."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    return slice(max(0, rows[0] - margin), rows[-1] + 1 + margin), slice(max(0, columns[0] - margin), columns[-1] + 1 + margin)


def standing_out(frame: Tensor) -> Tensor | None:
    """The cells (bool h w) of the largest thing whose latents (c h w) are unlike all on the frame's border; None if there is none."""
    height, width = frame.shape[1:]
    border = torch.ones(height, width, dtype=torch.bool, device=frame.device)
    border[1:-1, 1:-1] = False
    cells, known = frame.flatten(1).T, frame[:, border].T                                      # n c, k c
    apart = torch.cdist(cells, known).topk(NEAR, dim=1, largest=False).values.mean(dim=1)      # n
    thing = torch.from_numpy(largest(parted(apart.view(height, width)))).to(frame.device)
    share = float(thing.float().mean())
    if not LEAST <= share <= MOST or float(thing[border].sum()) > OUTSIDE * float(thing.sum()):
        return None
    return thing


def parted(values: Tensor) -> np.ndarray:
    """Otsu's threshold (1979) on values h w, 0 or more: True where they are more than ABOVE times it."""
    grey = (values / values.max().clamp(min=1e-6) * 255).byte().cpu().numpy()
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return np.asarray(grey > ABOVE * threshold)


def largest(cells: np.ndarray) -> np.ndarray:
    """Of the groups of cells (bool h w) that touch, also at corners, the largest one, without holes."""
    count, names, stats, _ = cv2.connectedComponentsWithStats(cells.astype(np.uint8), connectivity=8)
    if count < 2:
        return cells
    group = names == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    _, free = cv2.connectedComponents((~group).astype(np.uint8), connectivity=4)
    outside = np.unique(np.concatenate([free[0], free[-1], free[:, 0], free[:, -1]]))
    return ~np.isin(free, outside[outside > 0])


def nearest_path(paths: Tensor, thing: GivenThing) -> Tensor:
    """Of guessed paths (n f 5) the one that goes most as the thing does in the given frames, and next to where it is: f 5

    Of one given frame only where it is counts. So a swing is met in the phase in which it was given.
    """
    off = (thing.poses - paths)[:, thing.given][..., [X, Y]]                                    # n given 2
    mean = off.mean(dim=1, keepdim=True)
    unlike = (off - mean).square().sum(dim=2).mean(dim=1) + WHERE * mean.square().sum(dim=2)[:, 0]
    return paths[unlike.argmin()]


def gone_on(guess: Tensor, thing: GivenThing, loop: bool = False) -> tuple[Tensor, Tensor]:
    """The guessed path of a thing (f 5), moved so that it passes through where the thing is in the given frames.

    Between given frames it is moved by what lies between. In a `loop` the last frame is followed by the first. Returns the poses f 5, and
    of each frame the given frame that is nearest (f), whose picture is its draft.
    """
    frames = len(guess)
    known = thing.given.nonzero()[:, 0]
    off = thing.poses[known] - guess[known]
    off[:, ANGLE] = -guess[known, ANGLE]  # its picture is upright as it is
    if loop:
        known = torch.cat([known - frames, known, known + frames])
        off = off.repeat(3, 1)
    times = torch.arange(frames, device=guess.device)
    later = torch.searchsorted(known, times).clamp(max=len(known) - 1)
    earlier = (torch.searchsorted(known, times, right=True) - 1).clamp(min=0)
    span = (known[later] - known[earlier]).clamp(min=1)
    share = ((times - known[earlier]) / span).clamp(0, 1)[:, None]
    poses = guess + off[earlier] * (1 - share) + off[later] * share
    poses[:, THERE] = 1
    nearest = torch.where((times - known[earlier]).abs() <= (known[later] - times).abs(), known[earlier], known[later])
    return poses, nearest % frames


def drafts_of(poses: Tensor, nearest: Tensor, thing: GivenThing, encode: Code) -> Tensor:
    """The draft of each frame, f 2(c+1) h w: what the given frame `nearest` (f) shows, at `poses` (f 5). No second thing."""
    height, width = thing.size
    shown = [thing.drawings[frame] for frame in nearest.tolist()]
    drawn = np.stack([paint(pose, one, SCALE * height, SCALE * width) for pose, one in zip(poses.cpu().numpy(), shown, strict=True)
                      if one is not None])
    first = encoded(drawn, encode).to(poses)
    return F.pad(first, (0, 0, 0, 0, 0, draft_channels(LATENT_CHANNELS) - first.shape[1]))
