"""AnimateDiff's motion modules: files in every layout, tables of positions, time strides and masks."""

from __future__ import annotations

import pickle
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stunet_core.checkpoints.weights import load_skeleton, save_skeleton
from stunet_core.mini.host import forward_clip
from stunet_core.mini.unet import UNet
from stunet_core.model.chunks import OUT_OF_MEMORY
from stunet_core.model.layout import Layout, read_layout
from stunet_core.model.motion_module import MotionBlock, MotionConfig, sinusoids, spans
from stunet_core.model.skeleton import Skeleton
from stunet_core.model.temporal_blocks import Time
from stunet_core.model.walk import Clip, Walk
from stunet_core.model.windows import windows
from tests import tiny
from tests.core.motion_files import published, skeleton
from tests.tiny import seeded

CHANNELS = (32, 64, 64)  # of tiny.CONFIG, which has one ResBlock per level on the way down
SD15, SDXL = (32, 64, 128, 128), (32, 64, 128)


@pytest.fixture(scope="module")
def net() -> UNet:
    return tiny.unet()


@pytest.fixture(scope="module")
def motion() -> Skeleton:
    return skeleton(CHANNELS, per_block=1, middle=True, positions=8)


# --- files ---


@pytest.mark.parametrize(("layout", "channels", "middle", "positions", "name"), [
    ("AnimateDiff", SD15, False, 24, "SD1.5 (AnimateDiff v1)"),
    ("AnimateDiff", SD15, True, 32, "SD1.5 (AnimateDiff v2)"),
    ("AnimateDiff", SD15, False, 32, "SD1.5 (AnimateDiff v3)"),
    ("AnimateDiff", SDXL, False, 32, "SDXL (AnimateDiff-SDXL)"),
    ("HotshotXL", SDXL, False, 24, "SDXL (HotshotXL)"),
    ("AnimateLCM", SD15, True, 64, "SD1.5 (AnimateLCM)"),
    ("diffusers", SD15, True, 32, "SD1.5 (a diffusers motion adapter)"),
])
def test_every_layout_is_recognised_and_nothing_is_left_over(tmp_path, layout, channels, middle, positions, name):
    made = skeleton(channels, middle=middle, positions=positions)
    save_file(published(made, layout=layout), tmp_path / "module.safetensors")
    read = load_skeleton(tmp_path / "module.safetensors")
    assert read.config.model == name
    assert read.config.motion is not None
    assert read.config.motion.positions == positions
    assert read.config.motion.betas == (("linear", 0.00085, 0.012) if channels == SD15 else
                                        ("scaled_linear", 0.00085, 0.020) if layout == "AnimateDiff" else None)
    assert (read.config.motion.norm == "clip") == (layout == "diffusers")
    assert read.config.total_stride == 1
    assert {b.position for b in read.config.blocks} == {b.position for b in made.config.blocks}
    expected = made.state_dict()
    assert read.state_dict().keys() == expected.keys()
    tables = layout not in ("AnimateLCM", "diffusers")
    for key, tensor in read.state_dict().items():
        exact = tables or not key.endswith(".pe")
        assert torch.equal(tensor, expected[key]) if exact else torch.allclose(tensor, sinusoids(*tensor.shape[1:])), key


def test_half_precision_prefixes_and_a_whole_u_net_around_it(tmp_path):
    made = skeleton(SD15)
    tensors = {key: t.half() for key, t in published(made, prefix="module.").items()}
    tensors |= {"module.conv_in.weight": torch.zeros(1), "module.conv_out.weight": torch.zeros(1)}
    save_file(tensors, tmp_path / "trained.safetensors")
    read = load_skeleton(tmp_path / "trained.safetensors")
    assert {t.dtype for t in read.state_dict().values()} == {torch.float16}
    assert read.state_dict().keys() == made.state_dict().keys()


def test_a_module_is_saved_as_our_own_file_and_read_again(tmp_path, motion):
    save_skeleton(tmp_path / "own.safetensors", motion, {})
    read = load_skeleton(tmp_path / "own.safetensors")
    assert read.config == motion.config
    key = "blocks.input_1.proj_in.weight"
    assert torch.equal(read.state_dict()[key], motion.state_dict()[key].bfloat16().float())


