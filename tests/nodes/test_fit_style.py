"""STUNetFitStyle: the fit, its file in core's loader, what it leaves alone and what it refuses."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tests.nodes import loras, nets

SETTINGS = {"caption": "a rocket on a purple background", "steps": 6, "rank": 2, "learning_rate": 0.02, "seed": 3,
            "layers": "attention and convolutions", "size": 64, "fit": "crop", "name": "test"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """ComfyUI's folder of LoRAs."""
    folder_paths = importlib.import_module("folder_paths")
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "loras", ([str(tmp_path / "loras")], {".safetensors"}))
    return tmp_path / "loras"


def picture(seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 50, 70, 3, generator=torch.Generator().manual_seed(seed))


def fit(graph: Any, mini: tuple, **inputs: Any) -> tuple:
    model, clip, vae = mini
    return graph.run("STUNetFitStyle", **SETTINGS | {"model": model, "clip": clip, "vae": vae, "image": picture()} | inputs)


def record(path: Path) -> dict[str, Any]:
    with safe_open(str(path), framework="pt") as file:
        return json.loads(file.metadata()["stunet_fit"])


def flat(path: Path) -> torch.Tensor:
    """All weights of a file in one row"""
    return torch.cat([weight.float().flatten() for _, weight in sorted(load_file(path).items())])


def test_the_file_is_an_ordinary_lora_that_lowers_the_loss(graph: Any, folder: Path) -> None:
    mini = graph.mini()
    before = loras.weights(mini[0])
    out, name = fit(graph, mini)
    told = record(folder / name)
    assert told["loss_after"] < told["loss_before"]
    assert told["caption"] == SETTINGS["caption"]
    (loaded,) = graph.run("LoraLoaderModelOnly", model=mini[0], lora_name=name, strength_model=1.0)
    ours, theirs = loras.weights(out), loras.weights(loaded)
    assert loras.same(ours, theirs)
    changed = {key for key in ours if not torch.equal(ours[key], before[key])}
    assert any(".attn1." in key for key in changed) and any(".in_layers." in key for key in changed)
    assert not any("emb_layers" in key or key.startswith(("time_embed", "label_emb", "out.")) for key in changed)
    assert loras.same(loras.weights(mini[0]), before), "no trace"
    with safe_open(str(folder / name), framework="pt") as file:
        key_map = importlib.import_module("comfy.lora").model_lora_keys_unet(mini[0].model, {})
        assert {key.split(".")[0] for key in file.keys()} <= set(key_map), "core knows every key"  # noqa: SIM118


def test_a_model_whose_weights_comfyui_streams_is_fitted_whole(graph: Any, folder: Path) -> None:
    mini = graph.mini()
    short = {"steps": 2, "layers": "attention"}
    before = flat(folder / fit(graph, mini, **short)[1])
    stream = nets.streamed(mini[0])
    out, name = fit(graph, (stream, *mini[1:]), **short)
    assert torch.allclose(flat(folder / name), before, atol=1e-5)
    assert out.is_dynamic() and out.patches, "the model that goes on is still streamed, with the LoRA"
    with pytest.raises(ValueError, match=r"model: a fit needs its weights whole, .*--disable-dynamic-vram"):
        fit(graph, (nets.streamed(mini[0], known=False), *mini[1:]), **short)


