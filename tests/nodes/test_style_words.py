"""STUNetFitWords and STUNetAddWords: what is found lowers the loss, what is added is exactly that, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from stunet_core.mini.book import STYLES
from tests.nodes import loras, nets, stub
from tests.nodes.stub import reading_clip

SETTINGS = {"caption": "a rocket on a purple background", "steps": 4, "learning_rate": 0.05, "seed": 3, "size": 64, "fit": "crop"}


def picture(seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 50, 70, 3, generator=torch.Generator().manual_seed(seed))


def fit(graph: Any, mini: tuple, **inputs: Any) -> Any:
    model, clip, vae = mini
    return graph.run("STUNetFitWords", **SETTINGS | {"model": model, "clip": clip, "vae": vae, "image": picture()} | inputs)[0]


def prompt(graph: Any, mini: tuple, text: str = "a red apple") -> list:
    return graph.run("CLIPTextEncode", clip=mini[1], text=text)[0]


def test_words_lower_the_loss_and_leave_the_model_alone(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mini = graph.mini()
    before = loras.weights(mini[0])
    module = graph.pack.module("nodes.host.style.textual_inversion")
    losses: list[tuple[float, float]] = []
    real = module.fitted
    monkeypatch.setattr(module, "fitted", lambda *a: (lambda out: (losses.append(out[1:]), out)[1])(real(*a)))
    words = fit(graph, mini, steps=40, learning_rate=0.02)
    ((then, now),) = losses
    assert now < then
    assert words.tokens.shape == (prompt(graph, mini)[0][0].shape[-1],)
    assert words.pooled.shape == (prompt(graph, mini)[0][1]["pooled_output"].shape[-1],)
    assert words.tokens.abs().max() > 0 and words.pooled.abs().max() > 0
    assert loras.same(loras.weights(mini[0]), before), "no trace"


def test_the_seed_decides_and_a_clip_model_is_asked_as_an_image_model(graph: Any) -> None:
    model, clip, vae = graph.mini()
    first, again, applied, other = (fit(graph, mini, **more) for mini, more in (
        ((model, clip, vae), {}), ((model, clip, vae), {}), ((graph.apply(model), clip, vae), {}), ((model, clip, vae), {"seed": 4})))
    assert torch.allclose(first.tokens, again.tokens, atol=1e-3)
    assert torch.allclose(first.tokens, applied.tokens, atol=1e-3)
    assert not torch.allclose(first.tokens, other.tokens, atol=1e-3)


def test_things_are_shown_as_the_book_has_them_in_the_style_nearest_to_the_picture(graph: Any) -> None:
    model, _, vae = graph.mini()
    clip = reading_clip(graph)
    mini, said = (model, clip, vae), prompt(graph, (model, clip), "a rocket")
    words = fit(graph, mini)
    assert words.style in STYLES
    ((context, options),) = graph.run("STUNetAddWords", conditioning=said, words=words, strength=0.5)[0]
    shown = stub.Page().picture(stub.ROCKET, words.style)
    assert torch.equal(options["stunet_things"].pictures[0, 0], shown)
    assert torch.allclose(context, options["stunet_things"].context + 0.5 * words.tokens, atol=1e-5)
    for text, strength in (("a line rocket", 0.5), ("a rocket", -0.5)):  # named by the prompt; away from the style
        said = prompt(graph, (model, clip), text)
        kept = graph.run("STUNetAddWords", conditioning=said, words=words, strength=strength)[0][0][1]["stunet_things"]
        assert torch.equal(kept.pictures, said[0][1]["stunet_things"].pictures)
    again = graph.run("STUNetAddWords", conditioning=[[context, options]], words=replace(words, style="3d"), strength=0.5)[0]
    assert torch.equal(again[0][1]["stunet_things"].pictures[0, 0], shown), "of several the first one says it"


def test_a_caption_that_names_a_style_leaves_none_to_be_found(graph: Any) -> None:
    model, _, vae = graph.mini()
    assert fit(graph, (model, reading_clip(graph), vae), caption="a line rocket").style is None


def test_added_words_are_in_every_token_and_in_the_pooled_embedding(graph: Any) -> None:
    mini = graph.mini()
    words, said = replace(fit(graph, mini), style=None), prompt(graph, mini)
    (out,) = graph.run("STUNetAddWords", conditioning=said, words=words, strength=0.5)
    ((context, options),) = out
    assert torch.allclose(context - said[0][0], (0.5 * words.tokens).expand_as(context), atol=1e-5)
    assert torch.allclose(options["pooled_output"] - said[0][1]["pooled_output"], 0.5 * words.pooled, atol=1e-5)
    assert torch.equal(options["stunet_said"], said[0][1]["pooled_output"])
    assert set(options) == {*said[0][1], "stunet_said"}
    (nothing,) = graph.run("STUNetAddWords", conditioning=said, words=words, strength=0.0)
    assert torch.equal(nothing[0][0], said[0][0]) and torch.equal(nothing[0][1]["pooled_output"], said[0][1]["pooled_output"])
    (back,) = graph.run("STUNetAddWords", conditioning=out, words=words, strength=-0.5)
    assert torch.allclose(back[0][0], said[0][0], atol=1e-5), "several add up"
    assert torch.equal(back[0][1]["stunet_said"], said[0][1]["pooled_output"]), "what was said first"


def test_what_moves_hears_the_prompt_without_the_words(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporal layers get the pooled text as it was; the image layers get it with the words."""
    mini = graph.mini()
    words, said = fit(graph, mini), prompt(graph, mini)
    (worded,) = graph.run("STUNetAddWords", conditioning=said, words=words, strength=1.0)
    apply = graph.pack.module("nodes.host.walk.apply")
    heard: list[tuple[torch.Tensor, torch.Tensor]] = []
    real_embed, real_walk = apply.embed, apply.walk
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(apply, "embed", lambda net, call, *rest: (seen.append(call.y), real_embed(net, call, *rest))[1])
    monkeypatch.setattr(apply, "walk", lambda net, x, emb, y, *rest: (heard.append((seen[-1], y)), real_walk(net, x, emb, y, *rest))[1])
    graph.sample(graph.apply(mini[0]), mini[1], torch.zeros(4, 8, 8, 8), steps=1, positive=worded)
    (told, moving) = heard[0]
    assert len(heard) == 1, "both conditionings in one call"
    shift = (told - moving).abs().amax(dim=1)
    assert torch.allclose(shift.sort().values[-4:], words.pooled.abs().max().expand(4), rtol=0.02), "the prompt's frames"
    assert shift.sort().values[:4].max() == 0, "the negative prompt has none"