def test_pickles_are_read_when_they_hold_tensors_and_refused_when_they_would_run(tmp_path):
    made = published(skeleton(SD15))
    torch.save({"epoch": 3, "state_dict": made}, tmp_path / "module.ckpt")
    assert load_skeleton(tmp_path / "module.ckpt").config.model == "SD1.5 (AnimateDiff v3)"
    ran = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return (Path.touch, (ran,))

    torch.save({"state_dict": made, "extra": Trap()}, tmp_path / "trap.ckpt")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Trap()))
    for name in ("trap.ckpt", "bare.pth"):
        with pytest.raises(ValueError, match=rf"{name}: .*\.safetensors"):
            load_skeleton(tmp_path / name)
    assert not ran.exists()
    (tmp_path / "cut.ckpt").write_bytes((tmp_path / "module.ckpt").read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"cut\.ckpt: "):
        load_skeleton(tmp_path / "cut.ckpt")


def test_what_is_no_motion_module_alone_is_named(tmp_path):
    made = published(skeleton(SDXL))
    first = next(iter(made))

    def refused(tensors: dict[str, Tensor], why: str) -> None:
        save_file(tensors, tmp_path / "wrong.safetensors")
        with pytest.raises(ValueError, match=rf"wrong\.safetensors: .*{why}"):
            load_skeleton(tmp_path / "wrong.safetensors")

    refused(made | {"conv_in.weight": torch.zeros(1)}, "PIA")
    refused(made | {"img_encoder.a": torch.zeros(1)}, "AnimateLCM-I2V")
    refused({first.replace("norm.", "attention_blocks.0.processor.to_q_lora.down."): torch.zeros(1)}, "motion LoRA")
    refused({key: t for key, t in made.items() if "up_blocks.2" not in key}, "in reverse")
    refused({key: t for key, t in made.items() if "ff.net.2" not in key}, "are missing")
    refused({"unet.weight": torch.zeros(1)}, "no motion modules")


# --- in a U-Net ---


def test_it_stands_where_the_u_net_of_its_name_has_blocks(net):
    """And a module of one U-Net in another is refused with both names."""
    config = skeleton(CHANNELS, per_block=1).config
    config.check_fits(read_layout(net), "mini")
    deeper = Layout(read_layout(net).positions, (32, 64, 64), (64, 64, 64), 128)
    with pytest.raises(ValueError, match=r"trained for SD1\.5 \(v2\), the model is SDXL"):
        type(config)(**config.to_dict() | {"model": "SD1.5 (v2)"}).check_fits(deeper, "SDXL")


def test_a_fresh_module_changes_nothing(net):
    fresh = skeleton(CHANNELS, per_block=1, middle=True)
    for name, parameter in fresh.named_parameters():
        if "proj_out" in name:
            parameter.zero_()
    x, t, context, y = tiny.inputs(2, 6)
    out = forward_clip(net, fresh, x, t, context, y, Clip(2, 6))
    frames = net(x, t.repeat_interleave(6), context.repeat_interleave(6, 0), y)
    assert (out - frames).abs().max() < 1e-5


@pytest.mark.parametrize("norm", ["frame", "clip"])
@pytest.mark.parametrize("loop", [True, False])
def test_chunked_is_unchunked_and_conditionings_never_mix(net, norm, loop):
    motion = skeleton(CHANNELS, per_block=1, middle=True, positions=4, norm=norm)
    x, t, context, y = tiny.inputs(2, 8)
    settings = {"loop": loop, "ratios": (2, 2), "where": torch.rand(8, 5, 7)}
    whole = forward_clip(net, motion, x, t, context, y, Clip(2, 8, **settings))
    parts = forward_clip(net, motion, x, t, context, y, Clip(2, 8, chunk=3, **settings))
    assert (whole - parts).abs().max() < 1e-5 < whole.std()
    alone = forward_clip(net, motion, x[8:], t[1:], context[1:], y[8:], Clip(1, 8, **settings))
    assert (whole[8:] - alone).abs().max() < 1e-5


def test_a_loop_turned_by_half_is_the_same_loop(net, motion):
    x, t, context, y = tiny.inputs(1, 8)
    for loop in (True, False):
        straight, turned = (forward_clip(net, motion, clip, t, context, y, Clip(1, 8, loop=loop)) for clip in (x, x.roll(4, 0)))
        assert ((straight.roll(4, 0) - turned).abs().max() < 1e-4) == loop


