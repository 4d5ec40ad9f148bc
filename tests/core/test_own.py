"""The user's own videos on the user's own checkpoint: what is found, decoded, cached and drawn."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from stunet_core.checkpoints.weights import save_skeleton
from stunet_core.mini.frame_time import evenly, with_time
from stunet_core.mini.host import forward_clip
from stunet_core.model.walk import Clip
from tests import own, tiny
from tests.core import motion_files
from training.finetune import cache, mini, start
from training.finetune.batches import Batches, stack
from training.finetune.buckets import buckets, nearest
from training.finetune.decode import Unreadable, fit, read_frames, resample, upright
from training.finetune.image_model import Encoders, Text
from training.finetune.settings import FinetuneSettings
from training.finetune.train import Loss, main
from training.finetune.videos import find_videos


def shard(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("lean", [False, True])
def test_clips_are_told_the_time_as_those_of_the_nodes_are(lean):
    """Weights hear when frames are as they do when they are sampled: in clips of which nothing is given."""
    net, skeleton = tiny.unet(), tiny.skeleton().requires_grad_(True)
    image, z, keep = mini.MiniImage(net), torch.randn(2 * 8, 8, 8, 8), torch.zeros(16, 1, 8, 8)
    keep[8] = 1  # the second clip's first frame is given
    x, t, clip = image.conditioned(torch.randn(16, 8, 8, 8), z, keep, 8), torch.tensor([300, 700]), Clip(2, 8)
    assert x.shape[1] == tiny.CONFIG.in_channels and torch.equal(x[9:16, 9:17], z[8].expand(7, -1, -1, -1))
    context, y = torch.randn(2, 5, 32), torch.randn(2, 32)
    out = image.forward(skeleton, x, t, context, y, clip, lean)
    times = torch.cat([evenly(1, 8)[0], torch.full((8,), torch.nan)])
    heard = with_time(y.repeat_interleave(8, dim=0), times)
    assert torch.allclose(out, forward_clip(net, skeleton, x, t, context, heard, clip), atol=1e-5)
    silent = with_time(y.repeat_interleave(8, dim=0), times * torch.nan)
    assert not torch.allclose(out, forward_clip(net, skeleton, x, t, context, silent, clip), atol=1e-3)


def test_captions_stand_beside_their_videos_or_in_their_shard(tmp_path):
    content = own.video(own.greys(0, 255))
    (tmp_path / "a.mp4").write_bytes(content)
    (tmp_path / "a.txt").write_text("a cat\n\nan animal\n", encoding="utf-8")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "b.MOV").write_bytes(content)
    (tmp_path / "deeper" / "b.json").write_text(json.dumps({"caption": ["a dog", "a hound"], "fps": 30}))
    (tmp_path / "c.webm").write_bytes(content)
    (tmp_path / "c.txt").write_text("")
    shard(tmp_path / "0000.tar", {"x/1.mp4": content, "x/1.json": b'{"text": "one"}', "2.mp4": content, "2.txt": b"two"})
    found = {video.name: video for video in find_videos(tmp_path)}
    assert {name: video.captions for name, video in found.items()} == {
        "a.mp4": ("a cat", "an animal"), "deeper/b.MOV": ("a dog", "a hound"), "c.webm": ("",), "0000.tar/x/1.mp4": ("one",),
        "0000.tar/2.mp4": ("two",)}
    assert found["0000.tar/2.mp4"].open().read() == content  # type: ignore[union-attr]


@pytest.mark.parametrize(("files", "message"), [
    ({}, "holds none; it needs files ending in .mp4"),
    ({"a.mp4": b""}, "1 of 1 have no caption, such as a.mp4; put a .txt"),
    ({"a.mp4": b"", "a.json": b'{"title": "x"}'}, "the .json beside a.mp4 has no caption; it must be like"),
    ({"a.mp4": b"", "a.json": b"{"}, "the .json beside a.mp4 is damaged"),
    ({"a.tar": b"nothing"}, "is no plain .tar"),
])
def test_what_is_wrong_with_the_videos_is_said(tmp_path, files, message):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        find_videos(tmp_path)


@pytest.mark.parametrize(("times", "fps", "expected"), [
    ([0, 1 / 30, 2 / 30, 3 / 30, 4 / 30], 15, [0, 2]),
    ([0, 1 / 8, 2 / 8], 16, [0, 0, 1, 1]),
    ([5, 5.1, 5.6, 5.7], 10, [0, 1, 1, 1, 1, 1, 2]),  # a phone's: one frame shown long, and a start that is not 0
])
def test_frame_rates_are_resampled_by_what_is_on_the_screen(times, fps, expected):
    shown = [(time, np.full((1, 1, 3), i)) for i, time in enumerate(times)]
    assert [int(frame[0, 0, 0]) for frame in resample(shown, fps)] == expected


def test_a_file_is_decoded_at_the_rate_asked_for(tmp_path):
    (tmp_path / "a.mp4").write_bytes(own.video(own.greys(*range(0, 240, 20)), fps=24))
    (tmp_path / "a.txt").write_text("")
    (video,) = find_videos(tmp_path)
    levels = [float(frame.mean()) for frame in read_frames(video, 12)]
    assert np.allclose(levels, range(0, 240, 40), atol=4)
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(Unreadable, match=r"a\.mp4: Invalid data"):
        list(read_frames(video, 12))


def test_a_frame_covers_its_bucket_and_loses_as_much_on_both_sides():
    frame = np.zeros((100, 300, 3), np.uint8)
    frame[:, 100:200] = 200
    assert (fit(frame, 64, 64) == 200).all()
    wide = fit(frame, 128, 64)
    assert wide.shape == (64, 128, 3) and (wide == wide[:, ::-1]).all() and wide[0, 0, 0] == 0
    assert upright(np.zeros((2, 3, 3)), 90).shape == (3, 2, 3) and upright(np.zeros((2, 3, 3)), -180).shape == (2, 3, 3)


def test_buckets_have_about_as_many_pixels_and_fit_the_model():
    sizes = buckets(512, 64)
    assert sizes[0] == (512, 512) and (704, 320) not in sizes and {(640, 384), (384, 640)} <= set(sizes)
    assert all(w % 64 == h % 64 == 0 and w * h <= 512 * 512 and 0.5 <= w / h <= 2 for w, h in sizes)
    assert nearest(sizes, 1920, 1080)[0] > 512 and nearest(sizes, 100, 100) == (512, 512)
    with pytest.raises(ValueError, match="size: 500 is no multiple of 64, which this U-Net needs; give 512"):
        buckets(500, 64)


class Counting(Encoders):
    """Latents that tell which frame they are of; how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def pictures(self, frames: np.ndarray) -> Tensor:
        self.asked += len(frames)
        small = torch.from_numpy(np.ascontiguousarray(frames[:, ::8, ::8, :1])).movedim(-1, 1) / 255
        return small.expand(-1, 4, -1, -1)

    def text(self, caption: str, width: int, height: int) -> Text:
        return Text(torch.full((2 if caption else 1, 3), float(len(caption))), torch.tensor([width, height]))


