"""STUNetThingFromPicture: words, pictures, pooled text and drafts are those of the user's own picture."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch

from tests import tiny
from tests.nodes import stub
from tests.nodes.stub import reading_clip
from tests.nodes.test_mini import seen

DRAFTS = slice(19, 37)  # of the U-Net's input


def drawing(colour: tuple[float, float, float] = (0.1, 0.3, 0.8)) -> torch.Tensor:
    image = torch.ones(1, 100, 120, 3)
    image[:, 20:80, 20:100] = torch.tensor(colour)
    return image


@pytest.fixture
def clip(graph: Any) -> Any:
    return reading_clip(graph)


def shown(graph: Any, clip: Any, text: str = "a rocket", **inputs: Any) -> list:
    return graph.run("STUNetThingFromPicture", **{"conditioning": graph.prompt(clip, text), "image": drawing()} | inputs)[0]


def page(graph: Any, image: torch.Tensor, colour: str | None = None) -> torch.Tensor:
    """The picture as the model is shown it."""
    core = "stunet_core.mini.pictures"
    own = graph.pack.module(f"{core}.own_picture").laid_out(graph.pack.module(f"{core}.cut_out").cut_out(image[0].numpy()))
    return (own.painted(colour) if colour else own).encoded(tiny.autoencoder().encode)


def test_it_is_what_the_encoder_makes_of_the_users_picture(graph: Any, clip: Any) -> None:
    before = graph.prompt(clip, "a rocket")
    (context, extra), = shown(graph, clip)
    things, own = extra["stunet_things"], page(graph, drawing())
    assert torch.allclose(things.pictures[0, 0], own, atol=1e-5) and things.shown.tolist() == [[True, False]]
    pictures = torch.stack([own, torch.zeros(tiny.CONFIG.picture_shape)])[None]
    expected, pooled = tiny.pictures().beside(before[0][0][:, :32], things.words, pictures, things.shown)
    assert torch.allclose(context, expected, atol=1e-5) and torch.allclose(extra["pooled_output"], pooled, atol=1e-5)
    assert not torch.allclose(context[:, 32:68], before[0][0][:, 32:68], atol=1e-2)
    assert extra["stunet_notes"] == ["rocket: your own picture is shown"]
    assert torch.equal(before[0][1]["stunet_things"].pictures[0, 0], stub.Page().picture(3, "flat")), "the prompt is left as it was"


def test_drafts_show_it(graph: Any, clip: Any) -> None:
    model = graph.apply(graph.mini()[0])
    said = graph.prompt(clip, "a rocket"), shown(graph, clip), shown(graph, clip, image=drawing((0.9, 0.9, 0.2)))
    book, own, other = (seen(graph, model, clip, positive=positive)[:, DRAFTS] for positive in said)
    assert own[:, :9].any() and not own[:, 9:].any()
    assert not torch.allclose(own, book, atol=1e-2) and not torch.allclose(own[:, :8], other[:, :8], atol=1e-2)
    first, second = (positive[0][1]["stunet_things"].pictures[0, 0, 8] for positive in said[1:])
    assert torch.allclose(first, second, atol=1e-5), "of the same outline"


def test_a_prompt_without_a_known_thing_shows_it_too(graph: Any, clip: Any) -> None:
    things = shown(graph, clip, "up")[0][1]["stunet_things"]
    assert things.shown.tolist() == [[True, False]] and not graph.prompt(clip, "up")[0][1]["stunet_things"].shown.any()


def test_the_packs_own_reader_moves_what_nobody_knows(graph: Any) -> None:
    clip = graph.mini()[1]
    (context, extra), = shown(graph, clip, "my mascot flying up")
    assert extra["stunet_things"].shown.tolist() == [[True, False]]
    assert extra["stunet_notes"] == ["mascot: your own picture is shown"]
    plain = clip.encode_from_tokens({"mini": clip.tokenizer.chunks.tokenize_with_weights("a zzz flying up")})
    assert torch.allclose(context[:, :32], plain[:, :32], atol=1e-6), "the words say that it flies up"


def test_one_of_two_things_and_both(graph: Any, clip: Any) -> None:
    yellow = drawing((0.9, 0.8, 0.1))
    second = shown(graph, clip, "rocket up", which="second")
    both = shown(graph, clip, conditioning=second, image=yellow, which="first")
    book, blue = stub.Page().picture(3, "flat"), page(graph, drawing())
    for found, expected in ((second, (book, blue)), (both, (page(graph, yellow), blue))):
        things = found[0][1]["stunet_things"]
        assert things.shown.all() and torch.allclose(things.pictures[0], torch.stack(expected), atol=1e-5)


def test_a_colour_of_the_prompt_paints_it(graph: Any, clip: Any) -> None:
    things = shown(graph, clip, "a red rocket")[0][1]["stunet_things"]
    assert torch.allclose(things.pictures[0, 0], page(graph, drawing(), "red"), atol=1e-5)


def test_masks_and_transparency_say_what_the_thing_is(graph: Any, clip: Any, caplog: pytest.LogCaptureFixture) -> None:
    busy = torch.rand(1, 100, 120, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 100, 120)
    mask[:, 20:80, 20:100] = 1
    first = shown(graph, clip, image=busy, mask=mask)[0][1]["stunet_things"].pictures
    for inputs in ({"image": busy, "mask": mask[0]}, {"image": torch.cat([busy, mask[..., None]], dim=-1)},
                   {"image": torch.cat([busy, drawing()]), "mask": mask}):
        caplog.clear()
        assert torch.allclose(shown(graph, clip, **inputs)[0][1]["stunet_things"].pictures, first, atol=0.05)
        assert ("has 2 pictures; the first one is the thing" in caplog.text) == (len(inputs["image"]) == 2)
    opaque = torch.cat([drawing(), torch.ones(1, 100, 120, 1)], dim=-1)
    assert torch.allclose(shown(graph, clip, image=opaque)[0][0], shown(graph, clip)[0][0], atol=1e-5)
    for wrong, said in ((torch.zeros(1, 64, 64), "mask: is black everywhere"), (torch.zeros(0, 8, 8), r"mask: is \(0, 8, 8\)")):
        with pytest.raises(ValueError, match=said):
            shown(graph, clip, mask=wrong)
    with pytest.raises(ValueError, match="image: its background is not plain"):
        shown(graph, clip, image=busy)


def test_what_was_made_of_it_is_said(graph: Any, clip: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        shown(graph, clip)
    assert "rocket: your own picture is shown" in caplog.text


def test_conditioning_that_is_not_a_prompt_of_the_mini_model_is_refused(graph: Any, clip: Any) -> None:
    foreign = [[torch.zeros(1, 77, 768), {"pooled_output": torch.zeros(1, 768)}]]
    with pytest.raises(ValueError, match=r"conditioning: is another model's \(768 wide\).*CLIP output of Load Mini Model"):
        shown(graph, clip, conditioning=foreign)
    words = graph.pack.module("nodes.host.style.textual_inversion")
    prompt = graph.prompt(clip, "a rocket")
    changed = (words.worded(prompt, words.Words(torch.ones(32), torch.ones(32)), 1.0),
               graph.run("ConditioningZeroOut", conditioning=prompt)[0],
               graph.run("ConditioningConcat", conditioning_to=prompt, conditioning_from=prompt)[0])
    for conditioning in changed:
        with pytest.raises(ValueError, match="conditioning: was changed since CLIP Text Encode"):
            shown(graph, clip, conditioning=conditioning)
    area = graph.run("ConditioningSetArea", conditioning=prompt, width=32, height=16, x=16, y=8, strength=1.0)[0]
    assert shown(graph, clip, conditioning=area)[0][1]["area"] == area[0][1]["area"], "what else is said stays"
