"""A mini model's file says how large it is; nothing that anyone wrote there is taken on trust."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from stunet_core.checkpoints.weights import load_skeleton
from stunet_core.mini.checkpoint import CONFIG, load_checkpoint
from stunet_core.mini.config import MiniConfig
from stunet_core.model.skeleton import SkeletonConfig
from tests import tiny


@pytest.mark.parametrize(("change", "said"), [
    ({"text_layers": 1_000_000}, "text_layers: 1000000; it must be a whole number from 1 to 12"),
    ({"num_res_blocks": (1, 10**6, 2)}, "num_res_blocks: 1000000; it must be a whole number from 1 to 8"),
    ({"num_res_blocks": 2}, "num_res_blocks: 2; give a list"), ({"channel_mult": ()}, "channel_mult"),
    ({"channel_mult": (1, 2)}, "one per level"),
    ({"channel_mult": (2, 1, 1)}, "begin with 1"), ({"model_channels": 64.0}, "model_channels: 64.0"),
    ({"model_channels": True}, "model_channels"),
    ({"model_channels": 1024, "channel_mult": (1, 3, 5)}, "at most 4096"), ({"model_channels": 48}, "multiple of 32"),
    ({"attention": (1, 1, 1)}, "attention: 1"), ({"context_dim": 100, "text_heads": 3}, "context_dim"),
    ({"latent_channels": 0}, "latent_channels"), ({"picture_cells": 11}, "picture_cells: 11 is odd"),
])
def test_every_number_has_a_range(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MiniConfig.from_dict({**MiniConfig().to_dict(), **change})


def test_a_config_survives_json() -> None:
    assert MiniConfig.from_dict(json.loads(json.dumps(tiny.CONFIG.to_dict()))) == tiny.CONFIG
    assert MiniConfig().picture_shape == (9, 12, 12)
    assert MiniConfig().in_channels == 37 and MiniConfig().y_channels == 142


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    tiny.write_weights(tmp_path)
    mini = load_checkpoint(tmp_path / "mini.safetensors")
    assert mini.config == tiny.CONFIG and mini.latent_rgb == tiny.RGB and mini.tokenizer.words == tiny.WORDS
    for read, written in ((mini.unet, tiny.unet().state_dict()), (mini.pictures.state_dict(), tiny.pictures().state_dict()),
                          (mini.pose_head.state_dict(), tiny.pose_head().state_dict())):
        assert read.keys() == written.keys() and all(torch.equal(read[name], written[name]) for name in read)


def rewritten(path: Path, change: Any, drop: str = "") -> Path:
    """The file with other metadata, and without one tensor"""
    with safe_open(str(path), framework="pt") as file:
        metadata = dict(file.metadata())
    tensors = load_file(path)
    tensors.pop(drop, None)
    metadata[CONFIG] = json.dumps(change(json.loads(metadata[CONFIG])))
    save_file(tensors, path, metadata)
    return path


@pytest.mark.parametrize(("change", "said"), [
    (lambda d: {"config": {"num_res_blocks": 1, "in_channels": 9}, "words": ["a"], "latent_rgb": []}, "first generation"),
    (lambda d: d | {"generation": 3}, "generation 3.*update the pack"), (lambda d: [], "not a JSON object"),
    (lambda d: {}, "describes no mini"),
    (lambda d: d | {"words": 5}, "words"), (lambda d: d | {"words": []}, "words"),
    (lambda d: d | {"latent_rgb": [[0, 0, 0]]}, "latent_rgb"),
    (lambda d: d | {"config": d["config"] | {"wings": 2}}, "wings"),
    (lambda d: d | {"config": {k: v for k, v in d["config"].items() if k != "picture_cells"}}, "the config does not say picture_cells"),
    (lambda d: d | {"config": d["config"] | {"text_layers": 10**6}}, "text_layers: 1000000"),
    (lambda d: d | {"config": d["config"] | {"latent_channels": 4}}, "latent_channels"),
])
def test_what_is_wrong_in_a_file_is_said_with_its_name(tmp_path: Path, change: Any, said: str) -> None:
    tiny.write_weights(tmp_path)
    path = rewritten(tmp_path / "mini.safetensors", change)
    with pytest.raises(ValueError, match=rf"mini\.safetensors: .*{said}"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["model.diffusion_model.out.2.weight", "picture_encoder.absent", "pose_head.net.0.bias",
                                  "first_stage_model.mean"])
def test_a_file_with_a_tensor_missing_is_refused(tmp_path: Path, name: str) -> None:
    tiny.write_weights(tmp_path)
    path = rewritten(tmp_path / "mini.safetensors", lambda described: described, drop=name)
    with pytest.raises(ValueError, match=r"mini\.safetensors"):
        load_checkpoint(path)


def test_temporal_layers_of_the_first_generation_say_so(tmp_path: Path) -> None:
    config = tiny.skeleton().config.to_dict()
    assert SkeletonConfig.from_dict(config | {"clock": False, "hold": False}) == tiny.skeleton().config, "other models' need neither"
    with pytest.raises(ValueError, match=r"first generation \(clock, hold\)"):
        SkeletonConfig.from_dict(config | {"clock": True, "hold": True})
    save_file({"x": torch.zeros(1)}, tmp_path / "old.safetensors", {"stunet_config": json.dumps(config | {"clock": True})})
    with pytest.raises(ValueError, match=r"old\.safetensors: .*first generation"):
        load_skeleton(tmp_path / "old.safetensors")
