"""Frames are told when they are: from the clip's middle, in frames, and nothing at all where no time is known."""

import torch

from stunet_core.mini.frame_time import FAR, FEATURES, HASTE, SPREAD, TIME_CHANNELS, drawn, evenly, features, there_and_back, with_time


def test_times_are_told_from_the_middle_whatever_the_length() -> None:
    (short,), (long,) = features(evenly(1, 40)), features(evenly(1, 80))
    assert short.shape == (40, FEATURES)
    assert torch.allclose(short, long[20:60], atol=1e-5)
    assert torch.allclose(short[:, 0], -short.flip(0)[:, 0])
    assert len(long.round(decimals=3).unique(dim=0)) == 80


def test_frames_further_apart_span_as_long_a_clip_and_no_longer_than_was_trained() -> None:
    assert evenly(1, 20, 4)[0].tolist() == [4 * (i - 9.5) for i in range(20)]
    assert torch.equal(evenly(2, 160)[1, [0, -1]], evenly(2, 80)[1, [0, -1]])
    assert evenly(1, 160, 4).max() == 39.5


def test_the_features_are_the_time_then_sines_then_cosines() -> None:
    told = features(torch.tensor([10.0]))[0]
    assert torch.allclose(told[0], torch.tensor(0.25))
    assert torch.allclose(told[[4, 5]], torch.tensor([1.0, 0.0]), atol=1e-5)  # a quarter of 40 frames, a half of 20
    assert torch.allclose(told[[10, 11]], torch.tensor([0.0, -1.0]), atol=1e-5)


def test_a_time_that_is_not_told_is_all_zeros_and_the_middle_is_not() -> None:
    pooled = torch.randn(2, 5)
    y = with_time(pooled, torch.tensor([torch.nan, 0.0]))
    assert y.shape == (2, 5 + TIME_CHANNELS) and torch.equal(y[:, :5], pooled)
    assert not y[0, 5:].any() and y[1, -1] == 1 and y[1, 5:].sum() == 7  # six cosines and the flag


def test_each_noise_draws_its_own_time() -> None:
    late = drawn(torch.randn(200, 4, 8, 6, 5, generator=torch.Generator().manual_seed(0)))
    assert late.abs().max() < SPREAD and late.abs().mean().sub(SPREAD / 2).abs() < 0.5


def test_a_loop_goes_forth_and_back_without_haste() -> None:
    for frames in (8, 80, 400):
        times = there_and_back(frames)
        steps = torch.cat([times, times[:1]]).diff()
        assert times.shape == (frames,) and times[0] == 0 and times.abs().max() <= FAR / 2
        assert steps.abs().max() <= HASTE and abs(float(steps[-1]) - float(steps[0])) < 0.2, "the step to the first frame is as the others"