def test_out_of_memory_along_time_takes_fewer_rows_of_the_picture(net, motion, monkeypatch):
    x, t, context, y = tiny.inputs(1, 8)
    whole = forward_clip(net, motion, x, t, context, y, Clip(1, 8))
    mix, heights = MotionBlock.mix, []

    def short_of_memory(self, h: Tensor, time: Time) -> Tensor:
        heights.append(h.shape[2])
        if h.shape[2] > 2:
            raise OUT_OF_MEMORY("CUDA out of memory")
        return mix(self, h, time)

    monkeypatch.setattr(MotionBlock, "mix", short_of_memory)
    assert torch.allclose(forward_clip(net, motion, x, t, context, y, Clip(1, 8)), whole, atol=1e-5)
    assert heights[:6] == [8, 4, 2, 2, 2, 2]


# --- positions beyond the table ---


def block(positions: int) -> MotionBlock:
    return seeded(lambda: MotionBlock(32, MotionConfig(positions)), 3)


def test_inside_the_table_both_ways_are_the_same():
    h = torch.randn(8, 32, 2, 2)
    for positions in ("window", "interpolate"):
        time = Time(8, stride=8, positions=positions)
        assert torch.equal(block(8).mix(h, time), block(8).mix(h, Time(8)))
        assert torch.allclose(block(8).mix(h, time), block(64).mix(h, time), atol=1e-6)


def test_a_strided_level_needs_nothing_beyond_its_table(net, motion):
    """80 frames at stride 8 are 10 frames; 16 frames at stride 2 fit into 8 positions, at stride 1 they do not."""
    x, t, context, y = tiny.inputs(1, 16)
    coarse = skeleton(CHANNELS, per_block=1, middle=True, positions=8)
    for name in [n for n in coarse.blocks if n not in ("input_5", "middle", "output_0", "output_1")]:
        del coarse.blocks[name]
    window, stretched = (forward_clip(net, coarse, x, t, context, y, Clip(1, 16, ratios=(2, 1), positions=p))
                         for p in ("window", "interpolate"))
    assert torch.equal(window, stretched)
    window, stretched = (forward_clip(net, motion, x, t, context, y, Clip(1, 16, ratios=(2, 1), positions=p))
                         for p in ("window", "interpolate"))
    assert (window - stretched).abs().max() > 1e-4


def test_interpolated_tables_keep_their_ends():
    table = block(8).transformer_blocks[0].attention_blocks[0].pos_encoder
    stretched = table(15)
    assert torch.allclose(stretched[0, ::2], table.pe[0], atol=1e-6)


def test_windows_of_like_frames_are_seamless():
    """Every window gives what the table's first frames give, wherever it stands; what blends them sums to one."""
    still = torch.randn(1, 32, 2, 2).expand(20, -1, -1, -1)
    alone = MotionBlock.mix
    made = block(8)
    for attention in made.transformer_blocks[0].attention_blocks:
        attention.pos_encoder.pe.zero_()
    assert torch.allclose(alone(made, still, Time(20)), alone(made, still[:8], Time(8))[:1].expand(20, -1, -1, -1), atol=1e-5)


def test_attention_in_windows_is_attention_to_one_window_at_a_time():
    """Frames that only one window holds see it and nothing else; positions are read apart from frames, which is the same."""
    attention = block(8).transformer_blocks[0].attention_blocks[0]
    x, (index, weight) = torch.randn(3, 14, 32), windows(14, 8, 2)
    seen = attention(x, spans(index, weight, x))
    assert torch.allclose(seen[:, :6], attention(x[:, :8], None)[:, :6], atol=1e-5)
    assert torch.allclose(seen[:, 8:], attention(x[:, 6:], None)[:, 2:], atol=1e-5)
    first, second = attention(x[:, :8], None)[:, 6], attention(x[:, 6:], None)[:, 0]
    assert torch.allclose(seen[:, 6], (2 * first + second) / 3, atol=1e-5)
    assert torch.allclose(seen, attention(x, list(zip(index, weight, strict=True))), atol=1e-6)  # as windows across a loop's end are seen