@pytest.fixture
def clips(tmp_path):
    (tmp_path / "videos").mkdir()
    for name, width, levels in (("wide", 128, range(0, 160, 10)), ("square", 64, range(0, 160, 10)), ("short", 64, (0, 9))):
        (tmp_path / "videos" / f"{name}.mp4").write_bytes(own.video(own.greys(*levels, width=width)))
        (tmp_path / "videos" / f"{name}.txt").write_text(f"{name}\nonce more")
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "videos" / "broken.txt").write_text("broken")
    return tmp_path


def test_every_video_is_encoded_once_and_what_cannot_be_is_left_out(clips, caplog):
    videos, recipe, encoders = find_videos(clips / "videos"), cache.Recipe(16, 64, "some.safetensors 12"), Counting()
    sizes = [(64, 64), (96, 40)]
    cache.fill(clips / "cache", cache.missing(clips / "cache", videos, recipe), recipe, sizes, encoders)
    assert encoders.asked == 16 + 16 + 2 and "left out: broken.mp4" in caplog.text
    assert [video.name for video in cache.missing(clips / "cache", videos, recipe)] == ["broken.mp4"]
    assert len(cache.missing(clips / "cache", videos, cache.Recipe(8, 64, "some.safetensors 12"))) == 4
    opened = cache.open_cache(clips / "cache", videos, recipe, 8)
    assert sorted((clip.size, clip.frames, clip.texts) for clip in opened) == [((5, 12), 16, 3), ((8, 8), 16, 3)]
    assert "2 of 4 videos are used" in caplog.text
    z = opened[0].latents(3, 2)
    assert z.shape == (2, 4, *opened[0].size) and torch.allclose(z.mean((1, 2, 3)) * 255, torch.tensor([30.0, 40.0]), atol=4)
    with pytest.raises(ValueError, match=r"frames: none of the 4 videos has 99 frames at 16 per second \(the longest .* has 16"):
        cache.open_cache(clips / "cache", videos, recipe, 99)

    batches = Batches(opened, 8, seed=3)
    shapes = set()
    for step in range(8):
        whole, parts = batches.draw(step, range(4)), [batches.draw(step, places) for places in (range(2), range(2, 4))]
        for name in ("z", "noise", "t", "keep", "y"):
            assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in parts]))
        assert (whole.z.flatten(1)[:-1] <= whole.z.flatten(1)[1:]).all(1).sum() >= 28  # brighter from frame to frame within a clip
        shapes.add(tuple(whole.z.shape))
    assert shapes == {(32, 4, 8, 8), (32, 4, 5, 12)}


