"""Training on own videos, with ComfyUI: its U-Nets are trained through, and what comes out is loaded by Apply STUNet."""

from __future__ import annotations

import importlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors import safe_open

from stunet_core.checkpoints.weights import save_skeleton
from stunet_core.model.skeleton import Skeleton, lumiere
from stunet_core.model.walk import Clip
from tests import own
from tests.nodes import nets
from training.finetune.batches import Batch
from training.finetune.comfyui import ComfyEncoders, ComfyImage, of_model
from training.finetune.start import new_skeleton
from training.finetune.train import Loss, main

FRAMES = 4
FAMILIES = [("SD15", 4), ("SD15", 9), ("SD20", 4), ("SDXL", 4)]


def image(family: str, channels: int) -> ComfyImage:
    return of_model(nets.made(family, channels))


def inputs(found: ComfyImage, clips: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """x (one frame of each clip), t, context, y"""
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(clips, found.net.input_blocks[0][0].weight.shape[1], 8, 8, generator=generator)  # type: ignore[index, union-attr]
    y = torch.randn(clips, 2816, generator=generator) if found.name == "SDXL" else None
    return x, torch.full((clips,), 321), torch.randn(clips, 7, nets.CONTEXT, generator=generator), y


@pytest.mark.parametrize(("family", "channels"), FAMILIES)
@pytest.mark.usefixtures("pack")
def test_the_walk_begins_as_comfyuis_own_forward(family: str, channels: int) -> None:
    found = image(family, channels)
    x, t, context, y = inputs(found)
    with torch.no_grad():
        expected = found.net(x, t.float(), context=context, y=y, transformer_options={})
        still = found.forward(new_skeleton(found, "lumiere", FRAMES, 64), x.repeat(FRAMES, 1, 1, 1), t, context, y,
                              Clip(1, FRAMES))
    assert found.name == family and found.prediction == "eps" and found.inpaints == (channels == 9)
    assert torch.allclose(still, expected.expand(FRAMES, -1, -1, -1), atol=1e-4) and expected.std() > 0.05


@pytest.mark.parametrize(("family", "channels"), FAMILIES)
@pytest.mark.usefixtures("pack")
def test_gradients_pass_through_comfyuis_layers(family: str, channels: int) -> None:
    found = image(family, channels)
    skeleton = new_skeleton(found, "lumiere", FRAMES, 64)
    _, _, context, y = inputs(found, 2)
    z, noise = torch.randn(2 * FRAMES, 4, 8, 8), torch.randn(2 * FRAMES, 4, 8, 8)
    batch = Batch(z, noise, context, y, torch.tensor([0.2, 0.7]), (torch.rand(2 * FRAMES, 1, 8, 8) > 0.5).float())
    adam, losses = torch.optim.AdamW(skeleton.parameters(), 2e-3), []
    for lean in (False, True, False):
        loss = Loss(found, skeleton, lean)(batch)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
    assert all(later < earlier for earlier, later in pairwise(losses)), losses
    assert not any(p.requires_grad or p.grad is not None for p in found.net.parameters())


@pytest.mark.usefixtures("pack")
def test_the_noise_schedule_and_the_blank_are_the_checkpoints() -> None:
    found = image("SD15", 9)
    assert found.bars.shape == (1000,) and abs(float(found.bars[0]) - 0.99915) < 1e-4 and abs(float(found.bars[-1]) - 0.00466) < 1e-4
    assert torch.allclose(found.blank, torch.tensor([0.8223, -0.6876, 0.6364, 0.1380]))
    assert image("SD15", 4).blank.abs().max() == 0


@pytest.mark.usefixtures("pack")
def test_texts_are_those_that_samplers_pass() -> None:
    class Words:
        def tokenize(self, text: str) -> str:
            return text

        def encode_from_tokens_scheduled(self, tokens: str) -> list:
            return nets.prompt(len(tokens))

    class Pictures:
        def encode(self, pixels: torch.Tensor) -> torch.Tensor:
            return pixels[:, ::8, ::8, :1].movedim(-1, 1).expand(-1, 4, -1, -1)

    model = nets.model("SDXL").model
    encoders = ComfyEncoders(model, Words(), Pictures())
    wide, square = encoders.text("a cat", 128, 64), encoders.text("a cat", 64, 64)
    assert torch.equal(wide.context, nets.prompt(5)[0][0][0]) and wide.context.shape == (77, nets.CONTEXT)
    assert wide.y is not None and square.y is not None and wide.y.shape == (2816,) and not torch.equal(wide.y, square.y)
    latents = encoders.pictures(own.greys(255, 0))
    assert latents.shape == (2, 4, 8, 8) and float(latents[0, 0, 0, 0]) == pytest.approx(model.latent_format.scale_factor)


@pytest.mark.parametrize(("family", "message"), [("Flux", "found Flux; model: Flux is not a U-Net"), ("SD3", "found SD3; ")])
@pytest.mark.usefixtures("pack")
def test_what_is_no_u_net_is_refused_by_name(family: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"checkpoint: {message}"):
        of_model(nets.transformer(family).model)
    with pytest.raises(ValueError, match="SDXL's refiner"):
        of_model(nets.model("SDXLRefiner").model)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real videos, a small checkpoint, and a run of two processes joined by gloo, stopped in the middle and gone on with."""
    folder = tmp_path_factory.mktemp("own")
    own.write_videos(folder / "videos", 3)
    own.write_checkpoint(folder / "mini.safetensors")
    own.two_processes(own.arguments(folder, "run", stop=8))
    own.two_processes(own.arguments(folder, "run", resume=True))
    return folder


def test_two_processes_with_a_stop_are_one_without_and_the_loss_falls(folder: Path) -> None:
    AcceleratorState._reset_state(True)
    with own.one_thread():  # as each of the two had: shares of a sum are added in another order, and so small a net makes much of that
        main(own.arguments(folder, "alone", accumulate=2))
    AcceleratorState._reset_state(True)
    losses = [line["loss"] for line in json.loads((folder / "run" / "log.json").read_text())]
    assert len(losses) == 4 and sum(losses[1:]) / 3 < losses[0] * 0.95, losses
    two, one = (torch.load(folder / run / "state.pt", weights_only=True) for run in ("run", "alone"))
    assert two["step"] == one["step"] == 16
    apart = torch.cat([(two["ema"][name] - weight).abs().flatten() for name, weight in one["ema"].items()])
    assert apart.mean() < 1e-5, "a step moves a weight by up to 2e-3"


def test_what_was_trained_is_loaded_by_apply(folder: Path, graph: Any) -> None:
    (graph.weights / "mine.safetensors").write_bytes((folder / "run" / "stunet.safetensors").read_bytes())
    model, clip, _ = graph.mini()
    latent = torch.zeros(8, 8, 8, 8)
    image_only, mine = (graph.sample(m, clip, latent) for m in (model, graph.apply(model, "mine.safetensors")))
    assert mine.shape == latent.shape and torch.isfinite(mine).all() and not torch.allclose(mine, image_only, atol=1e-2)


@pytest.fixture(scope="module")
def sd15(tmp_path_factory: pytest.TempPathFactory, pack: Any) -> Path:
    """A folder with a whole checkpoint that ComfyUI reads, and what was trained on it in bf16."""
    folder = tmp_path_factory.mktemp("sd15")
    (folder / "videos").mkdir()
    (folder / "videos" / "fade.mp4").write_bytes(own.video(own.greys(*range(0, 240, 20), width=128)))
    (folder / "videos" / "fade.txt").write_text("from black to white")
    own.write_sd15(folder / "sd15.safetensors", folder / "taesd.safetensors")
    AcceleratorState._reset_state(True)  # a process has one precision, and other tests of this one have trained in fp32
    main(own.arguments(folder, "run", checkpoint=folder / "sd15.safetensors", vae=folder / "taesd.safetensors", steps=2, batch=1,
                       precision="bf16", lean=True, strides="gentle"))
    return folder


def test_a_whole_checkpoint_is_trained_on_and_what_comes_out_belongs_to_it(sd15: Path, graph: Any) -> None:
    state = torch.load(sd15 / "run" / "state.pt", weights_only=True)
    assert state["step"] == 2 and all(torch.isfinite(value).all() for value in state["model"].values())
    assert state["model"]["blocks.middle.proj.weight"].abs().max() > 0
    (cached,) = (sd15 / "cache").glob("fade-*.safetensors")
    with safe_open(str(cached), framework="pt") as file:
        assert tuple(file.get_slice("z").get_shape()) == (12, 4, 6, 10)  # of 128 x 64: nearest to its shape, at most 64 x 64 pixels
        assert tuple(file.get_slice("context.1").get_shape()) == (77, 768)
    sd = importlib.import_module("comfy.sd")
    model, clip, *_ = sd.load_checkpoint_guess_config(str(sd15 / "sd15.safetensors"), output_vae=False)
    (graph.weights / "fade.safetensors").write_bytes((sd15 / "run" / "stunet.safetensors").read_bytes())
    out = graph.sample(graph.apply(model, "fade.safetensors"), clip, torch.zeros(4, 4, 8, 8), steps=1)
    assert torch.isfinite(out).all()


def test_weights_of_one_checkpoint_are_refused_on_another(graph: Any) -> None:
    found = image("SD15", 4)
    save_skeleton(graph.weights / "sd.safetensors", Skeleton(lumiere(found.layout, (2, 2, 2), model=found.name)), {})
    model = graph.apply(nets.model("SD15"), "sd.safetensors")
    out = graph.run("KSampler", model=model, positive=nets.prompt(1), negative=nets.prompt(2), seed=1, steps=1, cfg=2.0,
                    sampler_name="euler", scheduler="simple", denoise=1.0, latent_image={"samples": torch.zeros(8, 4, 8, 8)})[0]
    assert torch.isfinite(out["samples"]).all()
    with pytest.raises(ValueError, match=r"sd\.safetensors: weights: these STUNet weights were trained for SD15, the model is SDXL"):
        graph.apply(nets.model("SDXL"), "sd.safetensors")