@pytest.mark.parametrize(("frames", "length", "overlap", "loop"),
                         [(20, 8, 2, False), (20, 8, 2, True), (8, 8, 2, False), (8, 8, 2, True), (9, 8, 7, False),
                          (81, 32, 8, True), (5, 1, 0, False), (3, 2, 0, True)])
def test_windows_cover_every_frame_with_weights_that_sum_to_one(frames, length, overlap, loop):
    index, weight = windows(frames, length, overlap, loop)
    total = torch.zeros(frames).index_add(0, index.flatten(), weight.flatten())
    assert torch.allclose(total, torch.ones(frames))
    starts = index[:, 0].tolist() + ([index[0, 0].item() + frames] if loop else [])
    steps = [b - a for a, b in pairwise(starts)]
    assert all(0 < step <= length - overlap for step in steps)
    if not loop:
        assert index[0, 0] == 0 and index[-1, -1] == frames - 1


def test_windows_that_make_no_sense_are_named():
    for length, overlap in ((9, 0), (0, 0), (4, 4)):
        with pytest.raises(ValueError, match="over 8 frames"):
            windows(8, length, overlap)


@pytest.mark.parametrize("rows", [1, 2])
def test_no_layer_is_given_a_turned_view(rows):
    """For which torch takes a layer's weights along once per row: of one conditioning, rearranging copies nothing."""
    block, h = seeded(lambda: MotionBlock(32, MotionConfig(positions=4)), 1), torch.randn(rows * 6, 32, 4, 4)
    given = []
    for layer in block.modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].is_contiguous()))
    block.mix(block.frames(h, torch.zeros(0)), Time(6))
    assert len(given) > 10 and all(given)


# --- masks ---


def test_a_mask_of_ones_is_no_mask_and_zeros_are_strength_zero(net, motion):
    x, t, context, y = tiny.inputs(2, 8)

    def run(**settings) -> Tensor:
        return forward_clip(net, motion, x, t, context, y, Clip(2, 8, **settings))

    assert torch.allclose(run(where=torch.ones(1, 16, 16)), run(), atol=1e-6)
    assert torch.allclose(run(where=torch.zeros(8, 3, 3), strength=2.0), run(strength=0.0), atol=1e-6)
    assert torch.allclose(run(where=torch.full((8, 8, 8), 0.5)), run(strength=0.5), atol=1e-5)


def test_a_mask_acts_on_its_frame_and_place():
    """Frame 2 alone at the finest level, its group of two at the next; left half alone where only that is masked."""
    where = torch.zeros(4, 8, 8)
    where[2, :, :4] = 1
    net_skeleton = skeleton(CHANNELS, per_block=1)
    walk = Walk(net_skeleton, Clip(2, 4, ratios=(2, 1), where=where, strength=0.6), None, torch.zeros(0))  # type: ignore[arg-type]
    fine = walk.scale(torch.zeros(8, 32, 8, 8))
    assert isinstance(fine, Tensor)
    assert fine.shape == (8, 1, 8, 8)
    assert torch.allclose(fine.unflatten(0, (2, 4))[:, :, 0], 0.6 * where.expand(2, -1, -1, -1))
    walk.level, walk.stride = 1, 2
    coarse = walk.scale(torch.zeros(4, 64, 4, 4))
    assert isinstance(coarse, Tensor)
    coarse = coarse.unflatten(0, (2, 2))
    assert torch.allclose(coarse[:, 1, 0, :, :2], torch.tensor(0.3)) and coarse[:, 0].abs().max() == 0


def test_bad_settings_are_named(net, motion):
    x, t, context, y = tiny.inputs(1, 6)
    with pytest.raises(ValueError, match="strength_mask: it has 5 frames, the clip 6"):
        forward_clip(net, motion, x, t, context, y, Clip(1, 6, where=torch.ones(5, 8, 8)))
    with pytest.raises(ValueError, match="the model has 2 steps"):
        forward_clip(net, motion, x, t, context, y, Clip(1, 6, ratios=(2, 2, 2)))
    with pytest.raises(ValueError, match="positions: 'stretch' is none of window, interpolate"):
        Clip(1, 6, positions="stretch")
    with pytest.raises(ValueError, match="norm 'batch' of a motion module"):
        MotionConfig(norm="batch")
