"""The nodes for given pictures: what they tell a model, that what is given survives, and what they refuse."""

from __future__ import annotations

import importlib
import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from stunet_core.mini.inputs import beside
from tests import tiny
from tests.nodes import nets

DURATION = {"seconds": 0.5, "fps": 16.0}  # 8 frames


def clip(frames: int = 5, height: int = 20, width: int = 28, seed: int = 0) -> torch.Tensor:
    """Of a size that is no multiple of a cell."""
    return torch.rand(frames, height, width, 3, generator=torch.Generator().manual_seed(seed))


def mask(frames: int = 1, height: int = 20, width: int = 28) -> torch.Tensor:
    """White in the middle: the left two of the mini model's four cells are touched, and none is filled."""
    white = torch.zeros(frames, height, width)
    white[:, 7:17, 9:14] = 1
    return white


# Each node with good inputs: its frames, height and width.
EVERY: dict[str, tuple[str, dict[str, Any], tuple[int, int, int]]] = {
    "image": ("STUNetImageToVideo", {"image": clip(1), **DURATION}, (8, 20, 28)),
    "image and end": ("STUNetImageToVideo", {"image": clip(1), "end_image": clip(1, seed=1), **DURATION}, (8, 20, 28)),
    "key frames": ("STUNetKeyframes", {"images": clip(3), "times": "7, 0, 0.2s", **DURATION}, (8, 20, 28)),
    "region": ("STUNetAnimateRegion", {"image": clip(1), "region": mask(), "loop": True, **DURATION}, (8, 20, 28)),
    "inpaint": ("STUNetInpaint", {"clip": clip(), "mask": mask()}, (5, 20, 28)),
    "inpaint, a mask per frame": ("STUNetInpaint", {"clip": clip(), "mask": mask(5)}, (5, 20, 28)),
    "inpaint from the surroundings": ("STUNetInpaint", {"clip": clip(), "mask": mask(), "start_from": "surroundings"}, (5, 20, 28)),
    "outpaint": ("STUNetOutpaint", {"clip": clip(), "left": 8, "top": 0, "right": 5, "bottom": 1, "aspect": ""}, (5, 22, 42)),
    "aspect": ("STUNetOutpaint", {"clip": clip(), "left": 0, "top": 0, "right": 0, "bottom": 0, "aspect": "1:1"}, (5, 28, 28)),
    "after": ("STUNetExtend", {"clip": clip(), "side": "after", "overlap": 3, **DURATION}, (11, 20, 28)),
    "before": ("STUNetExtend", {"clip": clip(), "side": "before", "overlap": 5, **DURATION}, (13, 20, 28)),
}


def run(graph: Any, name: str, vae: Any, text: list, **changes: Any) -> tuple:
    node, inputs, _ = EVERY[name]
    return graph.run(node, positive=text, negative=text, vae=vae, **{"size": "keep"} | inputs | changes)


