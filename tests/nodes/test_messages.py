"""What is said of mistakes: by whom, how often, and of what it is the likely cause."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.tiny import write_weights

CHECKED = ("STUNetApply", "STUNetMotionLora", "STUNetBlendStyle", "STUNetFitStyle", "STUNetFitWords", "STUNetKeyframes", "STUNetOutpaint",
           "STUNetExtend", "STUNetMaskPath", "STUNetSampler", "STUNetEmptyClip", "STUNetExamplePicture", "STUNetExampleClip",
           "STUNetFrameOfClip")
PICTURE, CLIP = torch.rand(1, 32, 48, 3), torch.rand(4, 32, 48, 3)


@pytest.mark.parametrize("name", CHECKED)
def test_values_that_are_missing_or_of_another_type_are_left_to_comfyui(graph: Any, name: str) -> None:
    """It says of them what is wrong, unless our check raises; and it repeats our error for every input that we ask for."""
    check = graph.pack.nodes[name].validate_inputs
    (asked,) = inspect.signature(check).parameters
    assert check() is True
    for value in (None, 3, [1, 2], {"a": 1}) if asked not in ("side", "width") else (None, "x") if asked == "width" else (None,):
        assert check(**{asked: value}) is True


def errors(graph: Any, node: str, **inputs: Any) -> list[str]:
    """What ComfyUI says of the inputs of a node, without its links."""
    execution = importlib.import_module("execution")
    _, found, _ = asyncio.run(execution.validate_inputs("prompt", {"1": {"class_type": node, "inputs": inputs}}, "1", {}))
    return [f"{error['message']}: {error['details']}" for error in found if error["message"] != "Required input is missing"]


@pytest.mark.parametrize(("node", "inputs", "message"), [
    ("STUNetImageToVideo", {"seconds": 601.0}, "Value 601.0 bigger than max of 600.0: seconds"),
    ("STUNetImageToVideo", {"seconds": "long"}, "Failed to convert an input value to a FLOAT value: seconds, long"),
    ("STUNetExtend", {"side": "left", "seconds": 1.0, "fps": 16.0, "overlap": 2}, "side: 'left' is neither after nor before"),
    ("STUNetKeyframes", {"times": "0, x", "seconds": 1.0, "fps": 16.0}, "'x' is no time"),
    ("STUNetMaskPath", {"boxes": "1 2", "width": 64, "height": 64, "fps": 16.0}, "'1 2' is no box"),
    ("STUNetMaskPath", {"boxes": "1 2 3 4", "width": 0}, "Value 0 smaller than min of 1: width"),
    ("STUNetSampler", {"sampler_name": "best", "scheduler": "simple"}, "sampler_name: 'best' is none of"),
    ("STUNetEmptyClip", {"width": 100, "height": 64, "seconds": 1.0, "fps": 16.0}, "width: 100 is no multiple of 8 pixels; use 96 or 104"),
    ("STUNetEmptyClip", {"width": 0, "height": 64, "seconds": 1.0, "fps": 16.0}, "width: 0 pixels; it must be 8 to 4096"),
    ("STUNetEmptyClip", {"width": 64, "height": 64, "seconds": 0.0, "fps": 16.0}, "Value 0.0 smaller than min of 0.01: seconds"),
    ("STUNetStyleReference", {"start_percent": "x", "end_percent": 0.5}, "Failed to convert"),
])
def test_an_error_is_said_once(graph: Any, node: str, inputs: dict[str, Any], message: str) -> None:
    (said,) = errors(graph, node, **inputs)
    assert message in said


def test_names_of_files_with_either_slash_are_found(graph: Any) -> None:
    write_weights(graph.weights / "sd15")
    for name in ("sd15/mini_stunet.safetensors", "sd15\\mini_stunet.safetensors"):
        assert graph.pack.nodes["STUNetApply"].validate_inputs(weights=name) is True
        assert graph.apply(graph.mini()[0], name)


@pytest.mark.parametrize("mask", [torch.zeros(1, 64, 64), torch.zeros(1, 32, 48)])
def test_a_mask_that_nobody_painted(graph: Any, mask: torch.Tensor) -> None:
    """Load Image gives 64x64 black pixels for a picture without a mask."""
    prompts = {"positive": [], "negative": [], "vae": SimpleNamespace(latent_dim=2, spacial_compression_encode=lambda: 8)}
    for node, inputs in (("STUNetAnimateRegion", {"image": PICTURE, "region": mask, "seconds": 1.0, "fps": 16.0, "loop": False}),
                         ("STUNetInpaint", {"clip": CLIP, "mask": mask})):
        with pytest.raises(ValueError, match="nothing is painted"):
            graph.run(node, **prompts, **inputs)
    with pytest.raises(ValueError, match="nothing is painted"):
        graph.run("STUNetTrackMask", clip=CLIP, mask=mask, frame=0, grow=0)
    with pytest.raises(ValueError, match="strength_mask: is black everywhere: nothing is painted"):
        graph.apply(graph.mini()[0], strength_mask=mask)


def test_a_list_that_was_meant_as_a_clip(graph: Any, caplog: pytest.LogCaptureFixture) -> None:
    """ComfyUI runs a node once for each entry of a list: what comes is one frame."""
    white = torch.zeros(1, 32, 48).index_fill(1, torch.arange(16), 1)
    _, clip, vae = graph.mini()
    text = {"positive": graph.prompt(clip, ""), "negative": graph.prompt(clip, ""), "vae": vae, "size": "keep"}
    with pytest.raises(ValueError, match=r"times: 3 times for 1 images.* they come as a list .*join them with Batch Images"):
        graph.run("STUNetKeyframes", **text, images=PICTURE, times="0, 4, 9", seconds=1.0, fps=16.0)
    runs = [("STUNetInpaint", {**text, "clip": PICTURE, "mask": white}),
            ("STUNetOutpaint", {**text, "clip": PICTURE, "left": 8, "top": 0, "right": 0, "bottom": 0, "aspect": ""}),
            ("STUNetKeyframes", {**text, "images": PICTURE, "times": "0", "seconds": 0.2, "fps": 16.0}),
            ("STUNetTrackMask", {"clip": PICTURE, "mask": white, "frame": 0, "grow": 0})]
    for node, inputs in runs:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            graph.run(node, **inputs)
        assert "they come as a list" in caplog.text, node


def test_a_second_pass_on_a_larger_clip_follows_the_same_clip(graph: Any) -> None:
    model, clip, _ = graph.mini()
    channels = model.model.latent_format.latent_channels
    source = torch.randn(4, channels, 4, 6)
    settings = {"cells": 1, "strength": 1.0, "start_percent": 0.0, "end_percent": 1.0}
    (following,) = graph.run("STUNetFollow", model=model, latent={"samples": source}, **settings)
    for size in ((4, 6), (6, 9), (7, 10)):
        out = graph.sample(following, clip, torch.zeros(4, channels, *size))
        wanted = torch.nn.functional.interpolate(source, size, mode="bilinear", antialias=True) if size != (4, 6) else source
        assert torch.allclose(out, wanted, atol=1e-3)
    for shape in ((3, channels, 4, 6), (4, channels, 6, 6)):
        with pytest.raises(ValueError, match="take the MODEL from before this node"):
            graph.sample(following, clip, torch.zeros(shape))


class Device(torch.Tensor):
    """A tensor on a device without float64 (Apple's); `.cpu()` brings it home."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = super().__torch_function__(func, types, args, kwargs or {})
        if func is torch.Tensor.cpu:
            return out.as_subclass(torch.Tensor)
        if isinstance(out, cls) and out.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64.")
        return out


def test_palettes_are_reckoned_in_float64_on_the_cpu_alone(pack: Any) -> None:
    style = pack.module("stunet_core.guidance.style")
    latents = torch.randn(3, 4, 8, 8)
    found = style.repaint(latents.as_subclass(Device), style.palette((latents + 1).as_subclass(Device)))
    assert torch.allclose(found.as_subclass(torch.Tensor), style.repaint(latents, style.palette(latents + 1)))
