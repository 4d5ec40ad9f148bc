"""The size at which a model draws well, and clips brought to it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .fit_pictures import fit
from .steps import Step, nothing

FIT, KEEP = CHOICES = ("fit the model", "keep")
STEP = 16  # pixels: sides are multiples of it, and so of every model's cells


@dataclass(frozen=True)
class ModelSize:
    """Side of the square that a model was trained on, in pixels, and from which to which share of its area it draws well."""

    side: int
    least: float
    most: float

    def fitted(self, width: int, height: int) -> tuple[int, int]:
        """The size to which a picture of width x height is brought: its own where that is good, else the square's area in its aspect."""
        share = width * height / self.side**2
        if self.least <= share <= self.most:
            return width, height
        return snapped(width / share**0.5), snapped(height / share**0.5)


def snapped(pixels: float) -> int:
    """The nearest multiple of STEP that is none too small."""
    return max(STEP, round(pixels / STEP) * STEP)


def even(pixels: int) -> int:
    """The largest even number that is no larger (videos have no odd sides), but at least 2."""
    return max(2, pixels // 2 * 2)


@dataclass(frozen=True)
class Sizing:
    """What becomes of pictures and masks of `source` (width, height): they get the size `target`."""

    source: tuple[int, int]
    target: tuple[int, int]

    @property
    def scaled(self) -> bool:
        """Whether anything is scaled; else an odd row or column is left out at most."""
        return any(abs(a - b) > 1 for a, b in zip(self.source, self.target, strict=True))

    def pictures(self, pictures: Tensor, step: Step = nothing) -> Tensor:
        """[F, H, W, C] in the new size: scaled to fill it, what sticks out cut off evenly; or without the odd row and column."""
        width, height = self.target
        if not self.scaled:
            return pictures[:, :height, :width]
        out = pictures.new_empty(len(pictures), height, width, pictures.shape[-1], dtype=torch.float32)
        for i, picture in enumerate(pictures):
            out[i] = fit(picture[None], height, width, "crop")[0]
            step()
        return out

    def mask(self, mask: Tensor, step: Step = nothing) -> Tensor:
        """[F, H, W] likewise."""
        return self.pictures(mask[..., None], step)[..., 0]


def sizing(width: int, height: int, choice: str, known: ModelSize | None) -> Sizing:
    """How pictures of width x height are brought to a model, of which `known` is known. Raises ValueError for a choice that is none."""
    if choice not in CHOICES:
        raise ValueError(f"size: {choice!r} is none of {', '.join(CHOICES)}")
    wanted = known.fitted(width, height) if known and choice == FIT else (width, height)
    return Sizing((width, height), (even(wanted[0]), even(wanted[1])))


Margins = tuple[int, int, int, int]  # left, top, right, bottom


def grown(width: int, height: int, margins: Margins, choice: str, known: ModelSize | None) -> tuple[Sizing, Margins]:
    """The same for pictures that get `margins`: how they are brought, and their margins then. All of it together fits the model.

    Raises ValueError for a choice that is none.
    """
    left, top, right, bottom = margins
    whole = sizing(width + left + right, height + top + bottom, choice, known)
    if not whole.scaled:
        own = sizing(width, height, KEEP, None)
        across, down = evened(left, right), evened(top, bottom)
        return own, (across[0], down[0], across[1], down[1])
    by = [target / source for source, target in zip(whole.source, whole.target, strict=True)]
    inner = Sizing((width, height), (max(1, round(width * by[0])), max(1, round(height * by[1]))))
    (left, right), (top, bottom) = (shared(a, b, total - own) for a, b, total, own in
                                    ((left, right, whole.target[0], inner.target[0]), (top, bottom, whole.target[1], inner.target[1])))
    return inner, (left, top, right, bottom)


def evened(before: int, after: int) -> tuple[int, int]:
    """Two margins of one axis, the larger one wider by a pixel if they are odd together."""
    odd = (before + after) % 2
    return (before, after + odd) if after >= before else (before + odd, after)


def shared(before: int, after: int, pixels: int) -> tuple[int, int]:
    """`pixels` between two margins of one axis, in their proportion."""
    if before + after == 0:
        return 0, pixels
    first = round(pixels * before / (before + after))
    return first, pixels - first
