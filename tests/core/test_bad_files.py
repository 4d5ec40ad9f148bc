"""Weight files that are damaged, or none: what is wrong, with which file, and what to do; never a raw error, never garbage."""

from __future__ import annotations

import json
import os
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save, save_file
from torch import Tensor

from stunet_core.checkpoints.checks import check_tensors
from stunet_core.checkpoints.motion_lora import load_motion_lora
from stunet_core.checkpoints.tensor_file import open_tensors
from stunet_core.checkpoints.weights import CONFIG, load_skeleton
from stunet_core.model.skeleton import BlockSpec, Skeleton, SkeletonConfig
from tests.core.motion_files import published, skeleton
from tests.core.motion_lora_files import lora
from tests.tiny import seeded

PAGE = b"<!DOCTYPE html>\n<html><body>not found</body></html>\n"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123\n"
AGAIN = "download it again"


def own() -> Skeleton:
    """Temporal layers of one convolution, one attention and a time stride."""
    blocks = (BlockSpec("input_1", 32, "conv"), BlockSpec("middle", 32, "attention"))
    return seeded(lambda: Skeleton(SkeletonConfig(blocks, (2,), (32,), (32,), 16, cond_channels=8, head_channels=16)), 3)


def written(path: Path, tensors: dict[str, Tensor], config: Any = None) -> Path:
    """`config`: JSON, or a text as it is; None for a file without one."""
    text = None if config is None else {CONFIG: config if isinstance(config, str) else json.dumps(config)}
    save_file({name: t.contiguous() for name, t in tensors.items()}, str(path), text)
    return path


def refused(path: Path, *words: str, load: Callable[[Path], Any] = load_skeleton) -> str:
    """The error of reading `path`, which names it and has all `words`."""
    with pytest.raises(ValueError, match=re.escape(str(path))) as error:
        load(path)
    for word in words:
        assert word in str(error.value)
    assert len(str(error.value)) < 700
    return str(error.value)


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt", ".pt", ".pth"])
@pytest.mark.parametrize(("content", "words"), [
    (PAGE, "this is a web page, not weights"), (b"\xef\xbb\xbf \n<html>", "this is a web page"), (POINTER, "this is a Git LFS pointer"),
    (b'{"error": "not found"}', "this is JSON"), (b"Rate limited\n" * 9, "this is text"), (b"", "the file is empty"),
    (b"\0" * 5000, "the download was not finished"), (b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "this is a picture"),
    (struct.pack("<Q", 2**60) + b"{}", AGAIN), (b"PK\x03\x04" + b"\0" * 60, AGAIN), (b"\x80\x02" + b"(" * 60, AGAIN),
])
def test_what_is_no_weights_is_said_for_what_it_is(tmp_path: Path, content: bytes, words: str, suffix: str) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    for load in (load_skeleton, load_motion_lora):
        refused(path, words, load=load)


@pytest.mark.parametrize("at", [1, 7, 8, 9, 40, 0, -1])  # 0: in the middle
@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt", ".pt"])
def test_files_that_were_cut_short(tmp_path: Path, at: int, suffix: str) -> None:
    path, net = tmp_path / f"cut{suffix}", published(skeleton((32, 32), per_block=1), per_block=1)
    if suffix == ".safetensors":
        path.write_bytes(save(net))
    else:
        torch.save(net, path, _use_new_zipfile_serialization=suffix == ".ckpt")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 if at == 0 else at])
    refused(path, AGAIN)


