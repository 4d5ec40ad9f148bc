"""Strides between levels: their presets, and those that the weights were not trained with."""

from __future__ import annotations

import pytest
import torch

from stunet_core.mini.host import TorchHost, forward_clip
from stunet_core.mini.unet import UNet
from stunet_core.model import strides
from stunet_core.model.layout import find
from stunet_core.model.walk import Clip, Walk
from tests import tiny
from tests.core.motion_files import skeleton
from tests.core.test_motion_module import CHANNELS


@pytest.fixture(scope="module")
def net() -> UNet:
    return tiny.unet()


def test_presets():
    assert strides.ratios("lumiere", 3) == (2, 2, 2)
    assert strides.ratios("gentle", 3) == (2, 1, 1)
    assert strides.ratios("lumiere", 2) == (2, 2)
    assert strides.ratios("none", 5) == (1,) * 5
    with pytest.raises(ValueError, match="time_strides: 'fast' is none of lumiere, gentle, none"):
        strides.ratios("fast", 3)


def test_strides_that_were_not_trained_keep_a_still_clip_still(net):
    """On a skeleton of ours they replace its trained resampling, on motion modules there is none."""
    trained = tiny.skeleton()
    x, t, context, y = tiny.inputs(1, 1)
    still, image = x.repeat(8, 1, 1, 1), net(x, t, context, y)
    for made in (trained, skeleton(CHANNELS, per_block=1)):
        for ratios in ((4, 1), (1, 1)):
            out = forward_clip(net, made, still, t, context, y.repeat(8, 1), Clip(1, 8, ratios=ratios, strength=0.0))
            assert (out - image).abs().max() < 1e-5
    same, default = (forward_clip(net, trained, still, t, context, y.repeat(8, 1), Clip(1, 8, ratios=r)) for r in ((2, 2), None))
    assert torch.equal(same, default)


def test_frames_that_a_stride_leaves_out_are_not_computed(net):
    """Entering a coarser level, its block sees only the frames that go on; they come out as if all had been seen."""
    seen = []

    class Watched(TorchHost):
        def spatial(self, layers, h, rows, block, size):
            seen.append((block, len(h)))
            return super().spatial(layers, h, rows, block, size)

    x, t, context, y = tiny.inputs(1, 8)
    emb = net.embed(t.expand(8), y)
    walk = Walk(skeleton(CHANNELS, per_block=1), Clip(1, 8, ratios=(4, 1)), Watched(emb, context), torch.zeros(8, 0))
    i, layers = next((i, layers) for i, layers in enumerate(net.input_blocks) if find(layers, "Downsample") is not None)
    block = ("input", i)
    h = net.input_blocks[0][0](x)
    out = walk.down(layers, block, h)
    assert seen == [(block, 2)]
    assert torch.allclose(out, layers[0](h)[::4], atol=1e-6)