def test_a_short_text_is_repeated_beside_a_long_one():
    context, y = stack([Text(torch.ones(2, 3), None), Text(torch.zeros(3, 3), None)])
    assert context.shape == (2, 6, 3) and (context[0] == 1).all() and y is None


def image(tmp_path: Path):
    own.write_checkpoint(tmp_path / "mini.safetensors")
    found, encoders = mini.load(tmp_path / "mini.safetensors", torch.float32, True)
    assert encoders is not None
    return found


def test_gradient_checkpointing_gives_the_same_gradients(tmp_path):
    found = image(tmp_path)
    x, t = torch.randn(8, tiny.CONFIG.in_channels, 8, 8), torch.tensor([100, 700])
    context, y = torch.randn(2, 5, 32), torch.randn(2, 32)
    gradients = []
    for lean in (False, True):
        skeleton = tiny.skeleton().requires_grad_()
        found.forward(skeleton, x, t, context, y, Clip(2, 4), lean).square().mean().backward()
        gradients.append([p.grad for p in skeleton.parameters()])
    for plain, again in zip(*gradients, strict=True):
        assert plain.abs().max() > 0 and torch.allclose(plain, again, rtol=1e-4, atol=1e-7)


def test_a_run_begins_with_a_motion_module_with_or_without_time_strides(tmp_path):
    found = image(tmp_path)
    module = motion_files.skeleton((32, 64, 64), per_block=1, positions=24)
    save_file({name: tensor.half().contiguous() for name, tensor in motion_files.published(module, per_block=1).items()},
              str(tmp_path / "mm.safetensors"))
    plain = start.skeleton_from(tmp_path / "mm.safetensors", found, None)
    assert plain.config.ratios == (1, 1) and all(p.dtype == torch.float32 for p in plain.parameters())
    name = "blocks.input_1.proj_in.weight"
    assert torch.allclose(plain.state_dict()[name], module.state_dict()[name], atol=1e-3)
    strided = start.skeleton_from(tmp_path / "mm.safetensors", found, "lumiere")
    assert strided.config.ratios == (2, 2) and len(strided.down) == 2
    frame, t, context, y = torch.randn(1, tiny.CONFIG.in_channels, 8, 8), torch.tensor([300]), torch.randn(1, 5, 32), torch.randn(1, 32)
    for block in strided.blocks.values():
        torch.nn.init.zeros_(block.proj_out.weight), torch.nn.init.zeros_(block.proj_out.bias)  # type: ignore[arg-type, union-attr]
    still = found.forward(strided, frame.repeat(4, 1, 1, 1), t, context, y, Clip(1, 4))
    alone = found.forward(strided, frame, t, context, y, Clip(1, 1))
    assert torch.allclose(still, alone.expand(4, -1, -1, -1), atol=1e-5)


