"""What makes features and latents look like a reference's: their statistics, and attention to them.

StyleAligned (Hertz et al., 2312.02133): queries and keys are given the reference's mean and deviation, and every picture
also attends to the reference's keys and values. The statistics of latents are matched by the linear map of least
transport between two Gaussians (Pitie and Kokaram, "The linear Monge-Kantorovitch colour mapping", 2007).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

TINY = 1e-5  # below this a deviation is none


class Moments(NamedTuple):
    """Mean and deviation of each channel over tokens, each b 1 c."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, x: Tensor) -> "Moments":
        """x: b n c"""
        deviation, mean = torch.std_mean(x.float(), dim=1, keepdim=True, correction=0)
        return cls(mean, deviation)


def adain(x: Tensor, like: Moments) -> Tensor:
    """x (b n c) with the moments of `like` instead of its own (AdaIN: Huang & Belongie, 1703.06868)."""
    own = Moments.of(x)
    moved = (x.float() - own.mean) / (own.deviation + TINY) * like.deviation + like.mean
    return moved.to(x.dtype)


class Seen(NamedTuple):
    """What one self-attention made of the references: keys and values (b r n c), moments of queries and keys (b r 1 c)."""

    k: Tensor
    v: Tensor
    queries: Moments
    keys: Moments

    @classmethod
    def of(cls, q: Tensor, k: Tensor, v: Tensor, references: int) -> "Seen":
        """q, k, v: (b r) n c"""
        def apart(t: Tensor) -> Tensor:
            return rearrange(t, "(b r) n c -> b r n c", r=references)

        queries, keys = (Moments(*(apart(t) for t in Moments.of(x))) for x in (q, k))
        return cls(apart(k), apart(v), queries, keys)

    def one(self, reference: int, frames: int) -> "Seen":
        """One of the references for every frame: all (b f) n c."""
        def spread(t: Tensor) -> Tensor:
            return t[:, reference].repeat_interleave(frames, dim=0)

        return Seen(spread(self.k), spread(self.v), *(Moments(*map(spread, m)) for m in (self.queries, self.keys)))


def shared(q: Tensor, k: Tensor, v: Tensor, seen: Seen) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v (b n c) of frames -> those of attention that also sees `seen`: b n c, b (n m) c, b (n m) c"""
    k = torch.cat([adain(k, seen.keys), seen.k.to(k)], dim=1)
    return adain(q, seen.queries), k, torch.cat([v, seen.v.to(v)], dim=1)


def palette(latents: Tensor, weights: Sequence[float] | None = None) -> tuple[Tensor, Tensor]:
    """f c h w -> mean c and covariance c c of all places in all pictures, in float64 on the CPU (some devices have none); `weights` (f)
    sum to 1.
    """
    x = rearrange(latents.cpu().double(), "f c h w -> f (h w) c")
    share = x.new_full((len(x),), 1 / len(x)) if weights is None else x.new_tensor(weights)
    mean = (x.mean(dim=1) * share[:, None]).sum(0)
    centred = x - mean
    covariance = torch.einsum("fnc,fnd->fcd", centred, centred) / x.shape[1]
    return mean, (covariance * share[:, None, None]).sum(0)


def repaint(latents: Tensor, like: tuple[Tensor, Tensor], strength: float = 1.0) -> Tensor:
    """latents (f c h w) with the mean and covariance of `like` over the whole clip, so that no frame differs from the next.

    `strength`: 0 changes nothing, 1 all of the way.
    """
    wanted_mean, wanted = like
    mean, own = palette(latents)
    root, inverse = roots(own)
    change = inverse @ roots(root @ wanted @ root)[0] @ inverse                                  # c c
    mean, wanted_mean, change = (t.to(latents.device, torch.float32) for t in (mean, wanted_mean, change))
    centred = latents.float() - mean[:, None, None]
    moved = torch.einsum("cd,fdhw->fchw", change, centred) + wanted_mean[:, None, None]
    return torch.lerp(latents.float(), moved, strength).to(latents.dtype)


def roots(symmetric: Tensor) -> tuple[Tensor, Tensor]:
    """Square root of a positive semi-definite matrix c c, and that root's inverse where there is anything to invert."""
    values, vectors = torch.linalg.eigh(symmetric)
    values = values.clamp(min=0).sqrt()
    inverse = torch.where(values > TINY, 1 / values.clamp(min=TINY), 0.0)
    return (vectors * values) @ vectors.mT, (vectors * inverse) @ vectors.mT


def read_weights(text: str, count: int, what: str = "reference pictures") -> tuple[float, ...]:
    """ "2, 1" -> shares of `count` references, or whatever else they are, that sum to 1; "" -> equal ones.

    Raises:
        ValueError: another number of them, one below 0 or no number, or none above 0.
    """
    if not text.strip():
        return (1 / count,) * count
    try:
        weights = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ValueError(f"weights: {text!r}; give numbers with commas between them, such as 2, 1, or nothing for equal "
                         "ones") from error
    if len(weights) != count:
        raise ValueError(f"weights: {len(weights)} of them for {count} {what}; give one for each, or nothing for equal ones")
    if not all(0 <= weight < float("inf") for weight in weights) or not sum(weights):
        raise ValueError(f"weights: {text!r}; each must be 0 or more, and one of them more than 0")
    return tuple(weight / sum(weights) for weight in weights)
