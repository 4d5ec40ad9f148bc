"""What is given is held over time: for the model's spatial layers, a first frame stands behind every frame."""

import dataclasses

import torch
from torch import Tensor

from stunet_core.mini.host import forward_clip
from stunet_core.mini.nearest_given import GIVEN, MASK, held, hold_input
from stunet_core.model.skeleton import Skeleton
from stunet_core.model.walk import Clip
from tests import tiny


def nearest(given: Tensor, keep: Tensor) -> Tensor:
    """The same cell by cell: f c h w, f 1 h w"""
    out = torch.zeros_like(given)
    for y in range(given.shape[2]):
        for x in range(given.shape[3]):
            times = [f for f in range(len(given)) if keep[f, 0, y, x]]
            for f in range(len(given)):
                if times:
                    out[f, :, y, x] = given[min(times, key=lambda time: (abs(time - f), time)), :, y, x]
    return out


def test_a_cell_shows_what_it_was_at_the_nearest_time_and_rows_do_not_mix() -> None:
    g = torch.Generator().manual_seed(0)
    given, keep = torch.randn(3 * 9, 4, 5, 6, generator=g), torch.rand(3 * 9, 1, 5, 6, generator=g) < 0.15
    expected = torch.cat([nearest(z, k) for z, k in zip(given.split(9), keep.split(9), strict=True)])
    assert (expected == 0).any(), "some cells are never given"
    assert torch.equal(held(given, keep, 9), expected)


def test_what_is_given_stays_and_the_mask_still_tells_it_from_memory() -> None:
    x = torch.randn(8, 9, 4, 4, generator=torch.Generator().manual_seed(1))
    x[:, MASK] = 1
    x[0, MASK] = 0
    out = hold_input(x, 8)
    assert torch.equal(out[:, :GIVEN.start], x[:, :GIVEN.start])
    assert torch.equal(out[:, GIVEN], x[:1, GIVEN].expand(8, -1, -1, -1))
    assert not hold_input(torch.ones(4, 9, 2, 2), 4)[:, GIVEN].any(), "nothing given, nothing remembered"


def test_only_weights_trained_with_it_hold() -> None:
    net, plain = tiny.unet(), tiny.skeleton()
    holding = Skeleton(dataclasses.replace(plain.config, hold=True)).eval().requires_grad_(False)
    holding.load_state_dict(plain.state_dict())
    g = torch.Generator().manual_seed(2)
    x = torch.randn(6, 9, 8, 8, generator=g)
    x[:, MASK] = 1
    x[2, MASK] = 0
    rest = torch.tensor([500]), torch.randn(1, 5, 32, generator=g), torch.randn(1, 32, generator=g), Clip(1, 6)
    out = forward_clip(net, holding, x, *rest)
    assert torch.equal(out, forward_clip(net, plain, hold_input(x, 6), *rest))
    assert not torch.allclose(out, forward_clip(net, plain, x, *rest), atol=1e-3)
