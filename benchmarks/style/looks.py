"""How far pictures are from a style: their colours, and the correlations of a judge's features (Gatys et al., 1508.06576)."""

import numpy as np
import torch
from torch import Tensor

from training.judges.judges import Judges, to_input

LEVELS = 64  # quantiles of each colour


def colour_distance(pictures: np.ndarray, like: np.ndarray) -> float:
    """Mean distance in grey levels between the sorted values of each colour in two sets, n h w 3 uint8."""
    at = np.linspace(0, 1, LEVELS)
    a, b = (np.quantile(x.reshape(-1, 3).astype(np.float32), at, axis=0) for x in (pictures, like))
    return float(np.abs(a - b).mean())


@torch.no_grad()
def gram_distance(pictures: np.ndarray, like: np.ndarray, judges: Judges) -> float:
    """Distance between the mean Gram matrices of two sets, of the judge's first two stages, relative to the second's."""
    a, b = (grams(x, judges) for x in (pictures, like))
    return float(np.mean([float((x - y).norm() / y.norm()) for x, y in zip(a, b, strict=True)]))


def grams(pictures: np.ndarray, judges: Judges) -> list[Tensor]:
    """n h w 3 uint8 -> for each stage, the mean over pictures of c c."""
    judges.frame.eval()
    fine = judges.frame.stem(to_input(pictures))
    stages = (fine, judges.frame.middle(fine))
    return [torch.einsum("nchw,ndhw->cd", h, h) / (len(h) * h.shape[2] * h.shape[3]) for h in stages]
