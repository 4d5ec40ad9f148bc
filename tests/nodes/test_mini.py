"""The embedded model inside ComfyUI: the same numbers as in training, and everything core's nodes expect of it."""

from __future__ import annotations

import gc
import importlib
import logging
import weakref
from dataclasses import replace
from typing import Any

import pytest
import torch

from stunet_core.mini.checkpoint import load_checkpoint
from stunet_core.mini.config import MiniConfig
from stunet_core.mini.frame_time import drawn, evenly, there_and_back
from stunet_core.mini.inputs import coordinates
from stunet_core.mini.noise import ALONE, share
from stunet_core.mini.poses.drafter import Drafter
from tests import tiny
from tests.nodes import stub
from tests.nodes.stub import reading_clip


@pytest.mark.parametrize("config", [
    tiny.CONFIG, MiniConfig(model_channels=32, channel_mult=(1, 3, 2), num_res_blocks=(1, 2, 1), head_channels=16, context_dim=32),
    MiniConfig(model_channels=32, channel_mult=(1, 2), num_res_blocks=(2, 1), attention=(False, True), head_channels=32, context_dim=16),
], ids=["tiny", "uneven", "two levels"])
def test_comfyuis_unet_gives_the_numbers_of_the_one_that_was_trained(graph: Any, config: MiniConfig) -> None:
    trained = tiny.unet(config)
    made = importlib.import_module("comfy.ldm.modules.diffusionmodules.openaimodel").UNetModel(
        **graph.pack.module("nodes.host.mini.model").unet_config(config), dtype=torch.float32)
    made.load_state_dict(trained.state_dict())
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(3, config.in_channels, 13, 16, generator=generator), torch.randn(3, config.y_channels, generator=generator)
    t, context = torch.tensor([0.0, 500.0, 999.0]), torch.randn(3, 32, config.context_dim, generator=generator)
    ours = trained(x, t, context, y)
    assert torch.allclose(made.eval()(x, t, context, y), ours, atol=1e-4)
    assert ours.std() > 0.01


def test_the_model_that_is_loaded_is_the_one_of_the_file(graph: Any) -> None:
    net = graph.mini()[0].model.diffusion_model
    x, t, context, y = tiny.inputs(2, 1)
    assert torch.allclose(net(x, t, context, y), tiny.unet()(x, t, context, y), atol=1e-5)


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
    clips = graph.sample(graph.apply(model), clip, torch.zeros(4, 8, 4, 4))
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
    graph.sample(graph.apply(model), clip, torch.zeros(4, 8, 4, 4))
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
    noise = torch.randn(3, 8, 6, 5)
    concat = graph.mini()[0].model.concat_cond(noise=noise, latent_image=torch.ones_like(noise), device=noise.device)
    at = coordinates(6, 5).expand(3, -1, -1, -1)
    assert torch.equal(concat, torch.cat([torch.ones(3, 1, 6, 5), torch.zeros(3, 8, 6, 5), at, torch.zeros(3, 18, 6, 5)], dim=1))


def test_what_is_given_is_seen_only_outside_the_mask(graph: Any) -> None:
    model, clip, vae = graph.mini()
    mask = torch.zeros(3, 32, 32)
    mask[:, :, :16] = 1  # generate the left half
    pixels = torch.rand(3, 32, 32, 3, generator=torch.Generator().manual_seed(0))
    text = graph.prompt(clip, "a rocket")
    positive, _, latent = graph.run("InpaintModelConditioning", positive=text, negative=text, pixels=pixels, vae=vae,
                                    mask=mask, noise_mask=True)
    noise = torch.zeros(3, 8, 2, 2)
    concat = model.model.concat_cond(noise=noise, device=noise.device, **positive[0][1])
    assert torch.equal(concat[:, 0], torch.tensor([1.0, 0.0]).expand(3, 2, 2))
    assert not concat[:, 1:9, :, 0].any()
    given = positive[0][1]["concat_latent_image"]
    assert torch.equal(concat[:, 1:9, :, 1], given[..., 1])
    assert graph.run("KSampler", model=model, seed=1, steps=1, cfg=1.0, sampler_name="euler", scheduler="simple",
                     positive=positive, negative=positive, latent_image=latent, denoise=1.0)


