"""Holes filled without what is in them."""

from __future__ import annotations

import torch

from stunet_core.editing.surroundings import nearest_seen, surroundings


def test_the_nearest_time_at_which_a_place_is_seen() -> None:
    keep = torch.tensor([[1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]], dtype=torch.bool)[:, None]  # f 1 w
    assert nearest_seen(keep)[:, 0].tolist() == [[0, 2, -1], [0, 2, -1], [0, 2, -1], [4, 3, -1], [4, 3, -1]]


def test_what_is_given_stays_bit_for_bit() -> None:
    clip, keep = torch.rand(5, 16, 16, 3), torch.rand(5, 16, 16) > 0.4
    keep[:, 3:6, 3:6] = False
    assert torch.equal(surroundings(clip, keep)[keep], clip[keep])


def moving(step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A white square that moves over soft colours, what of the clip is outside a hole around it, and the same without it."""
    y, x = torch.meshgrid(torch.linspace(0, 0.6, 40), torch.linspace(0, 0.6, 40), indexing="ij")
    bare = torch.stack([x, y, 0.6 - x], -1).expand(12, -1, -1, -1)
    clip, keep = bare.clone(), torch.ones(12, 40, 40, dtype=torch.bool)
    for f in range(12):
        clip[f, 14:24, 4 + step * f:14 + step * f] = 1.0
        keep[f, 12:26, 2 + step * f:16 + step * f] = False
    return clip, keep, bare


def test_behind_what_moves_away_stands_what_was_there() -> None:
    clip, keep, bare = moving(2)
    seen = nearest_seen(keep) >= 0
    filled = surroundings(clip, keep)
    assert torch.equal(filled[seen], bare[seen])
    assert (clip - bare)[seen & ~keep].abs().mean() > 0.2


def test_what_never_moves_is_grown_over() -> None:
    clip, keep, bare = moving(0)
    filled = surroundings(clip, keep)
    assert (filled - bare)[~keep].abs().mean() < 0.3 * (clip - bare)[~keep].abs().mean()


def test_a_hole_over_everything_is_grey() -> None:
    filled = surroundings(torch.rand(3, 8, 8, 3), torch.zeros(3, 8, 8, dtype=torch.bool))
    assert torch.equal(filled, torch.full_like(filled, 0.5))
