"""STUNetStyleReference: what it adds, what it leaves alone, and what it refuses."""

from __future__ import annotations

import importlib
import logging
from typing import Any

import pytest
import torch

from tests.nodes import nets

CLIP = torch.zeros(6, 8, 8, 8)
SETTINGS = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "levels": "all", "mode": "attention", "fit": "crop",
            "weights": ""}


def pictures(count: int = 1, height: int = 64, width: int = 64, channels: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, height, width, channels, generator=torch.Generator().manual_seed(seed))


def refer(graph: Any, model: Any, vae: Any, image: Any = None, **settings: Any) -> Any:
    image = pictures() if image is None else image
    return graph.run("STUNetStyleReference", model=model, vae=vae, image=image, **SETTINGS | settings)[0]


def sample(graph: Any, model: Any, clip: Any, samples: torch.Tensor = CLIP[:3], **inputs: Any) -> torch.Tensor:
    """One step from half the noise, in which a reference still shows, is enough to see what it does."""
    return graph.sample(model, clip, samples, **{"steps": 1, "denoise": 0.5} | inputs)


def passes(monkeypatch: pytest.MonkeyPatch, model: Any) -> list[int]:
    """Notes the rows of every call of the model's innermost forward."""
    rows: list[int] = []
    inner = type(model.model)._apply_model
    monkeypatch.setattr(type(model.model), "_apply_model",
                        lambda self, x, *args, **kwargs: (rows.append(len(x)), inner(self, x, *args, **kwargs))[1])
    return rows


@pytest.mark.parametrize("mode", ["attention", "statistics"])
def test_strength_0_is_no_node(graph: Any, mode: str) -> None:
    model, clip, vae = graph.mini()
    out = refer(graph, graph.apply(model), vae, strength=0.0, mode=mode)
    assert {kind: list(keys) for kind, keys in out.wrappers.items()} == {
        kind: list(keys) for kind, keys in graph.apply(model).wrappers.items()}
    assert torch.equal(sample(graph, out, clip), sample(graph, graph.apply(model), clip))


@pytest.mark.parametrize("mode", ["attention", "statistics", "attention and statistics"])
def test_it_changes_the_clip_and_leaves_no_trace(graph: Any, mode: str) -> None:
    model, clip, vae = graph.mini()
    applied = graph.apply(model)
    before = sample(graph, applied, clip)
    styled = sample(graph, refer(graph, applied, vae, mode=mode), clip)
    assert styled.shape == before.shape, "the reference is no frame"
    assert (styled - before).abs().amax(dim=(1, 2, 3)).min() > 1e-3, "every frame sees it"
    assert torch.equal(sample(graph, applied, clip), before)
    assert all("stunet_reference" not in keys for keys in applied.wrappers.values())