@pytest.mark.parametrize("name", EVERY)
def test_conditioning_latent_and_masks_have_one_entry_per_frame(graph: Any, name: str) -> None:
    _, clip_model, vae = graph.mini()
    frames, height, width = EVERY[name][2]
    positive, negative, latent, original, white, *_ = run(graph, name, vae, graph.prompt(clip_model, "a rocket"))
    cells = (frames, -(-height // 16), -(-width // 16))
    assert latent["samples"].shape == (frames, 8, *cells[1:])
    assert latent["noise_mask"].shape == (frames, 1, *cells[1:])
    for (_, values), in (positive, negative):
        assert values["concat_latent_image"].shape == latent["samples"].shape
        assert torch.equal(values["concat_mask"], latent["noise_mask"])
        assert "pooled_output" in values
    assert original.shape == (frames, height, width, 3)
    assert white.shape == (frames, height, width)
    assert set(white.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("name", EVERY)
def test_what_is_given_survives_sampling_and_composite(graph: Any, name: str) -> None:
    model, clip_model, vae = graph.mini()
    text = graph.prompt(clip_model, "a rocket")
    positive, negative, latent, original, white, *_ = run(graph, name, vae, text)
    samples, frames = graph.run(
        "STUNetSampler", model=graph.apply(model), positive=positive, negative=negative, latent=latent, seed=1, steps=2,
        cfg=2.0, sampler_name="euler", scheduler="simple", denoise=1.0, vae=vae)
    given = latent["noise_mask"].expand_as(latent["samples"]) == 0
    assert torch.allclose(samples["samples"][given], latent["samples"][given], atol=1e-4)
    assert not torch.allclose(samples["samples"][~given], latent["samples"][~given], atol=0.1)
    (out,) = graph.run("STUNetComposite", frames=frames, original=original, mask=white, feather=4, match_colors=True)
    assert out.shape == original.shape
    assert torch.equal(out[white == 0], original[white == 0])


def test_the_mini_model_sees_what_it_saw_in_training(graph: Any) -> None:
    """The mask in cells, and the whole clip's latents in the cells that are given: zero in all others."""
    model, clip_model, vae = graph.mini()
    source = clip(5, 32, 32)
    positive, _, latent, *_ = run(graph, "inpaint", vae, graph.prompt(clip_model, ""), clip=source, mask=mask(1, 32, 32))
    noise = torch.zeros(5, 8, 2, 2)
    seen = model.model.concat_cond(noise=noise, device=noise.device, **positive[0][1])
    keep = torch.ones(5, 1, 2, 2)
    keep[:, :, :, 0] = 0
    clean = vae.encode(source)
    assert torch.equal(seen, beside(1 - keep, clean * keep))
    assert torch.equal(latent["samples"], clean)


def test_an_inpainting_checkpoint_sees_grey_where_something_is_to_be_made(graph: Any) -> None:
    _, clip_model, vae = graph.mini()
    source, white = clip(1, 32, 32), mask(1, 32, 32)
    positive, *_ = run(graph, "inpaint", vae, graph.prompt(clip_model, ""), clip=source, mask=white)
    grey = vae.encode(torch.where(white[..., None] > 0.5, 0.5, source))
    assert torch.equal(positive[0][1]["concat_latent_image"][..., 0], grey[..., 0])


def test_a_mask_of_core_inpainting_counts_as_in_training(graph: Any) -> None:
    """One white pixel makes its cell one to be generated; core alone would look at the cell's middle only."""
    model, clip_model, vae = graph.mini()
    text = graph.prompt(clip_model, "")
    white = torch.zeros(1, 32, 32)
    white[0, 0, 31] = 1
    positive, *_ = graph.run("InpaintModelConditioning", positive=text, negative=text, pixels=clip(1, 32, 32), vae=vae,
                             mask=white, noise_mask=True)
    noise = torch.zeros(1, 8, 2, 2)
    assert model.model.concat_cond(noise=noise, device=noise.device, **positive[0][1])[0, 0].tolist() == [[0, 1], [0, 0]]


def test_frames_that_are_alike_are_encoded_once(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, clip_model, vae = graph.mini()
    encoded: list[int] = []
    encode = vae.encode
    monkeypatch.setattr(vae, "encode", lambda pixels: (encoded.append(len(pixels)), encode(pixels))[1])
    text = graph.prompt(clip_model, "")
    run(graph, "image", vae, text)
    assert encoded == [1, 2], "the image; the image, and grey"
    encoded.clear()
    run(graph, "inpaint", vae, text, clip=clip(20))
    assert encoded == [16, 4, 16, 4]


def test_a_cancel_stops_between_groups_of_frames(graph: Any) -> None:
    mm = importlib.import_module("comfy.model_management")
    _, clip_model, vae = graph.mini()
    mm.interrupt_current_processing()
    with pytest.raises(mm.InterruptProcessingException):
        run(graph, "inpaint", vae, graph.prompt(clip_model, ""))


def core_model(graph: Any, channels: int) -> Any:
    """A small random U-Net in SD1.5's layout, as ComfyUI would load it: 4 channels, or 9 for an inpainting one."""
    base, patcher, supported = (importlib.import_module(f"comfy.{name}") for name in
                                ("model_base", "model_patcher", "supported_models"))
    config = graph.pack.module("nodes.host.mini.model").unet_config(tiny.CONFIG)
    config = {name: value for name, value in config.items() if name not in ("num_classes", "adm_in_channels")}
    sd15 = supported.SD15(config | {"in_channels": channels, "out_channels": 4, "use_linear_in_transformer": False})
    sd15.set_inference_dtype(torch.float32, None)
    model = base.BaseModel(sd15)
    if channels == 9:
        model.set_inpaint()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return patcher.ModelPatcher(model, torch.device("cpu"), torch.device("cpu"))


@pytest.mark.parametrize("channels", [4, 9])
def test_core_models_run_on_every_nodes_output(graph: Any, channels: int) -> None:
    model, text, vae = core_model(graph, channels), graph.prompt(graph.mini()[1], "a rocket"), nets.vae()
    for name, (_, _, (frames, _, _)) in EVERY.items():
        positive, negative, latent, *_ = run(graph, name, vae, text)
        (out,) = graph.run("KSampler", model=model, seed=1, steps=1, cfg=2.0, sampler_name="euler", scheduler="simple",
                           positive=positive, negative=negative, latent_image=latent, denoise=1.0)
        assert len(out["samples"]) == frames
        given = latent["noise_mask"].expand_as(latent["samples"]) == 0
        assert torch.allclose(out["samples"][given], latent["samples"][given], atol=1e-4), name


def test_the_log_says_how_what_is_given_reaches_the_model(graph: Any, caplog: pytest.LogCaptureFixture) -> None:
    model, clip_model, vae = graph.mini()
    text = graph.prompt(clip_model, "")
    clip_model_with_time = graph.apply(model)
    with caplog.at_level(logging.INFO):
        graph.sample(clip_model_with_time, clip_model, torch.zeros(3, 8, 4, 4))
        assert "mask input" not in caplog.text
        positive, negative, latent, *_ = run(graph, "inpaint", vae, text)
        graph.sample(clip_model_with_time, clip_model, latent["samples"], positive=positive, negative=negative)
    assert "the model has a mask input: it sees the given pixels" in caplog.text
    how = graph.pack.module("nodes.host.walk.mask_input").how
    assert "blended into its latents" in how(core_model(graph, 4).model)
    assert "sees the given pixels" in how(core_model(graph, 9).model)


# --- what they refuse, before the VAE is used ---

NAN = clip(1).index_fill(1, torch.tensor([3]), float("nan"))


@pytest.mark.parametrize(("name", "change", "message"), [
    ("image", {"image": NAN}, "image: has pixels that are no numbers"),
    ("image", {"image": clip(2)}, "image: has 2 frames; give one picture"),
    ("image", {"image": clip(1) * 255}, "image: its values are"),
    ("image", {"end_image": clip(1, 24, 24)}, "end_image: is 24x24 pixels, image 28x20"),
    ("image", {"seconds": 0.05}, "seconds: the clip has 1 frames"),
    ("image", {"seconds": 8 * 3600.0}, "seconds: 28800.0; the clip must last"),
    ("image", {"fps": float("nan")}, "fps: nan"),
    ("key frames", {"times": "0, 1"}, "times: 2 times for 3 images"),
    ("key frames", {"times": "0, 1, 1"}, "times: 1 and 1 are both frame 1"),
    ("key frames", {"times": "0, 1, 8"}, "times: 8 is frame 8; the clip has frames 0 to 7"),
    ("key frames", {"times": "0, x, 8"}, "times: 'x' is no time"),
    ("key frames", {"images": NAN.repeat(3, 1, 1, 1)}, "images: has pixels that are no numbers"),
    ("region", {"region": mask() * 0}, "region: is black everywhere: nothing is painted"),
    ("region", {"region": mask() * 0 + 1}, "region: is white everywhere"),
    ("region", {"region": mask(3)}, "region: has 3 frames, the clip 8"),
    ("region", {"region": mask(1, 64, 64)}, "region: is 64x64 pixels, the clip 28x20"),
    ("region", {"image": clip(2)}, "image: has 2 frames"),
    ("region", {"seconds": 0.05}, "seconds: the clip has 1 frames; at least 2 are needed"),
    ("inpaint", {"mask": mask(4)}, "mask: has 4 frames, the clip 5; give 1 mask for all of them, or 5"),
    ("inpaint", {"mask": mask(1, 64, 64)}, "mask: is 64x64 pixels, the clip 28x20"),
    ("inpaint", {"mask": mask() * 0}, "mask: is black everywhere: nothing is painted.*InvertMask"),
    ("inpaint", {"clip": NAN}, "clip: has pixels that are no numbers"),
    ("outpaint", {"left": 0, "right": 0, "bottom": 0}, "left, top, right, bottom: all are 0"),
    ("outpaint", {"top": -8}, "top: -8 pixels"),
    ("outpaint", {"aspect": "1:1"}, "aspect: give either an aspect or pixels"),
    ("aspect", {"aspect": "wide"}, "aspect: 'wide' is none"),
    ("aspect", {"aspect": "7:5"}, "all are 0, so there is nothing to generate"),
    ("after", {"overlap": 6}, "overlap: 6 frames; the clip has 5, so give 1 to 5"),
    ("after", {"overlap": 0}, "overlap: 0 frames"),
    ("after", {"clip": clip(1), "overlap": 2}, "the clip has 1, so give 1. If there should be more: they come as a list"),
    ("after", {"clip": clip() - 1}, "clip: its values are"),
    ("before", {"seconds": 0.0}, "seconds: 0.0; the clip must last more than 0"),
])
def test_what_is_wrong_is_said_before_anything_is_encoded(graph: Any, name: str, change: dict, message: str) -> None:
    vae = SimpleNamespace(latent_dim=2, spacial_compression_encode=lambda: 8)  # that cannot encode
    with pytest.raises(ValueError, match=message):
        run(graph, name, vae, [], **change)


@pytest.mark.parametrize(("vae", "message"), [
    (SimpleNamespace(latent_dim=3), "vae: it encodes clips, not single images"),
    (SimpleNamespace(latent_dim=2, spacial_compression_encode=lambda: 32), "vae: its cells are 32 pixels wide"),
])
def test_vaes_of_other_kinds_are_refused(graph: Any, vae: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(graph, "image", vae, [])


@pytest.mark.parametrize(("node", "inputs", "message"), [
    ("STUNetKeyframes", {"times": "0, x"}, "'x' is no time"),
    ("STUNetOutpaint", {"aspect": "tall"}, "aspect: 'tall' is none"),
    ("STUNetExtend", {"side": "left"}, "side: 'left' is neither after nor before"),
])
def test_widgets_are_checked_before_the_workflow_runs(graph: Any, node: str, inputs: dict, message: str) -> None:
    assert message in graph.pack.nodes[node].validate_inputs(**inputs)


def test_good_widgets_pass(graph: Any) -> None:
    nodes = graph.pack.nodes
    assert nodes["STUNetKeyframes"].validate_inputs(times="0, 2.5s, 79") is True
    assert nodes["STUNetOutpaint"].validate_inputs(aspect=" ") is True
    assert nodes["STUNetOutpaint"].validate_inputs(aspect="16:9") is True


def test_a_mask_that_looks_inverted_is_doubted(graph: Any, caplog: pytest.LogCaptureFixture) -> None:
    _, clip_model, vae = graph.mini()
    white = torch.ones(1, 64, 64)
    white[:, :8, :8] = 0
    with caplog.at_level(logging.WARNING):
        run(graph, "inpaint", vae, graph.prompt(clip_model, ""), clip=clip(2, 64, 64), mask=white)
    assert "mask: 98% of it is white" in caplog.text


@pytest.mark.parametrize(("change", "message"), [
    ({"original": clip(3)}, "original: has 3 frames, the generated clip 5"),
    ({"mask": mask(2)}, "mask: has 2 frames, the generated clip 5"),
    ({"mask": mask(1, 8, 8)}, "mask: is 8x8 pixels, original 28x20"),
    ({"frames": clip(5, 40, 56)}, "frames: are 56x40 pixels, original 28x20"),
])
def test_composite_refuses_what_does_not_belong_together(graph: Any, change: dict, message: str) -> None:
    inputs = {"frames": clip(5, 24, 32), "original": clip(), "mask": mask(), "feather": 0, "match_colors": False}
    with pytest.raises(ValueError, match=message):
        graph.run("STUNetComposite", **inputs | change)
