"""The embedded model inside ComfyUI: the same numbers as in training, and everything core's nodes expect of it."""

from __future__ import annotations

import gc
import importlib
import logging
import weakref
from typing import Any

import pytest
import torch

from tests import tiny


def test_comfyuis_unet_gives_the_numbers_of_the_one_that_was_trained(graph: Any) -> None:
    net = graph.mini()[0].model.diffusion_model
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(3, 9, 13, 16, generator=generator), torch.randn(3, 32, generator=generator)
    t, context = torch.tensor([0.0, 500.0, 999.0]), torch.randn(3, 32, 32, generator=generator)
    ours = tiny.unet()(x, t, context, y)
    assert torch.allclose(net(x, t, context, y), ours, atol=1e-5)
    assert ours.std() > 0.01


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_layers_that_keep_the_type_of_what_is_loaded_compute_in_the_right_one(
        graph: Any, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """As newer ComfyUIs' linear layers do on a GPU."""
    def keep(layer: torch.nn.Linear, state: dict[str, torch.Tensor], prefix: str, *_: Any) -> None:
        for name in ("weight", "bias"):
            if prefix + name in state:
                setattr(layer, name, torch.nn.Parameter(state[prefix + name].clone(), requires_grad=False))

    module = graph.pack.module("nodes.host.mini.model")
    monkeypatch.setattr(importlib.import_module("comfy.ops").disable_weight_init.Linear, "_load_from_state_dict", keep)
    monkeypatch.setattr(module, "dtypes", lambda device, parameters: (dtype, None))
    model, clip, _ = graph.mini()
    assert {p.dtype for p in model.model.diffusion_model.parameters()} == {dtype}
    clips = graph.sample(graph.apply(model), clip, torch.zeros(4, 4, 4, 4))
    assert clips.isfinite().all() and clips.std() > 0.1


def test_comfyui_samples_on_the_schedule_that_was_trained(graph: Any) -> None:
    schedule = importlib.import_module("stunet_core.mini.schedule")
    sigmas = graph.mini()[0].model.model_sampling.sigmas
    bar = schedule.alphas_bar()
    assert torch.allclose(sigmas, ((1 - bar) / bar).sqrt(), rtol=2e-3)


def test_two_loaders_share_one_set_of_weights(graph: Any) -> None:
    (model, clip, vae), (model2, clip2, vae2) = graph.mini(), graph.mini()
    assert model.model is model2.model
    assert clip.cond_stage_model is clip2.cond_stage_model
    assert vae.first_stage_model is vae2.first_stage_model
    assert model is not model2


def test_weights_that_nobody_uses_are_gone(graph: Any) -> None:
    mm = importlib.import_module("comfy.model_management")
    model, clip, vae = graph.mini()
    graph.sample(graph.apply(model), clip, torch.zeros(4, 4, 4, 4))
    modules = [weakref.ref(m) for m in (model.model, clip.cond_stage_model, vae.first_stage_model)]
    copy = model.clone()
    del model, clip, vae
    gc.collect()
    assert modules[0]() is graph.mini()[0].model, "a clone keeps the weights for the next loader"
    del copy
    mm.unload_all_models()
    gc.collect()
    assert [ref() for ref in modules] == [None, None, None]


def test_a_file_that_changed_is_loaded_anew(graph: Any) -> None:
    model = graph.mini()[0]
    node = graph.pack.nodes["STUNetLoadMini"]
    before = node.fingerprint_inputs(weights="mini.safetensors")
    path = graph.weights / "mini.safetensors"
    path.write_bytes(path.read_bytes())
    assert node.fingerprint_inputs(weights="mini.safetensors") != before
    assert graph.mini()[0].model is not model.model


def test_without_conditioning_everything_is_generated(graph: Any) -> None:
    noise = torch.randn(3, 4, 6, 5)
    concat = graph.mini()[0].model.concat_cond(noise=noise, latent_image=torch.ones_like(noise), device=noise.device)
    assert torch.equal(concat, torch.cat([torch.ones(3, 1, 6, 5), torch.zeros(3, 4, 6, 5)], dim=1))


def test_what_is_given_is_seen_only_outside_the_mask(graph: Any) -> None:
    model, clip, vae = graph.mini()
    mask = torch.zeros(3, 16, 16)
    mask[:, :, :8] = 1  # generate the left half
    pixels = torch.rand(3, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    text = graph.prompt(clip, "a rocket")
    positive, _, latent = graph.run("InpaintModelConditioning", positive=text, negative=text, pixels=pixels, vae=vae,
                                    mask=mask, noise_mask=True)
    noise = torch.zeros(3, 4, 2, 2)
    concat = model.model.concat_cond(noise=noise, device=noise.device, **positive[0][1])
    assert torch.equal(concat[:, 0], torch.tensor([1.0, 0.0]).expand(3, 2, 2))
    assert not concat[:, 1:, :, 0].any()
    given = positive[0][1]["concat_latent_image"]
    assert torch.equal(concat[:, 1:, :, 1], given[..., 1])
    assert graph.run("KSampler", model=model, seed=1, steps=1, cfg=1.0, sampler_name="euler", scheduler="simple",
                     positive=positive, negative=positive, latent_image=latent, denoise=1.0)


def test_conditioning_of_another_models_text_encoder_is_refused(graph: Any) -> None:
    model, clip, _ = graph.mini()
    foreign = [[torch.zeros(1, 77, 768), {"pooled_output": torch.zeros(1, 768)}]]
    with pytest.raises(ValueError, match="cross_attn is 768 wide, the mini model's is 32"):
        graph.sample(model, clip, torch.zeros(1, 4, 4, 4), positive=foreign)


def test_prompts_are_encoded_as_in_training(graph: Any) -> None:
    clip = graph.mini()[1]
    (context, extra), = graph.prompt(clip, "a 3D style Rocket")
    tokenizer, encoder = clip.tokenizer.tokenizer, clip.cond_stage_model.encoder
    ids = torch.tensor([tokenizer.pad(tokenizer.encode("a 3D style Rocket"), tiny.CONFIG.text_tokens)])
    expected, pooled = encoder(ids)
    assert torch.allclose(context, expected, atol=1e-6)
    assert torch.allclose(extra["pooled_output"], pooled, atol=1e-6)


def test_a_weighted_word_counts_more(graph: Any) -> None:
    clip = graph.mini()[1]
    plain, weighted = (graph.prompt(clip, text)[0][0] for text in ("a rocket", "a (rocket:1.3)"))
    changed = (plain - weighted).abs().amax(dim=-1)[0]
    assert changed[2] > 1e-3  # after the begin token and "a"
    assert changed[:2].max() == 0


def test_a_prompt_of_10000_characters_is_encoded_in_chunks(graph: Any) -> None:
    clip = graph.mini()[1]
    (context, extra), = graph.prompt(clip, ("rocket flying up " * 600)[:10_000])
    assert context.shape[1] % tiny.CONFIG.text_tokens == 0
    assert context.shape[1] > 1000
    assert torch.isfinite(context).all()
    (_, first), = graph.prompt(clip, "rocket flying up " * 10)
    assert torch.allclose(extra["pooled_output"], first["pooled_output"], atol=1e-5)


def test_a_prompt_without_a_known_word_says_so_and_an_empty_one_does_not(
        graph: Any, caplog: pytest.LogCaptureFixture) -> None:
    clip = graph.mini()[1]
    with caplog.at_level(logging.WARNING):
        graph.prompt(clip, "")
        graph.prompt(clip, "qqqq rocket")
        assert "no word of the prompt" not in caplog.text
        graph.prompt(clip, "qqqq zzzz")
    assert "no word of the prompt 'qqqq zzzz'" in caplog.text


def test_core_vae_nodes_run_the_autoencoder(graph: Any) -> None:
    vae = graph.mini()[2]
    images = torch.rand(3, 30, 24, 3, generator=torch.Generator().manual_seed(0))
    (latent,) = graph.run("VAEEncode", pixels=images, vae=vae)
    expected = vae.first_stage_model.encode(images[:, 3:27].movedim(-1, 1) * 2 - 1)
    assert torch.allclose(latent["samples"], expected, atol=1e-5), "core crops to a multiple of 8, around the middle"
    (frames,) = graph.run("VAEDecode", samples=latent, vae=vae)
    assert frames.shape == (3, 24, 24, 3)
    assert 0 <= frames.min() < frames.max() <= 1


def test_previews_use_the_checkpoints_colours(graph: Any) -> None:
    latent_preview = importlib.import_module("latent_preview")
    latent_format = graph.mini()[0].model.latent_format
    previewer = latent_preview.Latent2RGBPreviewer(latent_format.latent_rgb_factors,
                                                   latent_format.latent_rgb_factors_bias)
    latents = torch.zeros(2, 4, 8, 6)
    latents[0, 0] = 1
    preview = previewer.decode_latent_to_preview(latents)
    assert preview.size == (6, 8)
    expected = (torch.tensor(tiny.RGB[0]) + torch.tensor(tiny.RGB[4]) + 1) / 2 * 255
    assert torch.allclose(torch.tensor(preview.getpixel((0, 0))).float(), expected, atol=1.5)