def seen(graph: Any, model: Any, clip: Any, **inputs: Any) -> torch.Tensor:
    """What the U-Net was given at the first step of a sampling, x n 37 h w"""
    inside: list[torch.Tensor] = []
    listening = model.clone()

    def listen(executor: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        inside.append(x)
        return executor(x, *args, **kwargs)

    kind = importlib.import_module("comfy.patcher_extension").WrappersMP.DIFFUSION_MODEL
    listening.add_wrapper_with_key(kind, "listening", listen)
    graph.sample(listening, clip, **{"samples": torch.zeros(4, 8, 4, 6), "steps": 1, "cfg": 1.0} | inputs)
    return inside[0]


def test_a_clip_is_filled_in_from_what_is_given_and_a_batch_of_pictures_is_not(graph: Any) -> None:
    model, clip, vae = graph.mini()
    text = graph.prompt(clip, "a rocket")
    mask = torch.ones(4, 64, 96)
    mask[1] = 0
    positive, _, latent = graph.run("InpaintModelConditioning", positive=text, negative=text, pixels=torch.rand(4, 64, 96, 3), vae=vae,
                                    mask=mask, noise_mask=False)
    given = positive[0][1]["concat_latent_image"]
    for made, expected in ((graph.apply(model), [given[1]] * 4), (model, [0 * given[0], given[1], 0 * given[0], 0 * given[0]])):
        x = seen(graph, made, clip, positive=positive, samples=latent["samples"])
        assert torch.equal(x[:, 8, 0, 0], torch.tensor([1.0, 0.0, 1.0, 1.0]))
        assert torch.allclose(x[:, 9:17], torch.stack(expected), atol=1e-6)


def test_what_is_given_in_a_loop_is_near_across_its_seam(graph: Any) -> None:
    model, clip, vae = graph.mini()
    text = graph.prompt(clip, "a rocket")
    mask = torch.ones(8, 64, 64)
    mask[[3, 7]] = 0
    positive, _, latent = graph.run("InpaintModelConditioning", positive=text, negative=text, pixels=torch.rand(8, 64, 64, 3), vae=vae,
                                    mask=mask, noise_mask=False)
    given = positive[0][1]["concat_latent_image"]
    for loop, nearest in ((False, [3, 3, 3, 3, 3, 3, 7, 7]), (True, [7, 7, 3, 3, 3, 3, 7, 7])):
        x = seen(graph, graph.apply(model, loop=loop), clip, positive=positive, samples=latent["samples"])
        assert torch.allclose(x[:, 9:17], given[nearest], atol=1e-6)


def test_an_area_of_the_picture_knows_where_it_is(graph: Any) -> None:
    model, clip, _ = graph.mini()
    whole = seen(graph, model, clip)
    (area,) = graph.run("ConditioningSetArea", conditioning=graph.prompt(clip, "a rocket"), width=32, height=16, x=16, y=8, strength=1.0)
    part = seen(graph, model, clip, positive=area)  # in cells of 8 pixels, as core has it: 2 x 4 from row 1, column 2
    assert torch.equal(part[:, 17:19], whole[:, 17:19, 1:3, 2:6])


def test_given_latents_of_another_vae_are_refused(graph: Any) -> None:
    model, clip, _ = graph.mini()
    foreign = [[context, values | {"concat_latent_image": torch.zeros(4, 4, 4, 6), "concat_mask": torch.ones(4, 1, 4, 6)}]
               for context, values in graph.prompt(clip, "a rocket")]
    with pytest.raises(ValueError, match="encoded with another model's VAE"):
        graph.sample(model, clip, torch.zeros(4, 8, 4, 6), positive=foreign)


def test_the_things_of_a_prompt_are_drawn_where_they_are_by_then(graph: Any) -> None:
    model, clip = graph.mini()[0], reading_clip(graph)
    prompt = graph.prompt(clip, "a rocket")
    things = prompt[0][1]["stunet_things"]
    x = seen(graph, graph.apply(model), clip, positive=prompt, seed=3)
    noise = share(importlib.import_module("comfy.sample").prepare_noise(torch.zeros(4, 8, 4, 6), 3), ALONE)
    times = evenly(1, 4)[0] + float(drawn(noise[None])[0])
    drafter = Drafter(tiny.pose_head(), tiny.autoencoder())
    expected = drafter.drawn(drafter.guess(things.words, times), things.pictures[0], things.shown[0], 4, 6)
    assert expected.any() and torch.allclose(x[:, 19:], expected, atol=1e-5)
    picture = seen(graph, model, clip, positive=prompt, samples=torch.zeros(2, 8, 4, 6))
    assert torch.allclose(picture[0, 19:], picture[1, 19:], atol=0.02) and picture[0, 19:].any(), "of a picture, in the middle of its time"
    assert not seen(graph, model, clip, positive=graph.prompt(clip, ""))[:, 19:].any()


def test_the_things_of_a_loop_go_forth_and_back(graph: Any) -> None:
    """A loop has no time to be told; its things are drafted all the same, and the frame after the last is the first."""
    model, clip = graph.mini()[0], reading_clip(graph)
    prompt = graph.prompt(clip, "a rocket")
    things = prompt[0][1]["stunet_things"]
    x = seen(graph, graph.apply(model, loop=True), clip, positive=prompt, samples=torch.zeros(8, 8, 4, 6))
    drafter = Drafter(tiny.pose_head(), tiny.autoencoder())
    expected = drafter.drawn(drafter.guess(things.words, there_and_back(8)), things.pictures[0], things.shown[0], 4, 6)
    assert expected.any() and torch.allclose(x[:, 19:], expected, atol=1e-5)


def test_an_empty_latent_made_for_other_cells_is_said(graph: Any, caplog: pytest.LogCaptureFixture) -> None:
    model, clip, _ = graph.mini()
    with caplog.at_level(logging.WARNING):
        graph.sample(model, clip, torch.zeros(1, 8, 20, 20), steps=1)
        assert "connect its MODEL" not in caplog.text
        graph.sample(model, clip, torch.zeros(1, 4, 32, 32), steps=1)
    assert "512x512 pixels" in caplog.text and "connect its MODEL to Empty Clip" in caplog.text


def test_conditioning_of_another_models_text_encoder_is_refused(graph: Any) -> None:
    model, clip, _ = graph.mini()
    foreign = [[torch.zeros(1, 77, 768), {"pooled_output": torch.zeros(1, 768)}]]
    with pytest.raises(ValueError, match="cross_attn is 768 wide, the mini model's is 32"):
        graph.sample(model, clip, torch.zeros(1, 8, 4, 4), positive=foreign)


@pytest.fixture
def plain(graph: Any) -> Any:
    return reading_clip(graph)


def test_prompts_are_encoded_as_in_training(graph: Any, plain: Any) -> None:
    (context, extra), = graph.prompt(plain, "a 3D style Rocket")
    tokenizer, encoder = plain.tokenizer.tokenizer, plain.cond_stage_model.encoder
    ids = torch.tensor([tokenizer.pad(tokenizer.encode("a 3D style Rocket"), tiny.CONFIG.text_tokens)])
    pictures = torch.stack([stub.Page().picture(3, "flat"), torch.zeros(tiny.CONFIG.picture_shape)])[None]
    words, said = encoder(ids)
    expected, pooled = tiny.pictures().beside(words, said, pictures, torch.tensor([[True, False]]))
    assert torch.allclose(context, expected, atol=1e-6) and context.shape == (1, 32 + 72, 32)
    assert torch.allclose(extra["pooled_output"], pooled, atol=1e-6)
    assert extra["stunet_notes"] == ["rocket: as it is in the book"]
    assert torch.allclose(extra["stunet_things"].words, encoder(ids)[1], atol=1e-6), "what moves hears the words alone"


def test_a_prompt_that_names_nothing_shows_nothing(graph: Any, plain: Any) -> None:
    (context, extra), = graph.prompt(plain, "")
    tokens, added = tiny.pictures()(*tiny.pictures().none())
    assert torch.allclose(context[:, 32:], tokens, atol=1e-6) and not added.any() and extra["stunet_notes"] == []


@pytest.mark.parametrize("styled", ["not", "before", "after"])
def test_a_prompt_that_is_zeroed_shows_nothing(graph: Any, plain: Any, styled: str) -> None:
    """ConditioningZeroOut keeps what it does not know: the prompt's things, and how they move beside a style's words."""
    module = graph.pack.module("nodes.host.style.textual_inversion")
    words = module.Words(torch.ones(32), torch.ones(32))
    prompt = graph.prompt(plain, "a rocket")
    zeroed = graph.run("ConditioningZeroOut", conditioning=module.worded(prompt, words, 1.0) if styled == "before" else prompt)[0]
    zeroed = module.worded(zeroed, words, 1.0) if styled == "after" else zeroed
    model, noise = graph.mini()[0].model, torch.randn(2, 8, 8, 8)

    def conds(conditioning: list) -> dict[str, torch.Tensor]:
        told = {"cross_attn": conditioning[0][0], **conditioning[0][1], "stunet_times": torch.zeros(2), "stunet_frames": 2}
        made = model.extra_conds(noise=noise, latent_image=torch.zeros_like(noise), device=noise.device, **told)
        return {name: made[name].cond for name in ("c_concat", "y", "stunet_said")}

    shown, silent = conds(prompt), conds(zeroed)
    assert shown["c_concat"][:, 11:].any() and not silent["c_concat"][:, 11:].any()
    assert shown["stunet_said"][:, :32].any() and not silent["stunet_said"][:, :32].any()
    assert silent["y"][:, :32].any() == (styled == "after")


def test_a_thing_in_a_colour_is_painted(graph: Any, plain: Any) -> None:
    plain_context, painted = (graph.prompt(plain, text)[0][0] for text in ("a rocket", "a red rocket"))
    assert not torch.allclose(plain_context[:, 32:68], painted[:, 32:68], atol=1e-3)
    assert torch.equal(plain_context[:, 68:], painted[:, 68:]), "the second slot shows nothing"


def test_the_packs_own_reader_and_book_serve_every_language(graph: Any) -> None:
    clip = graph.mini()[1]
    tokens = [clip.tokenize(text) for text in ("a flat dog", "un perro plano", "ein flacher Hund", "a (dog:1.3), flat")]
    pictures = [each["mini_pictures"] for each in tokens]
    assert all(second is None and torch.equal(first, pictures[0][0]) for first, second in pictures)
    assert pictures[0][0].shape == tiny.CONFIG.picture_shape
    assert {weight for _, weight in tokens[3]["mini"][0]} == {1.0, 1.3}


def test_a_book_whose_pictures_are_of_another_size_is_refused(graph: Any) -> None:
    checkpoint = load_checkpoint(graph.weights / "mini.safetensors")
    other = replace(checkpoint, config=replace(tiny.CONFIG, picture_cells=8))
    weight_cache = graph.pack.module("nodes.host.runtime.weight_cache").WeightCache()
    with pytest.raises(ValueError, match=r"book\.safetensors: its pictures are 9x12x12, and the mini model is shown 9x8x8"):
        graph.pack.module("nodes.host.mini.reading").reading(weight_cache, other)


def test_a_weighted_word_counts_more(graph: Any, plain: Any) -> None:
    normal, weighted = (graph.prompt(plain, text)[0][0] for text in ("a rocket", "a (rocket:1.3)"))
    changed = (normal - weighted).abs().amax(dim=-1)[0]
    assert changed[2] > 1e-3  # after the begin token and "a"
    assert changed[:2].max() == 0 and changed[32:].max() == 0


def test_a_prompt_of_10000_characters_is_encoded_in_chunks(graph: Any, plain: Any) -> None:
    (context, extra), = graph.prompt(plain, ("rocket flying up " * 600)[:10_000])
    assert context.shape[1] % 104 == 0 and context.shape[1] > 1000
    assert torch.isfinite(context).all()
    chunks = context.unflatten(1, (-1, 104))
    assert torch.equal(chunks[:, 0, 32:], chunks[:, -1, 32:]), "pictures stand behind each chunk of words"
    (_, first), = graph.prompt(plain, "rocket flying up " * 10)
    assert torch.allclose(extra["pooled_output"], first["pooled_output"], atol=1e-5)


def test_what_was_made_of_a_prompt_is_said(graph: Any, plain: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        graph.prompt(plain, "")
        assert "in the book" not in caplog.text
        graph.prompt(plain, "a rocket")
    assert "rocket: as it is in the book" in caplog.text


def test_core_vae_nodes_run_the_autoencoder(graph: Any) -> None:
    vae = graph.mini()[2]
    images = torch.rand(3, 38, 48, 3, generator=torch.Generator().manual_seed(0))
    (latent,) = graph.run("VAEEncode", pixels=images, vae=vae)
    expected = vae.first_stage_model.encode(images[:, 3:35].movedim(-1, 1) * 2 - 1)
    assert torch.allclose(latent["samples"], expected, atol=1e-5), "core crops to a multiple of 16, around the middle"
    (frames,) = graph.run("VAEDecode", samples=latent, vae=vae)
    assert frames.shape == (3, 32, 48, 3)
    assert 0 <= frames.min() < frames.max() <= 1


def test_previews_use_the_checkpoints_colours(graph: Any) -> None:
    latent_preview = importlib.import_module("latent_preview")
    latent_format = graph.mini()[0].model.latent_format
    previewer = latent_preview.Latent2RGBPreviewer(latent_format.latent_rgb_factors,
                                                   latent_format.latent_rgb_factors_bias)
    latents = torch.zeros(2, 8, 8, 6)
    latents[0, 0] = 1
    preview = previewer.decode_latent_to_preview(latents)
    assert preview.size == (6, 8)
    expected = (torch.tensor(tiny.RGB[0]) + torch.tensor(tiny.RGB[8]) + 1) / 2 * 255
    assert torch.allclose(torch.tensor(preview.getpixel((0, 0))).float(), expected, atol=1.5)
