"""Held against diffusers' UNetMotionModel: the same weights give the same numbers, in a U-Net that ComfyUI built.

diffusers normalises over the whole clip, which its own files ask for. Modules as published were trained with the
statistics of each frame (guoyww/AnimateDiff, `motion_module.py`); for these, diffusers' norm is replaced by that.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stunet_core.checkpoints.motion_layouts import read_layout
from stunet_core.model.skeleton import Skeleton
from tests.core.motion_files import DIFFUSERS
from tests.nodes import nets

FRAMES, ROWS = 5, 2
CROSS, PLAIN = ("CrossAttnDownBlockMotion", "CrossAttnUpBlockMotion"), ("DownBlockMotion", "UpBlockMotion")


class PerFrame(nn.GroupNorm):
    """b c f h w, each frame for itself"""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (x.shape[0], -1)).transpose(1, 2)


def reference(family: str, middle: bool, published: bool) -> Any:
    """diffusers' model of the same shape as `nets.model`, with the same spatial weights and random temporal ones."""
    shape, channels = nets.config(family), nets.LEVELS[family]
    levels = [CROSS if depth else PLAIN for depth in shape["transformer_depth"][::2]]
    more: dict[str, Any] = {}
    if family == "SDXL":
        more = {"use_linear_projection": True, "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
                "projection_class_embeddings_input_dim": 2816, "transformer_layers_per_block": [1, 1, 2],
                "num_attention_heads": tuple(c // nets.HEAD for c in channels)}
    model = importlib.import_module("diffusers").UNetMotionModel(
        block_out_channels=channels, cross_attention_dim=nets.CONTEXT, motion_max_seq_length=24,
        down_block_types=tuple(down for down, _ in levels), up_block_types=tuple(up for _, up in reversed(levels)),
        use_motion_mid_block=middle, **more).eval().requires_grad_(False)
    names = importlib.import_module("comfy.utils").unet_to_diffusers(shape)
    ours = nets.model(family).model.diffusion_model.state_dict()
    nets.randomise(model)
    alias = "class_embedding"  # another name for what SDXL calls add_embedding
    spatial = {theirs: ours[name] for theirs, name in names.items() if name in ours and not theirs.startswith(alias)}
    assert len(spatial) == len(ours)
    result = model.load_state_dict(spatial, strict=False)
    assert not result.unexpected_keys and all("motion_modules" in key for key in result.missing_keys)
    if published:
        for name, norm in list(model.named_modules()):
            if name.endswith(tuple(f"motion_modules.{i}.norm" for i in range(3))):
                norm.__class__ = PerFrame
    return model


def motion_file(model: Any, published: bool) -> dict[str, Tensor]:
    """Its temporal weights under diffusers' names, or those of AnimateDiff's own files."""
    tensors = {key: t.contiguous() for key, t in model.state_dict().items() if "motion_modules" in key}
    if not published:
        return tensors
    out: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        key = re.sub(r"(motion_modules\.\d+)\.", r"\1.temporal_transformer.", key)
        for ours, theirs in DIFFUSERS:
            key = key.replace(theirs, ours)
        if key.endswith("pos_embed.pe"):
            out |= {key.replace("pos_embed", f"attention_blocks.{i}.pos_encoder"): tensor.clone() for i in range(2)}
        else:
            out[key] = tensor
    return out


@pytest.mark.parametrize(("family", "middle", "published", "name"), [
    ("SD15", False, True, "AnimateDiff v1"), ("SD15", True, True, "AnimateDiff v2"),
    ("SDXL", False, True, "AnimateDiff-SDXL"), ("SD15", True, False, "a diffusers motion adapter")])
def test_the_same_numbers_as_diffusers(graph: Any, family: str, middle: bool, published: bool, name: str) -> None:
    theirs = reference(family, middle, published)
    save_file(motion_file(theirs, published), Path(graph.weights) / "motion.safetensors")
    model = graph.apply(nets.model(family), "motion.safetensors", time_strides="none")
    assert name in model.get_additional_models_with_key("stunet")[0].model.config.model

    generator = torch.Generator().manual_seed(3)
    x = torch.randn(ROWS, 4, FRAMES, 8, 8, generator=generator)
    text = torch.randn(ROWS, 7, nets.CONTEXT, generator=generator)
    pooled, sizes = torch.randn(ROWS, 1280, generator=generator), torch.tensor([[64.0, 64, 0, 0, 64, 64]]).repeat(ROWS, 1)
    steps = torch.tensor([500.0, 100.0])
    expected = theirs(x, steps, text.repeat_interleave(FRAMES, 0),
                      added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes}).sample  # b c f h w

    y = None
    if family == "SDXL":
        y = torch.cat([pooled, theirs.add_time_proj(sizes.flatten()).unflatten(0, (ROWS, -1)).flatten(1)], dim=1)
        y = y.repeat_interleave(FRAMES, 0)
    options = importlib.import_module("comfy.patcher_extension").merge_nested_dicts(
        {"wrappers": model.wrappers}, model.model_options["transformer_options"]) | {"cond_or_uncond": [0, 1]}
    ours = model.model.diffusion_model(
        x.transpose(1, 2).flatten(0, 1), steps.repeat_interleave(FRAMES), context=text.repeat_interleave(FRAMES, 0), y=y,
        transformer_options=options).unflatten(0, (ROWS, FRAMES)).transpose(1, 2)
    print(f"{name}: max abs difference {(ours - expected).abs().max():.2e} of std {expected.std():.2f}")
    assert expected.std() > 0.05
    assert (ours - expected).abs().max() <= 1e-4


@pytest.mark.parametrize(("channels", "middle"), [((320, 640, 1280, 1280), False), ((320, 640, 1280, 1280), True),
                                                  ((320, 640, 1280), False)])
def test_modules_of_full_size_have_every_key_and_no_other(channels: tuple[int, ...], middle: bool) -> None:
    """Of SD1.5 and SDXL, on torch's meta device: names and shapes, no numbers."""
    with torch.device("meta"):
        adapter = importlib.import_module("diffusers").MotionAdapter(block_out_channels=channels, use_motion_mid_block=middle)
        config, tensors = read_layout({k: t for k, t in adapter.state_dict().items() if not k.endswith(".pe")})
        ours = Skeleton(config).state_dict()
    assert {k: t.shape for k, t in tensors.items()} == {k: t.shape for k, t in ours.items()}
    assert len(config.blocks) == len(channels) * 5 + middle
    assert config.model.startswith("SD1.5" if len(channels) == 4 else "SDXL")
