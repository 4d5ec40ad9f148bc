"""What stood still goes on standing still, and nothing else does."""

import numpy as np
import pytest
import torch

from stunet_core.editing.composite import composite
from stunet_core.editing.static_background import LEAST, Plate, stand_still, stood_still

FRAMES, GIVEN, SIDE = 16, 8, 32


def background(pan: int = 0) -> np.ndarray:
    """F h w 3: stripes, that move by `pan` pixels a frame."""
    row = np.where(np.arange(SIDE + abs(pan) * FRAMES) // 4 % 2, 0.7, 0.3)
    frames = [np.broadcast_to(row[i * pan : i * pan + SIDE, None], (SIDE, SIDE, 3)) for i in range(FRAMES)]
    return np.stack(frames).astype(np.float32)


def thing(frames: np.ndarray) -> np.ndarray:
    """A red square that goes right, 1 pixel a frame."""
    out = frames.copy()
    for i, frame in enumerate(out):
        frame[12:20, i : i + 8] = (1, 0, 0)
    return out


def first(frames: int = GIVEN) -> np.ndarray:
    keep = np.zeros((FRAMES, SIDE, SIDE), bool)
    keep[:frames] = True
    return keep


def redrawn(frames: np.ndarray) -> np.ndarray:
    """As a model and its VAE draw it again: darker, and noisy."""
    noise = np.random.default_rng(0).normal(0, 0.02, frames.shape)
    return (frames - 0.01 + noise).clip(0, 1).astype(np.float32)


def test_a_background_comes_back_behind_a_thing_that_moves():
    truth = thing(background())
    made = redrawn(truth)
    out = Plate(truth, first()).behind(made)
    away = np.ones((SIDE, SIDE), bool)
    away[6:26] = False
    assert np.abs(out - truth)[:, away].max() < 0.01 < np.abs(made - truth)[:, away].max()
    shows = (truth == (1, 0, 0)).all(-1)[GIVEN:]
    assert np.allclose(out[GIVEN:][shows], made[GIVEN:][shows], atol=1e-3)
    assert out.dtype == made.dtype


@pytest.mark.parametrize("pan", [1, 3])
def test_what_moves_with_the_camera_is_left_alone(pan):
    frames = background(pan)
    made = redrawn(frames)
    assert np.abs(Plate(frames, first()).behind(made) - made).max() < 4e-3  # a fifth of the noise


@pytest.mark.parametrize("frames", [0, 1, LEAST - 1])
def test_few_frames_prove_nothing(frames):
    made = redrawn(background())
    assert Plate(background(), first(frames)).behind(made) is made
    keep = torch.arange(8).reshape(-1, 1, 1, 1).expand(-1, 1, 5, 6) < frames
    assert not stood_still(torch.randn(1, 4, 5, 6).expand(8, -1, -1, -1), keep)[1].any()


def test_a_hole_that_moves_is_filled_with_what_stands_behind_it():
    truth = background()
    keep = np.ones((FRAMES, SIDE, SIDE), bool)
    for i in range(FRAMES):
        keep[i, 12:20, i : i + 8] = False
    smudged = truth + np.where(keep, 0.0, 0.03)[..., None].astype(np.float32)
    assert np.abs(Plate(thing(truth), keep).behind(smudged) - truth).max() < 0.012 < np.abs(smudged - truth).max()


def test_composite_draws_it_in_only_when_asked():
    truth = thing(background())
    made, given, keep = (torch.from_numpy(x) for x in (redrawn(truth), truth, first()))
    plain, still = (composite(made, given, keep, still=on) for on in (False, True))
    assert torch.equal(plain[GIVEN:], made[GIVEN:]) and torch.equal(still[:GIVEN], given[:GIVEN])
    assert (still - given)[:, :4].abs().max() < 0.01 < (plain - given)[GIVEN:, :4].abs().max()


def test_predictions_are_drawn_to_what_stood_still():
    picture = torch.randn(1, 4, 6, 6)
    given = picture.repeat(8, 1, 1, 1)
    given[:, :, :, 0] += torch.arange(8.0)[:, None, None]  # this column moves
    keep = torch.arange(8).reshape(-1, 1, 1, 1).expand(-1, 1, 6, 6) < 5
    shown, sure = stood_still(given, keep)
    assert torch.allclose(shown[:, :, 1:], picture[0, :, :, 1:]) and sure[:, :, 2:].min() == 1 and sure[:, :, :2].max() < 0.01
    clean = picture.repeat(8, 1, 1, 1) + 0.1
    clean[:, :, 3:, 4:] += 5  # something in front
    out = stand_still(clean, shown, sure, 0.7)
    assert torch.allclose(out[:, :, :2, 2:3], picture[:, :, :2, 2:3] + 0.1 * (1 - torch.exp(torch.tensor(-0.01 / 0.49))), atol=1e-5)
    assert torch.allclose(out[:, :, 4:, 5:], clean[:, :, 4:, 5:]) and torch.allclose(out[..., :1], clean[..., :1], atol=0.01)
    with pytest.raises(ValueError, match="difference: 0"):
        stand_still(clean, shown, sure, 0)