def test_the_same_inputs_are_fitted_once_and_reproduce(graph: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mini = graph.mini()
    module = graph.pack.module("nodes.host.style.fit_style")
    calls: list[int] = []
    real = module.fitted
    monkeypatch.setattr(module, "fitted", lambda *a: (calls.append(1), real(*a))[1])
    short = {"steps": 1, "layers": "attention"}
    _, first = fit(graph, mini, **short)
    before = flat(folder / first)
    assert fit(graph, mini, **short)[1] == first
    assert len(calls) == 1
    (folder / first).unlink()
    assert fit(graph, mini, **short)[1] == first
    again = flat(folder / first)
    share = torch.isclose(again, before, atol=1e-3).float().mean()
    assert share > 0.99, "the seed decides; only where a gradient is nearly 0 may the order of sums choose the sign of Adam's first step"
    unlike = flat(folder / fit(graph, mini, **short | {"seed": 4})[1])
    assert torch.isclose(unlike, before, atol=1e-3).float().mean() < 0.9
    others = {fit(graph, mini, **short | other)[1] for other in ({"seed": 4}, {"caption": "a rocket"}, {"image": picture(1)})}
    assert len(others | {first}) == 4
    assert len(calls) == 5


def test_a_cancelled_fit_leaves_nothing(graph: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mini = graph.mini()
    before = loras.weights(mini[0])
    mm = importlib.import_module("comfy.model_management")
    cancelled = mm.InterruptProcessingException

    def cancel() -> None:
        raise cancelled

    monkeypatch.setattr(mm, "throw_exception_if_processing_interrupted", cancel)
    with pytest.raises(cancelled):
        fit(graph, mini)
    assert not list((folder / "stunet").iterdir())
    assert loras.same(loras.weights(mini[0]), before)


def test_it_fits_the_image_layers_of_a_clip_model(graph: Any, folder: Path) -> None:
    model, clip, vae = graph.mini()
    out, name = fit(graph, (graph.apply(model), clip, vae), steps=1, layers="attention")
    assert "stunet" in out.additional_models
    assert fit(graph, (model, clip, vae), steps=1, layers="attention")[1] == name


@pytest.mark.parametrize("family", ["SD15"])
def test_it_fits_core_models(graph: Any, folder: Path, family: str) -> None:
    """eps-prediction without mask channels; the loss is that of the noise."""
    module = graph.pack.module("nodes.host.style.fit_style")
    model = nets.model(family)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    task = graph.pack.module("nodes.host.style.fitting").described(model, nets.prompt(1), latents)
    assert task.concat is None
    assert task.latents.shape == (2, 4, 8, 8)
    lora, before, after = module.fitted(model, task, module.FitStyleSettings(4, 2, 0.02, 0, "attention"))
    assert after < before
    loaded = loras.load(model, lora.file())
    assert len(loaded.patches) == len(lora.shapes)


def test_the_prediction_to_aim_for_is_the_models_own(graph: Any) -> None:
    """v for the mini model: what its schedule says, from the affine map alone."""
    schedule = importlib.import_module("stunet_core.mini.schedule")
    sampling = graph.mini()[0].model.model_sampling
    clean, noise = (torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    times = torch.tensor([200, 800])
    sigma = sampling.sigmas[times]
    noisy = sampling.noise_scaling(sigma, noise, clean)
    nothing, one = (sampling.calculate_denoised(sigma, torch.full_like(noisy, v), noisy) for v in (0.0, 1.0))
    bar = schedule.alphas_bar()[times].view(2, 1, 1, 1)
    assert torch.allclose((clean - nothing) / (one - nothing), schedule.velocity(clean, noise, bar), atol=2e-2)


def test_what_cannot_be_fitted_is_refused(graph: Any, folder: Path) -> None:
    mini = graph.mini()
    for inputs, said in (({"caption": "  "}, "caption: is empty"), ({"rank": 0}, "rank: 0; give 1 or more"),
                         ({"steps": 0}, "steps: 0; give 1 or more"), ({"name": "../x"}, "name: .*without folders"),
                         ({"name": ""}, "name: .*without folders"), ({"image": torch.rand(1, 8, 8, 5)}, "image: has 5 channels"),
                         ({"layers": "all"}, "layers: 'all' is none of"),
                         ({"model": nets.transformer("Flux")}, "model: found Flux .*a style is fitted to U-Nets")):
        with pytest.raises(ValueError, match=said):
            fit(graph, mini, **{"steps": 1} | inputs)
    assert "is empty" in graph.pack.nodes["STUNetFitStyle"].validate_inputs(caption="")


def test_a_fitted_file_that_was_damaged_since_says_what_to_do(graph: Any, folder: Path) -> None:
    mini = graph.mini()
    name = fit(graph, mini, steps=1)[1]
    (folder / name).write_bytes((folder / name).read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"safetensors: the file is damaged, .*delete the file, and the style is fitted again"):
        fit(graph, mini, steps=1)
