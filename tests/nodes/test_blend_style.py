"""STUNetBlendStyle: weights between a model and its styles, over sampling too."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.nodes import loras, nets

CLIP = torch.zeros(2, 8, 4, 4)


def blend(graph: Any, model: Any, style: Any, strength: float, schedule: str = "", weights: str = "", **more: Any) -> Any:
    return graph.run("STUNetBlendStyle", model=model, style=style, strength=strength, schedule=schedule, weights=weights, **more)[0]


def styled(model: Any, seed: int = 1, part: str = "attn1.to_q") -> Any:
    return loras.load(model, loras.tensors(model, seed, part))


def test_0_is_the_model_and_1_the_style(graph: Any) -> None:
    model = graph.mini()[0]
    style = styled(model)
    plain, whole = loras.weights(model), loras.weights(style)
    assert not loras.same(plain, whole)
    none = blend(graph, model, style, 0.0)
    assert not none.patches
    assert loras.same(loras.weights(none), plain)
    assert loras.same(loras.weights(blend(graph, model, style, 1.0)), whole)
    half = loras.weights(blend(graph, model, style, 0.5))
    for name, weight in half.items():
        assert torch.allclose(weight, (plain[name] + whole[name]) / 2, atol=1e-6)
    assert loras.same(loras.weights(model), plain), "no trace"


def test_loras_that_the_model_has_already_stay(graph: Any) -> None:
    model = styled(graph.mini()[0], 3, "attn2.to_v")
    style = styled(model)
    assert loras.same(loras.weights(blend(graph, model, style, 1.0)), loras.weights(style))
    assert loras.same(loras.weights(blend(graph, model, style, 0.0)), loras.weights(model))


def test_another_checkpoint_is_merged(graph: Any) -> None:
    """Of the same shape with other weights; 0 and 1 are exact here too, and a LoRA on it is part of it."""
    model = nets.model("SD15")
    made = nets.supported("SD15", nets.config("SD15")).get_model({}, "")
    made.load_state_dict({name: weight * 1.5 for name, weight in model.model.state_dict().items()})
    other = styled(nets.patcher(made))
    plain, whole = loras.weights(model), loras.weights(other)
    assert loras.same(loras.weights(blend(graph, model, other, 1.0)), whole)
    part = loras.weights(blend(graph, model, other, 0.25))
    assert all(torch.allclose(part[n], plain[n] * 0.75 + whole[n] * 0.25, atol=1e-5) for n in part)
    with pytest.raises(ValueError, match=r"schedule: style is another checkpoint"):
        blend(graph, model, other, 0.5, "0: 0, 1: 1")
    style = styled(model, 2)
    both = loras.weights(blend(graph, model, other, 0.8, style_2=style, weights="3, 1"))
    other_, style_ = loras.weights(other), loras.weights(style)
    assert all(torch.allclose(both[n], plain[n] * 0.2 + other_[n] * 0.6 + style_[n] * 0.2, atol=1e-5) for n in both)


def test_several_styles_are_weighted(graph: Any) -> None:
    model = graph.mini()[0]
    styles = [styled(model, 1), styled(model, 2), styled(model, 3, "attn2.to_k")]
    plain, *whole = (loras.weights(m) for m in (model, *styles))
    got = loras.weights(blend(graph, model, styles[0], 0.5, weights="1, 0, 3", style_2=styles[1], style_3=styles[2]))
    for name, weight in got.items():
        expected = plain[name] + 0.5 * (0.25 * (whole[0][name] - plain[name]) + 0.75 * (whole[2][name] - plain[name]))
        assert torch.allclose(weight, expected, atol=1e-5)
    alone = blend(graph, model, styles[0], 1.0, weights="1, 0", style_2=styles[1])
    assert loras.same(loras.weights(alone), whole[0])


def test_what_hangs_on_the_model_stays_at_every_strength(graph: Any) -> None:
    model = graph.mini()[0]
    applied = graph.apply(model)
    for strength in (0.0, 0.5, 1.0):
        assert blend(graph, applied, styled(model), strength).additional_models.keys() == {"stunet"}


def test_a_schedule_follows_sampling(graph: Any) -> None:
    """Flat schedules are the blends they say; the strength in between is that of each step."""
    model, clip, _ = graph.mini()
    style = styled(model)

    def sampled(which: Any, steps: int = 2) -> torch.Tensor:
        return graph.sample(which, clip, CLIP, steps=steps)

    none, half = sampled(model), sampled(blend(graph, model, style, 0.5))
    assert torch.equal(sampled(blend(graph, model, style, 1.0, "0: 0")), none)
    assert torch.allclose(sampled(blend(graph, model, style, 1.0, "0: 0.5")), half, atol=1e-4)
    assert not torch.allclose(none, half, atol=1e-3)
    strengths: list[float] = []
    grows = blend(graph, model, style, 1.0, "0: 0, 0.75: 0.75")
    (hook,) = grows.hook_patches
    patches = grows.hook_patches[hook]
    key = next(iter(patches))
    before = model.model.state_dict()[key].clone()
    change = loras.weights(style)[key.removeprefix("diffusion_model.")] - before
    loras.weights(model)

    def note(run: Any, p: dict) -> torch.Tensor:
        now = model.model.state_dict()[key] - before
        strengths.append(float((now * change).sum() / change.square().sum()))
        assert len(p["cond_or_uncond"]) == 2, "one batch"
        return run(p["input"], p["timestep"], **p["c"])

    grows.set_model_unet_function_wrapper(note)
    first = sampled(grows, 4)
    assert strengths[0] == 0
    assert strengths == sorted(strengths) and 0.6 < strengths[-1] <= 0.76
    assert torch.equal(model.model.state_dict()[key], before), "the weights are back"
    assert torch.equal(sampled(grows, 4), first), "and the next clip begins at the beginning"
    assert torch.equal(sampled(model), none)


def test_a_schedule_of_a_streamed_model_follows_sampling_too(graph: Any) -> None:
    """ComfyUI has no hooks for models whose weights it streams."""
    model, clip, _ = graph.mini()
    stream = nets.streamed(model)
    want = graph.sample(blend(graph, model, styled(model), 1.0, "0: 0, 0.5: 0.5"), clip, CLIP)
    out = blend(graph, stream, styled(stream), 1.0, "0: 0, 0.5: 0.5")
    assert torch.allclose(graph.sample(out, clip, CLIP), want, atol=1e-4)
    assert blend(graph, stream, styled(stream), 0.5).is_dynamic(), "without a schedule it stays as it was"
    unknown = nets.streamed(model, known=False)
    with pytest.raises(ValueError, match="model: a schedule needs its weights whole"):
        blend(graph, unknown, styled(unknown), 1.0, "0: 0, 0.5: 0.5")


def test_branches_do_not_leak(graph: Any) -> None:
    model = graph.mini()[0]
    first, second = (blend(graph, model, styled(model, seed), 0.5) for seed in (1, 2))
    weights = loras.weights(first)
    assert not loras.same(loras.weights(second), weights)
    assert loras.same(loras.weights(first), weights)


def test_what_is_no_style_of_the_model_is_refused(graph: Any) -> None:
    model = graph.mini()[0]
    foreign = loras.tensors(nets.model("SD15"), 1)
    unknown = {f"other_{name}": tensor for name, tensor in foreign.items()}
    with pytest.raises(ValueError, match=r"style: its weights are those of model\. If they come from a LoRA, it was made for another"):
        blend(graph, model, loras.load(model, unknown), 0.5)
    with pytest.raises(ValueError, match=r"style: it has a LoRA for another model: at .*to_q\.weight it is .* the model 64 x 64"):
        blend(graph, model, loras.load(model, foreign), 0.5)
    with pytest.raises(ValueError, match=r"style_2: it is another kind of model \(BaseModel\) than model \(MiniModel\)"):
        blend(graph, model, styled(model), 0.5, style_2=nets.model("SD15"))
    with pytest.raises(ValueError, match="weights: 1 of them for 2 styles"):
        blend(graph, model, styled(model), 0.5, weights="1", style_2=styled(model, 2))
    node = graph.pack.nodes["STUNetBlendStyle"]
    assert "is no keyframe" in node.validate_inputs(schedule="half")
    assert node.validate_inputs(schedule="0: 1") is True