def test_a_bit_that_changed_in_a_pickled_file(tmp_path: Path) -> None:
    """torch does not look at the checksums of its own files."""
    path = tmp_path / "flipped.ckpt"
    torch.save(published(skeleton((32, 32), per_block=1), per_block=1), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    refused(path, "is not what was written", AGAIN)


def test_weights_are_read_whatever_their_name_ends_in(tmp_path: Path) -> None:
    net = published(skeleton((32, 32), per_block=1), per_block=1)
    (tmp_path / "a.ckpt").write_bytes(save(net))
    torch.save(net, tmp_path / "b.safetensors")
    for name in ("a.ckpt", "b.safetensors"):
        assert load_skeleton(tmp_path / name).config.motion is not None


class Evil:
    """Runs something when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("exit 0",)


def test_pickles_that_would_run_are_told_from_damaged_ones(tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps({"state_dict": Evil()}))
    refused(path, "could run whatever code was put into it")
    torch.save({"a": Evil()}, path)
    refused(path, "could run whatever code was put into it")


CHANGES: dict[str, tuple[Callable[[Tensor], Tensor | None], str]] = {
    "missing": (lambda t: None, "1 of its 37 tensors is missing, such as blocks.middle.qkv.weight"),
    "nan": (lambda t: t.index_fill(0, torch.tensor(1), torch.nan), "blocks.middle.qkv.weight holds numbers that are none"),
    "infinite": (lambda t: t / 0, "holds numbers that are none"),
    "huge": (lambda t: t * 1e30, "as no trained weights do"),
    "shape": (lambda t: t[1:], "blocks.middle.qkv.weight is 95x32, not 96x32"),
    "one number": (lambda t: t[0, 0], "is a single number, not 96x32"),
    "int8": (lambda t: t.to(torch.int8), "is of kind int8"), "bool": (lambda t: t > 0, "is of kind bool"),
    "complex": (lambda t: t.to(torch.complex64), "is of kind complex64"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_one_tensor_that_is_wrong_is_named(tmp_path: Path, change: str) -> None:
    net, (wrong, message) = own(), CHANGES[change]
    tensors = net.state_dict()
    changed = wrong(tensors.pop("blocks.middle.qkv.weight"))
    if changed is not None:
        tensors["blocks.middle.qkv.weight"] = changed
    refused(written(tmp_path / "own.safetensors", tensors, net.config.to_dict()), message)


def test_tensors_too_many_and_zeros_everywhere(tmp_path: Path) -> None:
    net = own()
    more = net.state_dict() | {"a\nb": torch.zeros(2)}
    refused(written(tmp_path / "more.safetensors", more, net.config.to_dict()), "1 tensor too many", "a?b")
    zeros = {name: torch.zeros_like(t) for name, t in net.state_dict().items()}
    refused(written(tmp_path / "zeros.safetensors", zeros, net.config.to_dict()), "all of its numbers are zero")


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_every_kind_of_float_becomes_one_that_all_devices_have(tmp_path: Path, kind: torch.dtype) -> None:
    net = published(skeleton((32, 32), per_block=1), per_block=1)
    path = written(tmp_path / "mm.safetensors", {name: t.to(kind) for name, t in net.items()})
    found = {parameter.dtype for parameter in load_skeleton(path).parameters()}
    assert found == {{torch.float64: torch.float32, torch.float8_e4m3fn: torch.float16}.get(kind, kind)}


@pytest.mark.parametrize(("text", "words"), [
    ("{{{", "is no JSON"), ("", "is no JSON"), ("[" * 100_000, "is no JSON"), ("[]", "is a list, not a JSON object"),
    ("null", "is nothing, not a JSON object"), ("{}", "blocks is missing"),
    (json.dumps({k: v for k, v in own().config.to_dict().items() if k != "head_channels"}), "head_channels is missing"),
])
def test_a_description_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    refused(written(tmp_path / "own.safetensors", own().state_dict(), text), words)


@pytest.mark.parametrize(("change", "words"), [
    ({"ratios": [10**6]}, "ratios: 1000000; it must be 1 to 64"), ({"ratios": 2}, "ratios: 2; it must be a list"),
    ({"ratios": [2, 2]}, "one of each per step"), ({"down_channels": [10**18]}, "it must be 1 to 65536"),
    ({"cond_channels": 1.5}, "cond_channels: 1.5; it must be a whole number"), ({"cond_channels": None}, "it must be a whole number"),
    ({"cond_channels": True}, "it must be a whole number"), ({"head_channels": 0}, "head_channels: 0; it must be 1 to"),
    ({"head_channels": 7}, "cannot be shared among its heads"), ({"joint": "x"}, "joint: 'x'; it must be true or false"),
    ({"model": 3}, "model: 3; it must be a text"), ({"evil": 1}, "'evil' is unknown to this version: update the pack"),
    ({"blocks": [None]}, "None where BlockSpec has its fields"), ({"blocks": [{}]}, "position is missing"), ({"blocks": "abc"}, "blocks: "),
    ({"blocks": [{"position": "../../x", "channels": 32, "kind": "conv"}]}, "is no place in a U-Net"),
    ({"blocks": [{"position": "input_1", "channels": 33, "kind": "conv"}]}, "divisible"),
    ({"blocks": [{"position": "input_1", "channels": 65536, "kind": "conv"}] * 9}, "two of them are at the same position"),
    ({"blocks": [{"position": f"input_{i}", "channels": 65536, "kind": "conv"} for i in range(200)]}, "missing"),  # terabytes, if built
    ({"motion": {"layers": 10**9}}, "layers: 1000000000; it must be 1 to 32"), ({"motion": {"betas": ["linear"]}}, "betas: "),
    ({"motion": {"betas": ["linear", "a", "b"]}}, "must be between 0 and 1"), ({"motion": [1]}, "where MotionConfig has its fields"),
])
def test_a_description_that_asks_for_nonsense(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    net = own()
    refused(written(tmp_path / "own.safetensors", net.state_dict(), net.config.to_dict() | change), words)


def test_motion_modules_and_loras_of_others_are_held_to_the_same(tmp_path: Path) -> None:
    net = skeleton((32, 32), per_block=1)
    tensors = published(net, per_block=1)
    for ending, new in (("norm.weight", torch.tensor(1.0)), ("pos_encoder.pe", torch.zeros(0)), ("to_q.weight", torch.zeros(3)),
                        ("proj_in.weight", torch.full((32, 32), torch.nan)), ("proj_in.weight", torch.ones(32, 32, dtype=torch.int64))):
        name = next(name for name in tensors if name.endswith(ending))
        refused(written(tmp_path / "mm.safetensors", tensors | {name: new}), ending)
    change = lora(skeleton((32, 32)))
    name = next(iter(change))
    for new in (torch.full_like(change[name], torch.inf), torch.tensor(1.0), torch.zeros(0), change[name].to(torch.int8)):
        refused(written(tmp_path / "lora.safetensors", change | {name: new}), load=load_motion_lora)


def test_parts_of_a_file_can_be_checked_by_whoever_builds_them(tmp_path: Path) -> None:
    """The U-Net of a checkpoint that ComfyUI builds: without this, missing tensors stay at random."""
    path = written(tmp_path / "part.safetensors", {"net.a": torch.ones(2, 3), "text.b": torch.ones(1)})
    tensors = open_tensors(path).tensors()
    check_tensors({"net.a": (2, 3)}, tensors, path, others=True)
    with pytest.raises(ValueError, match=r"part\.safetensors: 1 of its 2 tensors is missing, such as net\.c"):
        check_tensors({"net.a": (2, 3), "net.c": (2,)}, tensors, path, others=True)


@pytest.mark.parametrize("what", ["folder", "loop", "nowhere", "/dev/zero"])
def test_what_is_no_file(tmp_path: Path, what: str) -> None:
    path = tmp_path / "thing.safetensors"
    if what == "folder":
        path.mkdir()
    else:
        path.symlink_to({"loop": path.name, "nowhere": str(tmp_path / "none")}.get(what, what))
    refused(path)
