"""Frames that are told when they are: from the clip's middle, never in a loop, and only with weights that know."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from stunet_core.mini.clock import CHANNELS, PLACES, clock, evenly
from stunet_core.mini.host import forward_clip
from stunet_core.mini.nearest_given import GIVEN, MASK
from stunet_core.model.skeleton import Skeleton
from stunet_core.model.walk import Clip, show_places
from tests import tiny
from training.stages.image import Timed, named_timed, untimed


def ticking(loud: float = 1.0) -> Skeleton:
    """The tiny skeleton with a clock of random weights; 0: an untrained one."""
    plain = tiny.skeleton()
    torch.manual_seed(5)
    skeleton = Skeleton(dataclasses.replace(plain.config, clock=True)).eval().requires_grad_(False)
    skeleton.load_state_dict(plain.state_dict(), strict=False)
    assert skeleton.clock is not None
    if loud:
        for weight in (skeleton.clock.out.weight, skeleton.clock.show.weight):
            weight.normal_(0, loud, generator=torch.Generator().manual_seed(4))
    return skeleton


def inputs(frames: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(3)
    x = torch.randn(1, 9, 8, 8, generator=g).repeat(frames, 1, 1, 1)
    x[:, MASK] = 1
    return x, torch.tensor([400]), torch.randn(1, 5, 32, generator=g), torch.randn(1, 32, generator=g)


def test_time_is_told_from_the_middle_in_frames_whatever_the_length() -> None:
    (short,), (long,) = clock(evenly(1, 40)), clock(evenly(1, 80))
    assert short.shape == (40, CHANNELS)
    assert torch.allclose(short, long[20:60], atol=1e-5)
    assert torch.allclose(short[:, 0], -short.flip(0)[:, 0])
    assert len(long.round(decimals=3).unique(dim=0)) == 80
    assert torch.equal(evenly(2, 160)[1, [0, -1]], evenly(2, 80)[1, [0, -1]]), "no later than it was trained"


def test_untrained_it_says_nothing_and_trained_it_tells_frames_apart() -> None:
    net, x = tiny.unet(), inputs(8)
    plain = forward_clip(net, tiny.skeleton(), *x, Clip(1, 8))
    assert torch.equal(forward_clip(net, ticking(0), *x, Clip(1, 8)), plain)
    told, untold = (forward_clip(net, ticking(), *x, Clip(1, 8, clock=on)) for on in (True, False))
    assert not torch.allclose(told[2], told[5], atol=1e-3)
    assert torch.equal(untold, plain)


def test_the_places_are_shown_at_any_size_and_only_where_nothing_is_given() -> None:
    skeleton = ticking()
    assert skeleton.clock is not None
    x, _, _, y = inputs(4)
    y = y.expand(4, -1)
    shown = show_places(x, y, skeleton, Clip(1, 4))
    assert torch.equal(shown[:, :GIVEN.start], x[:, :GIVEN.start]) and not torch.allclose(shown[0, GIVEN], shown[3, GIVEN], atol=1e-3)
    fine = skeleton.clock.shown(clock(evenly(1, 4))[0], y, (PLACES, PLACES))
    assert torch.allclose((shown - x)[:, GIVEN], F.avg_pool2d(fine, 2), atol=0.2 * float(fine.std()))
    half = skeleton.clock.bfloat16().shown(clock(evenly(1, 4))[0], y, (8, 10))
    assert half.shape == (4, GIVEN.stop - GIVEN.start, 8, 10) and half.dtype == torch.bfloat16
    x[1, MASK] = 0
    assert torch.equal(show_places(x, y, skeleton, Clip(1, 4)), x)


def test_places_that_are_told_are_shown_instead_of_the_guess() -> None:
    skeleton = ticking()
    assert skeleton.clock is not None
    x, _, _, y = inputs(4)
    x, y = x.repeat(2, 1, 1, 1), y.expand(8, -1)
    left, right = torch.zeros(2, 4, 1, 8, 8)
    left[..., :4], right[..., 4:] = 1, 1
    shown = [show_places(x, y, skeleton, Clip(2, 4, places=places)) for places in (left, right)]
    assert torch.allclose(shown[0][:, GIVEN, :, :4], shown[1][:, GIVEN, :, 4:] - x[:, GIVEN, :, 4:] + x[:, GIVEN, :, :4], atol=1e-5)
    assert torch.equal(shown[0][:, GIVEN, :, 4:], x[:, GIVEN, :, 4:]), "nothing is shown where no thing is"
    assert (shown[0][:, GIVEN, :, :4] - x[:, GIVEN, :, :4]).abs().min() > 0, "in both rows and every frame"
    for clip in (Clip(2, 4, places=left[:1], loop=True), Clip(2, 4, places=left[:1], clock=False)):  # which the clock says nothing of
        assert torch.equal(show_places(x, y, skeleton, clip), shown[0])
    x[1, MASK] = 0  # something is given of the first row
    mixed = show_places(x, y, skeleton, Clip(2, 4, places=left))
    assert torch.equal(mixed[:4], x[:4]) and torch.equal(mixed[4:], shown[0][4:])
    assert torch.equal(show_places(x, y, tiny.skeleton(), Clip(2, 4, places=left)), x), "weights without a clock cannot see it"
    with pytest.raises(ValueError, match="places"):
        Clip(2, 4, places=torch.zeros(3, 1, 8, 8))


def test_a_loop_has_no_middle_and_a_single_frame_no_time() -> None:
    net, x = tiny.unet(), inputs(8)
    around = Clip(1, 8, loop=True)
    assert torch.equal(forward_clip(net, ticking(), *x, around), forward_clip(net, tiny.skeleton(), *x, around))
    image = inputs(1)
    assert torch.equal(forward_clip(net, ticking(), *image, Clip(1, 1)), net(*image))


def test_a_row_with_something_given_hears_nothing_and_its_neighbour_does() -> None:
    net, skeleton = tiny.unet(), ticking()
    x, t, context, y = inputs(6)
    given = x.clone()
    given[0, MASK] = 0
    rest = t.repeat(2), context.repeat(2, 1, 1), y.repeat(2, 1)
    out = forward_clip(net, skeleton, torch.cat([given, x]), *rest, Clip(2, 6))
    silent = forward_clip(net, skeleton, given, t, context, y, Clip(1, 6, clock=False))
    told = forward_clip(net, skeleton, x, t, context, y, Clip(1, 6))
    assert torch.allclose(out, torch.cat([silent, told]), atol=1e-5)


def test_the_image_stage_tells_a_frame_what_the_walk_tells_it() -> None:
    """Through layers of time as they begin, a clip's first frame is the image stage's frame of that time."""
    net, known = tiny.unet(), ticking()
    fresh = Skeleton(known.config).eval().requires_grad_(False)
    timed = Timed(net)
    for module in (fresh, timed):
        module.clock.load_state_dict(known.clock.state_dict())  # type: ignore[union-attr]
    x, t, context, y = inputs(4)
    clip = forward_clip(net, fresh, x, t, context, y, Clip(1, 4, times=evenly(1, 4) + 20))
    one = x[:1], t, context, y
    assert torch.allclose(clip[:1], timed(*one, torch.tensor([20.0 - 1.5])), atol=1e-5)
    assert not torch.allclose(clip[0], clip[1], atol=1e-3)
    with torch.no_grad():  # or what learns and what does not take different kernels of attention
        assert torch.equal(timed(*one, torch.tensor([torch.nan])), net(*one))
    assert untimed(timed.state_dict()).keys() == net.state_dict().keys()
    assert named_timed(timed.state_dict()).keys() == timed.state_dict().keys() > named_timed(net.state_dict()).keys()
