"""What a sampling of the mini model's clips begins with: noise that frames share, and when they are, drawn from it."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from stunet_core.mini.frame_time import FEATURES, SPREAD, drawn, evenly, features, told
from stunet_core.mini.noise import ALONE, TRAINED, share

LATENT = torch.zeros(6, 8, 8, 8)
TIME = slice(-FEATURES - 1, None)  # of y


@pytest.fixture
def model(graph: Any) -> tuple[Any, Any]:
    """The mini model as a clip model, and its CLIP."""
    plain, clip, _ = graph.mini()
    return graph.apply(plain), clip


def heard(graph: Any, model: Any, clip: Any, latent: torch.Tensor = LATENT, **inputs: Any) -> list[tuple[torch.Tensor, ...]]:
    """What each call of the U-Net is given: x, y and what temporal layers hear instead of y"""
    seen: list[tuple[torch.Tensor, ...]] = []
    listening = model.clone()

    def listen(executor: Any, x: torch.Tensor, t: Any, context: Any, y: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        seen.append((x, y, kwargs["stunet_said"]))
        return executor(x, t, context, y, *args, **kwargs)

    kind = importlib.import_module("comfy.patcher_extension").WrappersMP.DIFFUSION_MODEL
    listening.add_wrapper_with_key(kind, "listening", listen)
    graph.sample(listening, clip, latent, **{"steps": 3} | inputs)
    return seen


def test_each_seed_has_its_time_and_keeps_it(graph: Any, model: tuple[Any, Any]) -> None:
    late = []
    for seed in range(4):
        calls = heard(graph, *model, seed=seed)
        times = [40 * y[:, TIME][:, 0] for _, y, _ in calls]  # both conditionings share a call
        assert len(calls) >= 3 and all(len(each) == 12 and torch.allclose(each, times[0], atol=1e-4) for each in times)
        first, second = times[0].chunk(2)
        assert torch.equal(first, second)
        offset = first - evenly(1, 6)[0]
        assert torch.allclose(offset, offset[:1].expand(6), atol=1e-4) and abs(float(offset[0])) < SPREAD
        late.append(round(float(offset[0]), 3))
    assert len(set(late)) == 4


def test_the_model_hears_the_time_that_was_drawn_with_its_noise(graph: Any, model: tuple[Any, Any]) -> None:
    noise = share(importlib.import_module("comfy.sample").prepare_noise(LATENT, 7), ALONE)
    x, y, said = heard(graph, *model, seed=7, cfg=1.0)[0]
    times = evenly(1, 6)[0] + float(drawn(noise[None])[0])
    assert torch.allclose(y[:, TIME][:, :-1], features(times), atol=1e-4) and (y[:, -1] == 1).all()
    assert torch.equal(y, said)
    assert torch.allclose(x[:, :8] / x[:, :8].std(), noise / noise.std(), atol=1e-2), "the sampling begins with the shared noise"


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "uni_pc"])
def test_whatever_the_sampler(graph: Any, model: tuple[Any, Any], sampler: str) -> None:
    assert all((y[:, -1] == 1).all() for _, y, _ in heard(graph, *model, sampler_name=sampler))


def test_a_picture_is_in_the_middle_of_its_time_and_shares_no_noise(graph: Any, model: tuple[Any, Any]) -> None:
    plain, clip, _ = graph.mini()
    noise = importlib.import_module("comfy.sample").prepare_noise(LATENT, 5)
    for made, latent in ((plain, LATENT), (model[0], LATENT[:1])):
        x, y, _ = heard(graph, made, clip, latent=latent, cfg=1.0)[0]
        assert torch.equal(y[:, TIME], told(torch.zeros(len(latent))))
        expected = noise[:len(latent)]
        assert torch.allclose(x[:, :8] / x[:, :8].std(), expected / expected.std(), atol=1e-2)


def test_where_no_time_is_known_none_is_told(graph: Any, model: tuple[Any, Any]) -> None:
    plain, clip, _ = graph.mini()
    source = torch.randn(6, 8, 8, 8)
    for calls in (heard(graph, *model, latent=source, denoise=0.5), heard(graph, plain, clip, latent=source, denoise=0.5),
                  heard(graph, graph.apply(plain, loop=True), clip, latent=torch.zeros(8, 8, 8, 8))):
        assert calls and not any(y[:, TIME].any() for _, y, _ in calls)


def test_a_conditioning_of_which_something_is_given_hears_nothing_and_its_neighbour_does(graph: Any, model: tuple[Any, Any]) -> None:
    mask = torch.ones(6, 1, 8, 8)
    mask[0] = 0
    given = [[context, values | {"concat_latent_image": torch.randn(6, 8, 8, 8), "concat_mask": mask}]
             for context, values in graph.prompt(model[1], "a rocket")]
    x, y, _ = heard(graph, *model, positive=given)[0]
    heard_by = {bool((part >= 0.5).all()): flag for part, flag in zip(x[:, 8].chunk(2), y[:, -1].chunk(2), strict=True)}
    assert (heard_by[True] == 1).all() and (heard_by[False] == 0).all()
    pictures = heard(graph, graph.mini()[0], model[1], positive=given, cfg=1.0)[0][1]
    assert pictures[:, -1].tolist() == [0.0] + [1.0] * 5, "of unrelated pictures, those of which nothing is given hear theirs"


def in_windows(model: Any) -> Any:
    """As core's Context Windows (Manual) makes it: four frames at once, one after the other."""
    windows = importlib.import_module("comfy.context_windows")
    out = model.clone()
    out.model_options["context_handler"] = windows.IndexListContextHandler(
        context_schedule=windows.get_matching_context_schedule(windows.ContextSchedules.STATIC_STANDARD),
        fuse_method=windows.get_matching_fuse_method(windows.ContextFuseMethods.FLAT), context_length=4, context_overlap=0, dim=0)
    windows.create_prepare_sampling_wrapper(out)
    return out


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_a_context_window_sees_its_own_frames(graph: Any, model: tuple[Any, Any], cfg: float) -> None:
    windowed = in_windows(model[0])
    handler = windowed.model_options["context_handler"]
    whole = heard(graph, *model, latent=torch.zeros(8, 8, 8, 8), steps=1, cfg=1.0)[0][1]
    first, second = heard(graph, windowed, model[1], latent=torch.zeros(8, 8, 8, 8), steps=1, cfg=cfg)[:2]
    for (x, y, said), part in ((first, whole[:4]), (second, whole[4:])):
        assert len(x) == 4 * (1 if cfg == 1.0 else 2)
        assert torch.equal(y[-4:, TIME], part[:, TIME]) and torch.equal(y[:4, TIME], part[:, TIME]) and torch.equal(said, y)
    assert "set_step" not in vars(handler), "core's handler is as it was"


