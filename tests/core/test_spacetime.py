"""The invariants of the space-time walk, on tiny seeded models."""

import pytest
import torch
from torch import Tensor, nn

from stunet_core.mini.config import MiniConfig
from stunet_core.mini.host import TorchHost, forward_clip
from stunet_core.mini.unet import UNet
from stunet_core.model.layout import read_layout
from stunet_core.model.skeleton import Skeleton, lumiere
from stunet_core.model.temporal_blocks import TimeConv, TimeDown, TimeUp
from stunet_core.model.walk import Clip, walk
from tests import tiny

TINY = MiniConfig(model_channels=32, channel_mult=(1, 2, 2), num_res_blocks=(1, 1, 1), attention=(False, True, True),
                  head_channels=16, context_dim=16, pooled_dim=8, text_heads=2)


def shaken(module: nn.Module, seed: int, amount: float = 0.05) -> nn.Module:
    """Every parameter away from zero: nothing is an identity by accident."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(torch.randn(p.shape, generator=g) * amount)
    return module.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def net() -> UNet:
    torch.manual_seed(0)
    return shaken(UNet(TINY), 1)  # type: ignore[return-value]


def fresh(net: UNet, ratios: tuple[int, ...] = (2, 2), joint: bool = True) -> Skeleton:
    torch.manual_seed(2)
    config = lumiere(read_layout(net), ratios, pooled_channels=TINY.y_channels, head_channels=16, joint=joint)
    return Skeleton(config).eval().requires_grad_(False)


def trained(net: UNet, **kw) -> Skeleton:
    return shaken(fresh(net, **kw), 3)  # type: ignore[return-value]


def inputs(rows: int, frames: int, seed: int = 5, h: int = 8, w: int = 8) -> tuple[Tensor, ...]:
    return tiny.inputs(rows, frames, seed, h, w, TINY)


def test_one_repeated_frame_through_a_fresh_net_is_the_image_model(net):
    for frames in (2, 7, 12):
        x, t, context, y = inputs(2, 1)
        clip = forward_clip(net, fresh(net), x.repeat_interleave(frames, 0), t, context, y.repeat_interleave(frames, 0),
                            Clip(2, frames))
        image = net(x, t, context, y).repeat_interleave(frames, 0)
        assert (clip - image).abs().max() < 1e-5


def test_one_frame_through_a_trained_net_is_the_image_model(net):
    x, t, context, y = inputs(2, 1)
    clip = forward_clip(net, trained(net), x, t, context, y, Clip(2, 1))
    assert (clip - net(x, t, context, y)).abs().max() < 1e-6


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("loop", [True, False])
@pytest.mark.parametrize("chunk", [1, 3, 5, 100])
def test_chunked_is_unchunked(net, joint, loop, chunk):
    skeleton = trained(net, joint=joint)
    x, t, context, y = inputs(2, 12)
    whole = forward_clip(net, skeleton, x, t, context, y, Clip(2, 12, loop=loop))
    parts = forward_clip(net, skeleton, x, t, context, y, Clip(2, 12, loop=loop, chunk=chunk))
    assert (whole - parts).abs().max() < 1e-5 < whole.std()


def test_padded_is_the_clip_with_its_last_frame_repeated(net):
    skeleton = trained(net)
    x, t, context, y = inputs(1, 7)
    longer, told = torch.cat([x, x[-1:]]), torch.cat([y, y[-1:]])
    short = forward_clip(net, skeleton, x, t, context, y, Clip(1, 7))
    assert torch.allclose(short, forward_clip(net, skeleton, longer, t, context, told, Clip(1, 8))[:7], atol=1e-5)


def test_conditionings_never_mix(net):
    skeleton = trained(net)
    x, t, context, y = inputs(2, 8)
    both = forward_clip(net, skeleton, x, t, context, y, Clip(2, 8))
    for row in range(2):
        part = slice(row * 8, row * 8 + 8)
        alone = forward_clip(net, skeleton, x[part], t[row:row + 1], context[row:row + 1], y[part], Clip(1, 8))
        assert (both[part] - alone).abs().max() < 1e-5


def test_frames_do_mix_and_their_order_matters(net):
    for joint in (True, False):
        skeleton = trained(net, ratios=(1, 1), joint=joint)
        x, t, context, y = inputs(1, 8)
        out = forward_clip(net, skeleton, x, t, context, y, Clip(1, 8))
        changed = x.clone()
        changed[7] += 1
        assert (forward_clip(net, skeleton, changed, t, context, y, Clip(1, 8))[0] - out[0]).abs().max() > 1e-4
        order = torch.tensor([4, 2, 7, 0, 6, 1, 3, 5])
        shuffled = forward_clip(net, skeleton, x[order], t, context, y, Clip(1, 8))
        assert (shuffled - out[order]).abs().max() > 1e-3


def test_loop_is_a_circle(net):
    """Turning a looped clip turns its output; without loop it does not."""
    skeleton = trained(net, ratios=(2, 2))
    x, t, context, y = inputs(1, 16)
    turned = x.roll(4, 0)
    for loop in (True, False):
        a = forward_clip(net, skeleton, x, t, context, y, Clip(1, 16, loop=loop)).roll(4, 0)
        b = forward_clip(net, skeleton, turned, t, context, y, Clip(1, 16, loop=loop))
        assert ((a - b).abs().max() < 1e-4) == loop


def test_frames_further_apart_are_told_apart_by_attention_alone(net):
    """Every fourth frame of a clip stands where it stands in the clip: rotary positions count in frames of the clip."""
    x, t, context, y = inputs(1, 6)
    conv, mixed = trained(net, ratios=(1, 1)), trained(net, ratios=(1, 1))
    for name, block in conv.blocks.items():
        if type(block).__name__ == "AttentionBlock":
            block.load_state_dict(fresh(net, ratios=(1, 1)).blocks[name].state_dict())  # type: ignore[union-attr]
    near, far = (forward_clip(net, mixed, x, t, context, y, Clip(1, 6, spacing=spacing)) for spacing in (1.0, 4.0))
    assert not torch.allclose(near, far, atol=1e-3)
    near, far = (forward_clip(net, conv, x, t, context, y, Clip(1, 6, spacing=spacing)) for spacing in (1.0, 4.0))
    assert torch.equal(near, far)
    with pytest.raises(ValueError, match="spacing"):
        Clip(1, 6, spacing=0)


def test_the_walk_hears_what_each_frame_is_told(net):
    x, t, context, y = inputs(1, 6)
    told = y.clone()
    told[5] += 1
    out, changed = (forward_clip(net, trained(net), x, t, context, each, Clip(1, 6)) for each in (y, told))
    assert (out - changed).abs().amax(dim=(1, 2, 3)).argmax() == 5


def test_time_down_then_up_duplicates_even_frames_at_start():
    x = torch.randn(2 * 6, 32, 3, 3)
    down, up = TimeDown(32, 2), TimeUp(32, 2)
    with torch.no_grad():
        out = up(down(x, 6), 3)
    even = x.unflatten(0, (2, 6))[:, ::2].repeat_interleave(2, 1).flatten(0, 1)
    assert (out - even).abs().max() < 1e-6


def test_constants_keep_gain_one_for_any_kernel_that_sums_to_one():
    conv = TimeConv(4).init_identity()
    with torch.no_grad():
        for k, share in enumerate((0.25, 0.5, 0.25)):
            conv.weight[:, :, k, 0] = torch.eye(4) * share
        for loop in (True, False):
            assert torch.allclose(conv.along(torch.ones(6, 4, 2, 2), 6, loop), torch.ones(6, 4, 2, 2))


def test_strength_zero_leaves_only_the_resampling_of_time(net):
    skeleton = trained(net)
    for name in ("down", "up"):
        getattr(skeleton, name).load_state_dict(getattr(fresh(net), name).state_dict())
    x, t, context, y = inputs(1, 1)
    still = forward_clip(net, skeleton, x.repeat(8, 1, 1, 1), t, context, y.repeat(8, 1), Clip(1, 8, strength=0.0))
    assert (still - net(x, t, context, y)).abs().max() < 1e-5


def test_odd_sizes_and_any_frame_count(net):
    x, t, context, y = inputs(1, 5, h=7, w=10)
    out = forward_clip(net, trained(net), x, t, context, y, Clip(1, 5))
    assert out.shape == (5, 8, 7, 10) and out.isfinite().all()


def test_the_skeleton_stands_where_lumiere_puts_it(net):
    config = fresh(net).config
    kinds = {b.position: b.kind for b in config.blocks}
    assert kinds == {"input_1": "conv", "input_3": "conv", "input_5": "attention", "middle": "attention",
                     "output_0": "attention", "output_1": "attention", "output_2": "conv", "output_3": "conv",
                     "output_4": "conv", "output_5": "conv"}
    assert config.total_stride == 4


def test_bad_input_is_named(net):
    x, t, context, y = inputs(1, 6)
    with pytest.raises(ValueError, match="loop: the clip has 6 frames; a loop needs a multiple of 4"):
        forward_clip(net, fresh(net), x, t, context, y, Clip(1, 6, loop=True))
    with pytest.raises(ValueError, match="x has 6 rows; 2 conditionings of 6 frames need 12"):
        walk(net, x, torch.zeros(6, 128), None, fresh(net), Clip(2, 6), TorchHost(torch.zeros(6, 128), context))
    with pytest.raises(ValueError, match="at least 1"):
        Clip(1, 0)
    with pytest.raises(ValueError, match="not a U-Net in the LDM layout"):
        read_layout(nn.Linear(2, 2))
