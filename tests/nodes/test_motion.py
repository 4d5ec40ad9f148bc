"""SD1.5, SD2.x and SDXL as clip models: motion modules and time strides in the U-Nets that ComfyUI loads."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.nodes import nets

FRAMES = 6


def sample(graph: Any, model: Any, frames: int = FRAMES, **inputs: Any) -> torch.Tensor:
    settings = {"seed": 5, "steps": 1, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    settings |= {"positive": nets.prompt(1), "negative": nets.prompt(2), "model": model}
    latent = {"samples": torch.zeros(frames, 4, 8, 8)}
    return graph.run("KSampler", **settings | {"latent_image": latent} | inputs)[0]["samples"]


def forward(model: Any, frames: int = FRAMES, conds: int = 1) -> torch.Tensor:
    """One call of the model's U-Net as a sampler makes it."""
    generator = torch.Generator().manual_seed(3)
    net, rows = model.model.diffusion_model, frames * conds
    x = torch.randn(rows, net.in_channels, 8, 8, generator=generator)
    text = torch.randn(conds, 7, nets.CONTEXT, generator=generator).repeat_interleave(frames, 0)
    y = torch.randn(conds, 2816, generator=generator).repeat_interleave(frames, 0) if net.num_classes else None
    options = importlib.import_module("comfy.patcher_extension").merge_nested_dicts(
        {"wrappers": model.wrappers}, model.model_options["transformer_options"]) | {"cond_or_uncond": list(range(conds))}
    return net(x, torch.full((rows,), 500.0), context=text, y=y, transformer_options=options)


@pytest.mark.parametrize(("family", "channels", "weights"), [
    ("SD15", 4, "v2.safetensors"), ("SD15", 9, "v2.safetensors"), ("SD20", 4, "v2.safetensors"),
    ("SDXL", 4, "hotshot.safetensors")])
def test_every_u_net_becomes_a_clip_model(graph: Any, modules: Path, family: str, channels: int, weights: str) -> None:
    """Through core's KSampler; one frame is the image model itself, several hear of one another."""
    model = nets.model(family, channels)
    clip = graph.apply(model, weights, time_strides="lumiere", noise_schedule="of the model")
    assert torch.equal(sample(graph, clip, frames=1), sample(graph, model, frames=1))
    moving, still = sample(graph, clip), sample(graph, graph.apply(model, weights, strength=0.0, noise_schedule="of the model"))
    assert moving.shape == (FRAMES, 4, 8, 8)
    assert moving.isfinite().all()
    assert (moving - still).abs().max() > 1e-3


def test_without_trained_layers_and_strides_it_is_the_image_model(graph: Any, modules: Path) -> None:
    model = nets.model("SD15", 9)
    inflated = graph.apply(model, "fresh.safetensors", time_strides="none")
    assert (forward(inflated, conds=2) - forward(model, conds=2)).abs().max() < 1e-5


def test_patches_see_what_core_shows_them_though_the_middle_is_split(graph: Any, modules: Path) -> None:
    def seen(model: Any) -> list[tuple]:
        calls: list[tuple] = []
        patched = model.clone()
        patched.set_model_attn1_patch(lambda q, k, v, o: (calls.append((o["block"], o["transformer_index"])), (q, k, v))[1])
        patched.set_model_input_block_patch_after_skip(lambda h, o: (calls.append((o["block"], "after skip")), h)[1])
        forward(patched)
        return calls

    model = nets.model("SD15")
    assert seen(graph.apply(model, "v2.safetensors")) == seen(model)


def test_a_mask_confines_the_motion(graph: Any, modules: Path) -> None:
    model = nets.model("SD15")
    still, moving = (forward(graph.apply(model, "v2.safetensors", strength=s)) for s in (0.0, 1.0))
    masked = [forward(graph.apply(model, "v2.safetensors", strength_mask=torch.full(shape, value)))
              for shape, value in (((64, 64), 1.0), ((FRAMES, 16, 16), 1e-4))]
    assert torch.allclose(masked[0], moving, atol=1e-5)
    assert (masked[1] - still).abs().max() < 0.01 * (moving - still).abs().max()
    with pytest.raises(ValueError, match="strength_mask: is black everywhere: nothing is painted"):
        graph.apply(model, "v2.safetensors", strength_mask=torch.zeros(FRAMES, 16, 16))
    with pytest.raises(ValueError, match="strength_mask: it has 5 frames, the clip 6"):
        forward(graph.apply(model, "v2.safetensors", strength_mask=torch.ones(5, 8, 8)))


