"""Denoising in windows: a frame-wise denoiser does not notice them; one that mixes frames does. The weights themselves are
tested where motion modules use them.
"""

import pytest
import torch

from stunet_core.model.windows import windowed

CASES = [(80, 16, 4), (81, 16, 4), (16, 16, 4), (5, 16, 4), (40, 8, 0), (33, 10, 9), (1, 16, 4)]


@pytest.mark.parametrize(("frames", "length", "overlap"), CASES)
def test_a_framewise_denoiser_does_not_notice_windows(frames, length, overlap):
    x = torch.randn(frames, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(windowed(lambda part: part.tanh() * 3, x, length, overlap), x.tanh() * 3, atol=1e-5)


def test_no_window_sees_beyond_itself():
    x = torch.arange(80.0)[:, None]
    means = windowed(lambda part: part.mean(0).expand_as(part), x, 16, 4)
    assert (means - x).abs().max() < 16 and (means[1:] >= means[:-1]).all()