def test_a_motion_module_is_trained_on_the_schedule_it_is_sampled_on(tmp_path):
    found = image(tmp_path)
    config = motion_files.skeleton((32, 64, 64), per_block=1, betas=("linear", 0.00085, 0.012))
    bars = start.signal(config, found)
    assert torch.allclose(bars, torch.cumprod(1 - torch.linspace(0.00085, 0.012, 1000, dtype=torch.float64), 0).float())
    assert torch.equal(start.signal(tiny.skeleton(), found), found.bars)


def test_weights_of_another_net_are_refused_with_both_names(tmp_path):
    save_skeleton(tmp_path / "other.safetensors", motion_files.skeleton((32, 64), per_block=1), {})
    with pytest.raises(ValueError, match=r"init: other.safetensors: .* the model is STUNet mini"):
        start.skeleton_from(tmp_path / "other.safetensors", image(tmp_path), None)


def test_the_loss_is_the_models_own(tmp_path):
    found = image(tmp_path)
    z, noise, bar = torch.randn(3, 8, 2, 2), torch.randn(3, 8, 2, 2), torch.tensor(0.3)
    noisy, v = found.noised(z, noise, bar)
    assert torch.allclose(bar.sqrt() * noisy - (1 - bar).sqrt() * v, z, atol=1e-5)
    found.prediction = "eps"
    assert torch.equal(found.noised(z, noise, bar)[1], noise)
    assert all(name.startswith("skeleton.") for name in Loss(found, tiny.skeleton(), False).state_dict()), "the image model stays as it is"


@pytest.mark.parametrize(("told", "message"), [
    ({"frames": 1}, "frames: 1; give 2 or more"), ({"lr": 0}, "lr: 0; give more than 0"), ({"ema": 1}, "ema: 1; give the share"),
    ({"checkpoint": "/nowhere.safetensors"}, "there is no file /nowhere.safetensors"), ({"size": 70}, "size: 70 is no multiple of 64"),
    ({"videos": "/nowhere"}, "/nowhere is no folder"), ({"fps": 0}, "fps: 0; give"),
])
def test_mistakes_are_said_before_work_begins(tmp_path, told, message):
    own.write_checkpoint(tmp_path / "mini.safetensors")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(own.video(own.greys(0, 255)))
    (tmp_path / "videos" / "a.txt").write_text("")
    with pytest.raises(SystemExit, match=message):
        main(own.arguments(tmp_path, "run", **told))


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path):
    own.write_checkpoint(tmp_path / "mini.safetensors")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(own.video(own.greys(*range(0, 240, 20))))
    (tmp_path / "videos" / "a.txt").write_text("a rocket\nflying")
    told = {"steps": 4, "batch": 1, "decay": 2, "lean": True}
    main(own.arguments(tmp_path, "whole", **told))
    main(own.arguments(tmp_path, "parts", stop=2, **told))
    main(own.arguments(tmp_path, "parts", resume=True, **told))
    whole, parts = (torch.load(tmp_path / run / "state.pt", weights_only=True) for run in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 4
    for part in ("model", "ema"):
        assert all(torch.equal(parts[part][name], value) for name, value in whole[part].items())


def test_a_run_is_not_overwritten(tmp_path):
    own.write_checkpoint(tmp_path / "mini.safetensors")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state.pt").touch()
    with pytest.raises(ValueError, match="holds a run already; go on with it by --resume"):
        FinetuneSettings.read(own.arguments(tmp_path, "run"))
