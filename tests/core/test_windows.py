"""Windows: weights that sum to one, and a frame-wise denoiser for which windowed is the same as full."""

import pytest
import torch

from stunet_core.windows import Windows, windowed

CASES = [(80, 16, 4), (81, 16, 4), (16, 16, 4), (5, 16, 4), (40, 8, 0), (33, 10, 9), (1, 16, 4)]


@pytest.mark.parametrize(("total", "frames", "overlap"), CASES)
def test_every_frame_is_counted_once_in_all(total, frames, overlap):
    windows = Windows(frames, overlap)
    weights = windows.weights(total)
    assert torch.allclose(weights.sum(0), torch.ones(total)) and (weights >= 0).all()
    assert (weights > 0).sum(1).max() <= frames
    starts = windows.starts(total)
    assert starts[0] == 0 and starts[-1] == max(0, total - frames) and sorted(set(starts)) == starts


@pytest.mark.parametrize(("total", "frames", "overlap"), CASES)
def test_a_framewise_denoiser_does_not_notice_windows(total, frames, overlap):
    x = torch.randn(total, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(windowed(lambda part, start: part.tanh() * 3, x, Windows(frames, overlap)), x.tanh() * 3, atol=1e-5)


def test_what_cannot_be_a_window_is_said():
    with pytest.raises(ValueError, match="overlap=16: give 0 to 15"):
        Windows(16, 16)
    with pytest.raises(ValueError, match="frames=0"):
        Windows(0, 0)
