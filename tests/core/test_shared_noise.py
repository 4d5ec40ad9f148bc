"""Noise of a clip: part of it is the same in all frames, all of it is of unit variance, and the seed decides it."""

import pytest
import torch

from stunet_core.mini.noise import ALONE, TRAINED, clip_noise, share

FRAMES = 8


def correlation(noise: torch.Tensor) -> tuple[float, float]:
    """The frames' variance, and what two of them have in common."""
    flat = noise.flatten(1)
    products = flat @ flat.T / flat.shape[1]
    return float(products.diagonal().mean()), float((products.sum() - products.trace()) / (FRAMES * (FRAMES - 1)))


@pytest.mark.parametrize("shared", [ALONE, TRAINED])
def test_drawn_anew_or_made_of_independent_noise_it_is_the_same_kind(shared: float) -> None:
    g = torch.Generator().manual_seed(0)
    made, new = share(torch.randn(FRAMES, 8, 40, 40, generator=g), shared), clip_noise(1, FRAMES, (8, 40, 40), g, shared=shared)[0]
    for noise in (made, new):
        variance, common = correlation(noise)
        assert abs(variance - 1) < 0.02 and abs(common - shared) < 0.02


def test_a_single_frame_and_no_noise_stay_as_they_are() -> None:
    one = torch.randn(1, 8, 4, 4)
    assert torch.equal(share(one, ALONE), one)
    assert not share(torch.zeros(4, 8, 4, 4), ALONE).any()