def test_clips_longer_than_the_tables_take_either_way(graph: Any, modules: Path) -> None:
    """Six frames, four positions. What the levels inside their tables do: tests/core/test_motion_module.py."""
    window, stretched = (forward(graph.apply(nets.model("SD15"), "v2.safetensors", positions=p)) for p in ("window", "interpolate"))
    assert window.isfinite().all()
    assert (window - stretched).abs().max() > 1e-4


def test_one_set_of_weights_whatever_the_settings(graph: Any, modules: Path) -> None:
    model = nets.model("SD15")
    applied = [graph.apply(model, "v2.safetensors", time_strides=s) for s in ("lumiere", "none")]
    first, second = (m.get_additional_models_with_key("stunet")[0].model for m in applied)
    assert first is second
    outputs = [forward(m) for m in applied]
    assert (outputs[0] - outputs[1]).abs().max() > 1e-4
    assert torch.equal(forward(applied[0]), outputs[0]), "branches of one graph do not interfere"


def test_a_module_in_the_wrong_model_is_refused_with_both_names(graph: Any, modules: Path) -> None:
    with pytest.raises(ValueError, match=r"hotshot\.safetensors: .*trained for SDXL \(HotshotXL\), the model is SD15"):
        graph.apply(nets.model("SD15"), "hotshot.safetensors")
    with pytest.raises(ValueError, match=r"v2\.safetensors: .*trained for SD1\.5 \(AnimateDiff v2\), the model is SDXL"):
        graph.apply(nets.model("SDXL"), "v2.safetensors")


def test_the_refiner_is_refused_with_the_reason(graph: Any) -> None:
    with pytest.raises(ValueError, match=r"model: found SDXL's refiner\. It only finishes"):
        graph.apply(nets.model("SDXLRefiner"))


@pytest.mark.parametrize(("family", "name"), [("Flux", "Flux"), ("SD3", "SD3"), ("WAN21_T2V", "WAN21")])
def test_what_is_no_u_net_is_named(graph: Any, family: str, name: str) -> None:
    with pytest.raises(ValueError, match=rf"model: found {name} \(.*which is no U-Net; .*SD1\.5, SD2\.x, SDXL"):
        graph.apply(nets.transformer(family))


def test_motion_modules_are_listed_and_looked_for_in_both_folders(graph: Any, modules: Path) -> None:
    node = graph.pack.nodes["STUNetApply"]
    files = graph.pack.module("nodes.host.runtime.files")
    assert {"v2.safetensors", "hotshot.safetensors"} <= set(files.choices(files.SKELETON))
    assert "v2.safetensors" not in files.choices(files.MINI)
    assert node.validate_inputs(weights="v2.safetensors") is True
    answer = node.validate_inputs(weights="nowhere.ckpt")
    assert all(part in answer for part in ("nowhere.ckpt", str(modules), str(graph.weights)))
    with pytest.raises(ValueError, match="time_strides: 'fast' is none of lumiere, gentle, none"):
        graph.apply(nets.model("SD15"), "v2.safetensors", time_strides="fast")


def test_the_model_samples_on_the_schedule_of_the_module_s_training(graph: Any, modules: Path) -> None:
    """Betas from 0.00085 to 0.012 in even steps; the weights applied last count, and the model itself stays as it is."""
    def sigmas(model: Any) -> torch.Tensor:
        return model.get_model_object("model_sampling").sigmas

    model = nets.model("SD15")
    own = sigmas(model).clone()
    kept = (1 - torch.linspace(0.00085, 0.012, 1000).double()).cumprod(0)
    applied = graph.apply(model, "v2.safetensors")
    assert torch.allclose(sigmas(applied), ((1 - kept) / kept).sqrt().float(), rtol=1e-3)
    assert type(applied.get_model_object("model_sampling")) is type(model.get_model_object("model_sampling"))
    for again in (graph.apply(model, "v2.safetensors", noise_schedule="of the model"),
                  graph.apply(applied, "v2.safetensors", noise_schedule="of the model"), model):
        assert torch.equal(sigmas(again), own)
    assert torch.equal(sigmas(graph.apply(applied, "v2.safetensors")), sigmas(applied))
    hotshot = nets.model("SDXL")
    assert torch.equal(sigmas(graph.apply(hotshot, "hotshot.safetensors")), sigmas(hotshot))