def test_a_batch_that_is_cut_without_a_word_is_refused(pack: Any) -> None:
    conds = pack.module("nodes.host.mini.conds")
    kept = conds.PerFrame(torch.randn(8, 46)).process_cond(4, area=None).cond
    assert len(kept) == 8 and conds.of_window(kept, 8, {}) is kept
    with pytest.raises(ValueError, match="4 of the clip's 8 frames are sampled at once"):
        conds.of_window(kept, 4, {})
    assert len(conds.PerFrame(torch.randn(1, 46)).process_cond(4).cond) == 4
    cut = conds.PerFrame(torch.arange(36.0).reshape(1, 1, 6, 6)).process_cond(2, area=(2, 3, 1, 2)).cond
    assert cut.shape == (2, 1, 2, 3) and cut[0, 0, 0, 0] == 8


@pytest.mark.parametrize(("given", "sigma", "shared"), [
    ("nothing", 1e4, ALONE), ("noise mask", 1e4, TRAINED), ("conditioning", 1e4, TRAINED), ("a clip to begin with", 0.5, TRAINED)])
def test_frames_share_more_of_their_noise_where_nothing_is_given(
    graph: Any, model: tuple[Any, Any], given: str, sigma: float, shared: float
) -> None:
    mask = torch.ones(6, 1, 32, 32)
    mask[0] = 0
    conds = {"positive": [{"concat_mask": mask} if given == "conditioning" else {}], "negative": [{}]}
    seen: list[torch.Tensor] = []

    class Executor:
        class_obj = SimpleNamespace(model_options={"transformer_options": {"wrappers": model[0].wrappers}}, model_patcher=model[0],
                                    conds=conds)  # as ComfyUI's guider has them while it samples

        def __call__(self, noise: torch.Tensor, *args: Any) -> None:
            seen.append(noise)

    noise = torch.randn(6, 8, 32, 32, generator=torch.Generator().manual_seed(0))
    begin = graph.pack.module("nodes.host.mini.sampling").begin
    begin(Executor(), noise, torch.zeros(6, 8, 32, 32), None, torch.tensor([sigma, 0.0]), mask if given == "noise mask" else None)
    flat = seen[0].flatten(1)
    common = (flat @ flat.T / flat.shape[1]).fill_diagonal_(0).sum() / 30
    assert abs(float(common) - shared) < 0.05
