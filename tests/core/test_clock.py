"""Blocks that hear when they are: from the clip's middle, never in a loop, and only if they were trained to."""

import dataclasses

import torch

from stunet_core.clock import CHANNELS, clock
from stunet_core.hold import MASK
from stunet_core.mini.host import forward_clip
from stunet_core.skeleton import Skeleton
from stunet_core.spacetime import Clip
from tests import tiny


def ticking() -> Skeleton:
    plain = tiny.skeleton()
    skeleton = Skeleton(dataclasses.replace(plain.config, clock=True)).eval().requires_grad_(False)
    skeleton.load_state_dict(plain.state_dict(), strict=False)
    return skeleton


def inputs(frames: int) -> tuple[torch.Tensor, ...]:
    g = torch.Generator().manual_seed(3)
    x = torch.randn(1, 9, 8, 8, generator=g).repeat(frames, 1, 1, 1)
    x[:, MASK] = 1
    return (x, torch.tensor([400]), torch.randn(1, 5, 32, generator=g),
            torch.randn(1, 32, generator=g))


def test_time_is_told_from_the_middle_in_frames_whatever_the_length() -> None:
    (short,), (long,) = clock(40, torch.zeros(1)), clock(80, torch.zeros(1))
    assert short.shape == (40, CHANNELS)
    assert torch.allclose(short, long[20:60], atol=1e-5)
    assert torch.allclose(short[:, 0], -short.flip(0)[:, 0])
    assert torch.allclose(clock(4, torch.tensor([-38.0, 0.0, 38.0])), torch.stack([long[:4], long[38:42], long[76:]]), atol=1e-5)
    assert len(long.round(decimals=3).unique(dim=0)) == 80


def test_untrained_it_says_nothing_and_trained_it_tells_frames_apart() -> None:
    net, skeleton = tiny.unet(), ticking()
    x = inputs(8)
    skeleton.clock.weight.zero_()
    assert torch.equal(forward_clip(net, skeleton, *x, Clip(1, 8)), forward_clip(net, tiny.skeleton(), *x, Clip(1, 8)))
    skeleton.clock.weight.normal_(0, 1, generator=torch.Generator().manual_seed(4))
    told, untold = (forward_clip(net, skeleton, *x, Clip(1, 8, clock=on)) for on in (True, False))
    assert not torch.allclose(told[2], told[5], atol=1e-3)
    assert torch.equal(untold, forward_clip(net, tiny.skeleton(), *x, Clip(1, 8)))


def test_a_loop_has_no_middle() -> None:
    net, skeleton = tiny.unet(), ticking()
    skeleton.clock.weight.normal_(0, 1, generator=torch.Generator().manual_seed(4))
    x = inputs(8)
    around = Clip(1, 8, loop=True)
    assert torch.equal(forward_clip(net, skeleton, *x, around), forward_clip(net, tiny.skeleton(), *x, around))


def test_a_row_with_something_given_hears_nothing_and_its_neighbour_does() -> None:
    net, skeleton = tiny.unet(), ticking()
    skeleton.clock.weight.normal_(0, 1, generator=torch.Generator().manual_seed(4))
    x, t, context, y = inputs(6)
    given = x.clone()
    given[0, MASK] = 0
    rest = t.repeat(2), context.repeat(2, 1, 1), y.repeat(2, 1)
    out = forward_clip(net, skeleton, torch.cat([given, x]), *rest, Clip(2, 6))
    silent = forward_clip(net, skeleton, given, t, context, y, Clip(1, 6, clock=False))
    told = forward_clip(net, skeleton, x, t, context, y, Clip(1, 6))
    assert torch.allclose(out, torch.cat([silent, told]), atol=1e-5)


def test_rows_hear_the_same_clock() -> None:
    net, skeleton = tiny.unet(), ticking()
    skeleton.clock.weight.normal_(0, 1, generator=torch.Generator().manual_seed(4))
    x, t, context, y = inputs(6)
    one = forward_clip(net, skeleton, x, t, context, y, Clip(1, 6))
    two = forward_clip(net, skeleton, x.repeat(2, 1, 1, 1), t.repeat(2), context.repeat(2, 1, 1), y.repeat(2, 1), Clip(2, 6))
    assert torch.allclose(two, one.repeat(2, 1, 1, 1), atol=1e-5)