@pytest.mark.parametrize("family", ["SD15", "SDXL"])
def test_core_models(graph: Any, family: str) -> None:
    """SD1.5 reads no pooled embedding; SDXL's is the first part of what its U-Net is told besides, which is sizes."""
    module = graph.pack.module("nodes.host.style.textual_inversion")
    fitting = graph.pack.module("nodes.host.style.fitting")
    model = nets.model(family)
    said = nets.prompt(1)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    task, settings = fitting.described(model, said, latents), module.InversionSettings(4, 0.05, 0)
    words, before, after = module.fitted(model, task, module.pooled_in(said), settings)
    assert after < before
    assert words.tokens.shape == said[0][0].shape[-1:]
    assert (words.pooled is not None) == (family == "SDXL")
    assert words.pooled is None or words.pooled.shape == said[0][1]["pooled_output"].shape[-1:]


def test_streamed_weights_are_asked_whole(graph: Any) -> None:
    mini = graph.mini()
    assert torch.allclose(fit(graph, (nets.streamed(mini[0]), *mini[1:])).tokens, fit(graph, mini).tokens, atol=1e-3)


def test_what_cannot_be_fitted_or_added_is_refused(graph: Any) -> None:
    mini = graph.mini()
    for inputs, wanted in (({"caption": "  "}, "caption: is empty"), ({"steps": 0}, "steps: 0; give 1 or more"),
                           ({"learning_rate": 0.0}, "learning_rate: 0; give more than 0"),
                           ({"image": torch.rand(1, 8, 8, 5)}, "image: has 5 channels"),
                           ({"model": nets.transformer("Flux")}, "model: found Flux .*a style is fitted to U-Nets")):
        with pytest.raises(ValueError, match=wanted):
            fit(graph, mini, **{"steps": 1} | inputs)
    assert "is empty" in graph.pack.nodes["STUNetFitWords"].validate_inputs(caption="")
    words = fit(graph, mini, steps=1)
    with pytest.raises(ValueError, match=r"words: they were fitted to a text encoder whose tokens have .* channels"):
        graph.run("STUNetAddWords", conditioning=[[torch.zeros(1, 5, 7), {}]], words=words, strength=1.0)