def test_the_reference_runs_once_per_step_and_without_time(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, clip, vae = graph.mini()
    rows = passes(monkeypatch, model)
    styled = refer(graph, graph.apply(model), vae, pictures(2))
    net = graph.pack.module("nodes.host.walk.apply").SpaceTime
    frames: list[int] = []
    forward = net.forward
    monkeypatch.setattr(net, "forward", lambda self, n, call, clip: (frames.append(len(call.x)), forward(self, n, call, clip))[1])
    sample(graph, styled, clip, steps=2)
    assert rows == [2 * 2, 2 * 3] * 2, "two conditionings of two references, then of three frames"
    assert frames == [2 * 3] * 2


def test_before_or_after_apply_it_is_the_same(graph: Any) -> None:
    model, clip, vae = graph.mini()
    after = refer(graph, graph.apply(model), vae)
    before = graph.apply(refer(graph, model, vae))
    assert torch.equal(sample(graph, after, clip), sample(graph, before, clip))


def test_one_frame_and_frames_of_chunks_see_the_same(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, clip, vae = graph.mini()
    plain = refer(graph, model, vae)
    one = sample(graph, plain, clip, CLIP[:1])
    assert torch.equal(sample(graph, graph.apply(plain), clip, CLIP[:1]), one)
    styled = graph.apply(plain)
    whole = sample(graph, styled, clip)
    monkeypatch.setattr(graph.pack.module("nodes.host.walk.apply"), "CHUNK", 2)
    monkeypatch.setattr(graph.pack.module("nodes.host.walk.apply"), "LITTLE", 0)
    assert torch.allclose(sample(graph, styled, clip), whole, atol=5e-3)


def test_branches_do_not_leak(graph: Any) -> None:
    model, clip, vae = graph.mini()
    branches = [refer(graph, model, vae, pictures(seed=s)) for s in (1, 2)]
    first, second = (sample(graph, branch, clip) for branch in branches)
    assert not torch.allclose(first, second, atol=1e-3)
    assert torch.equal(sample(graph, branches[0], clip), first)


def test_two_equal_references_are_one_and_weights_choose(graph: Any) -> None:
    model, clip, vae = graph.mini()
    a, b = pictures(seed=1), pictures(seed=2)

    def sampled(image: torch.Tensor, **settings: Any) -> torch.Tensor:
        return sample(graph, refer(graph, model, vae, image, **settings), clip)

    alone = sampled(a)
    assert torch.allclose(sampled(torch.cat([a, b]), weights="1, 0"), alone, atol=1e-4)
    both = sampled(torch.cat([a, b]))
    assert not torch.allclose(both, alone, atol=1e-4)
    assert torch.isfinite(both).all()


def test_strength_grows_from_nothing(graph: Any) -> None:
    model, clip, vae = graph.mini()
    none = sample(graph, model, clip)
    changes = [float((sample(graph, refer(graph, model, vae, strength=s), clip) - none).norm())
               for s in (0.01, 0.5, 1.0, 1.5)]
    assert changes == sorted(changes)
    assert changes[0] < 0.2 * changes[2]


def test_start_end_and_levels(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, clip, vae = graph.mini()
    rows = passes(monkeypatch, model)
    sample(graph, refer(graph, model, vae, start_percent=0.5), clip, steps=4, denoise=1.0)
    assert rows.count(2) == 2, "the last two of four steps"
    outcomes = [sample(graph, refer(graph, model, vae, levels=levels), clip) for levels in ("all", "fine", "coarse")]
    assert all(not torch.allclose(outcomes[i], outcomes[j], atol=1e-4) for i, j in ((0, 1), (0, 2), (1, 2)))
    with pytest.raises(ValueError, match=r"start_percent, end_percent: 0\.8 to 0\.2 is no part of sampling"):
        refer(graph, model, vae, start_percent=0.8, end_percent=0.2)


def test_levels_are_told_apart(pack: Any) -> None:
    reference = pack.module("nodes.host.style.reference")
    for family, (all_, fine) in {"SD15": (16, 10), "SDXL": (17, 5)}.items():
        net = nets.model(family).model.diffusion_model
        places = {levels: reference.places(net, levels) for levels in reference.LEVELS}
        assert len(places["all"]) == all_
        assert set(places["fine"]) | set(places["coarse"]) == set(places["all"])
        assert len(places["fine"]) == fine
        assert ("middle", 0, 0) in places["coarse"]


@pytest.mark.parametrize("family", ["SD15", "SDXL"])
def test_it_works_on_core_models(graph: Any, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, vae, model = graph.mini()[1], nets.vae(), nets.model(family)
    rows = passes(monkeypatch, model)
    texts = {"positive": nets.prompt(1), "negative": nets.prompt(2)}
    plain, styled = (sample(graph, m, clip, torch.zeros(3, 4, 8, 8), **texts) for m in (model, refer(graph, model, vae)))
    assert not torch.allclose(plain, styled, atol=1e-3)
    assert rows == [6, 2, 6]


def test_other_packs_patches_stay_and_do_not_see_the_reference(graph: Any) -> None:
    model, clip, vae = graph.mini()
    rows: list[int] = []
    tokens: list[int] = []
    patched = model.clone()
    patched.set_model_attn1_patch(lambda q, k, v, options: (rows.append(len(q)), (q, k, v))[1])

    def replace(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict) -> torch.Tensor:
        tokens.append(k.shape[1] // q.shape[1])
        return importlib.import_module("comfy.ldm.modules.attention").optimized_attention(q, k, v, options["n_heads"])

    patched.set_model_attn1_replace(replace, "middle", 0)
    styled = refer(graph, patched, vae)
    out = sample(graph, styled, clip)
    assert set(rows) == {6}
    assert tokens == [2], "what replaced attention before also sees the reference"
    assert torch.allclose(out, sample(graph, refer(graph, model, vae), clip), atol=1e-4)


def test_two_references_compose(graph: Any) -> None:
    model, clip, vae = graph.mini()
    once = refer(graph, model, vae, pictures(seed=1))
    twice = refer(graph, once, vae, pictures(seed=2), levels="coarse")
    assert not torch.allclose(sample(graph, once, clip), sample(graph, twice, clip), atol=1e-4)


def test_a_clip_of_another_size_has_the_reference_encoded_anew(graph: Any) -> None:
    model, clip, vae = graph.mini()
    styled = refer(graph, model, vae, pictures(1, 40, 200))
    first = sample(graph, styled, clip)
    assert torch.isfinite(sample(graph, styled, clip, torch.zeros(2, 8, 5, 12))).all()
    assert torch.equal(sample(graph, styled, clip), first)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch", "own size"])
@pytest.mark.parametrize("shape", [(1, 37, 80, 3), (1, 16, 16, 4), (2, 24, 8, 1)])
def test_references_of_any_kind(graph: Any, fit: str, shape: tuple[int, ...]) -> None:
    model, clip, vae = graph.mini()
    styled = refer(graph, model, vae, pictures(*shape), fit=fit)
    assert torch.isfinite(sample(graph, styled, clip)).all()


def test_statistics_say_so_and_bring_the_palette(graph: Any, caplog: pytest.LogCaptureFixture) -> None:
    model, clip, vae = graph.mini()
    style = importlib.import_module("stunet_core.guidance.style")
    image = pictures(50, 128, 128)  # the size of the clip
    with caplog.at_level(logging.INFO):
        out = sample(graph, refer(graph, model, vae, image, mode="statistics"), clip)
    assert "style by statistics" in caplog.text and "50 reference picture(s)" in caplog.text
    wanted, got = style.palette(vae.encode(image)), style.palette(out)
    assert torch.allclose(got[0], wanted[0], atol=2e-2)


def test_what_cannot_be_a_reference_is_refused(graph: Any) -> None:
    model, _, vae = graph.mini()
    with pytest.raises(ValueError, match=r"image: has 50 pictures; attention looks at 16 at most"):
        refer(graph, model, vae, pictures(50))
    with pytest.raises(ValueError, match=r"weights: 3 of them for 1 reference"):
        refer(graph, model, vae, weights="1, 2, 3")
    with pytest.raises(ValueError, match=r"image: has 5 channels"):
        refer(graph, model, vae, pictures(1, 8, 8, 5))
    flux = nets.transformer("Flux")
    flux.model.latent_format.latent_channels = 8
    with pytest.raises(ValueError, match=r"whose attention is not that of a U-Net"):
        refer(graph, flux, vae)
    with pytest.raises(ValueError, match=r"vae: its latents have 8 channels, the model's 16"):
        refer(graph, nets.transformer("SD3"), vae)
