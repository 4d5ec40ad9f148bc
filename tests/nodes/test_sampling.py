"""Samplers: core's and ours agree; seeds, frames and conditionings do what they should."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch

from tests.nodes import nets

CLIP = torch.zeros(6, 8, 8, 8)


def test_all_samplers_give_the_same_latents(graph: Any) -> None:
    model, clip, vae = graph.mini()
    model = graph.apply(model)
    ours = graph.sample(model, clip, CLIP, node="STUNetSampler", vae=vae)
    assert torch.equal(ours, graph.sample(model, clip, CLIP))

    custom = importlib.import_module("comfy_extras.nodes_custom_sampler")
    positive, negative = graph.prompt(clip, "a rocket flying up"), graph.prompt(clip, "")
    (guider,) = custom.CFGGuider.execute(model, positive, negative, 3.0).args
    (noise,) = custom.RandomNoise.execute(5).args
    (sampler,) = custom.KSamplerSelect.execute("euler").args
    (sigmas,) = custom.BasicScheduler.execute(model, "simple", 2, 1.0).args
    latent, _ = custom.SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, {"samples": CLIP}).args
    assert torch.equal(ours, latent["samples"])


def test_frames_are_what_vae_decode_makes_of_the_latents(graph: Any) -> None:
    model, clip, vae = graph.mini()
    samples = torch.zeros(20, 8, 4, 4)  # more than are decoded at once
    latent, frames = graph.run(
        "STUNetSampler", model=graph.apply(model), positive=graph.prompt(clip, "a rocket"),
        negative=graph.prompt(clip, ""), latent={"samples": samples}, seed=1, steps=1, cfg=2.0, sampler_name="euler",
        scheduler="simple", denoise=1.0, vae=vae)
    assert torch.allclose(frames, graph.run("VAEDecode", samples=latent, vae=vae)[0], atol=1e-6)


def test_without_a_vae_what_needs_frames_does_not_run_and_says_why(graph: Any) -> None:
    model, clip, _ = graph.mini()
    text = graph.prompt(clip, "")
    _, frames = graph.run("STUNetSampler", model=model, positive=text, negative=text, latent={"samples": CLIP}, seed=1,
                          steps=1, cfg=1.0, sampler_name="euler", scheduler="simple", denoise=1.0)
    assert "Connect one to its vae input" in frames.message


def test_one_frame_is_exactly_the_image_model(graph: Any) -> None:
    model, clip, _ = graph.mini()
    one = torch.zeros(1, 8, 8, 8)
    assert torch.equal(graph.sample(graph.apply(model), clip, one), graph.sample(model, clip, one))


def test_frames_hear_of_each_other_and_the_seed_decides(graph: Any) -> None:
    model, clip, _ = graph.mini()
    clip_model = graph.apply(model)
    first = graph.sample(clip_model, clip, CLIP)
    assert torch.equal(first, graph.sample(clip_model, clip, CLIP))
    assert not torch.equal(first, graph.sample(clip_model, clip, CLIP, seed=6))
    assert not torch.allclose(first, graph.sample(model, clip, CLIP))
    assert first.shape == CLIP.shape


def test_any_size_and_frame_count_samples(graph: Any) -> None:
    model, clip, _ = graph.mini()
    samples = torch.zeros(7, 4, 9, 11)
    assert torch.isfinite(graph.sample(graph.apply(model), clip, samples)).all()


def test_an_empty_clip_without_a_model_gets_the_pixels_it_says(graph: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Workflows of the first mini model connect none: 128x64 pixels are 8x4 of its cells, not 16x8. What is no longer empty stays."""
    model, clip, vae = graph.mini()
    latent, _ = graph.run("STUNetEmptyClip", width=128, height=64, seconds=0.25, fps=16.0)
    text = graph.prompt(clip, "a rocket")
    made, frames = graph.run("STUNetSampler", model=model, positive=text, negative=text, latent=latent, seed=1, steps=1, cfg=1.0,
                             sampler_name="euler", scheduler="simple", denoise=1.0, vae=vae)
    assert made["samples"].shape == (4, 8, 4, 8) and frames.shape == (4, 64, 128, 3)
    assert "it gets 8x4 of them, 128x64 pixels. Connect the model to Empty Clip" in caplog.text
    told, _ = graph.run("STUNetEmptyClip", width=128, height=64, seconds=0.25, fps=16.0, model=model)
    assert torch.equal(made["samples"], graph.sample(model, clip, told["samples"], seed=1, steps=1, cfg=1.0, positive=text, negative=text))
    fitted = graph.pack.module("nodes.host.runtime.latents").fitted
    full = {**latent, "samples": torch.ones(4, 8, 8, 16)}
    assert fitted(full, model) is full["samples"]
    assert fitted(latent, nets.model("SD15")).shape == (4, 4, 8, 16)


def test_conditionings_run_together_or_one_by_one_give_the_same(
        graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, clip, _ = graph.mini()
    model = graph.apply(model)
    together = graph.sample(model, clip, CLIP)
    batches = []
    model.set_model_unet_function_wrapper(lambda run, p: (batches.append(p["cond_or_uncond"]),
                                                          run(p["input"], p["timestep"], **p["c"]))[1])
    assert torch.equal(together, graph.sample(model, clip, CLIP))
    assert {len(b) for b in batches} == {2}
    batches.clear()
    monkeypatch.setattr(type(model.model), "memory_required", lambda self, shape, **_: 1e30 if shape[0] > 6 else 0)
    assert torch.allclose(together, graph.sample(model, clip, CLIP), atol=5e-3)
    assert {len(b) for b in batches} == {1}


def test_a_latent_that_is_no_clip_is_refused(graph: Any) -> None:
    model, clip, _ = graph.mini()
    with pytest.raises(ValueError, match=r"latent: has 5 dimensions \(1, 4, 3, 8, 8\)"):
        graph.sample(model, clip, torch.zeros(1, 4, 3, 8, 8), node="STUNetSampler")


def test_frames_outside_a_noise_mask_stay(graph: Any) -> None:
    model, clip, _ = graph.mini()
    given = torch.randn(6, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(6, 1, 8, 8)
    mask[0] = 0
    text = graph.prompt(clip, "a rocket")
    (out,) = graph.run("KSampler", model=graph.apply(model), seed=1, steps=2, cfg=1.0, sampler_name="euler",
                       scheduler="simple", positive=text, negative=text, denoise=1.0,
                       latent_image={"samples": given, "noise_mask": mask})
    assert torch.allclose(out["samples"][0], given[0], atol=1e-4)
    assert not torch.allclose(out["samples"][1], given[1], atol=0.1)
