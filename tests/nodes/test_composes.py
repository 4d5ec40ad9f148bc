"""Everything else that hangs on a MODEL keeps working once it is a clip model.

With layers as they are before training and no time strides, a clip model is the image model; so it must be under everything else:
patches, conditioning, LoRA, ControlNet, precision. Each test also shows that what is hung on it does something.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from launch.environment import COMFYUI
from tests.nodes import loras, nets
from tests.nodes.test_motion import FRAMES, sample

SAME = 1e-5  # of the largest value
SIZE = 8  # cells: 1 at the coarsest level
EXTRAS = ("differential_diffusion", "freelunch", "model_downscale", "hypertile", "tomesd", "pag", "sag", "attention_multiply",
          "perpneg", "hooks", "cond", "model_merging", "model_advanced", "fresca", "controlnet")


@pytest.fixture(scope="module")
def extras(pack: Any) -> None:
    """Core's nodes outside its main file."""
    core = importlib.import_module("nodes")
    for name in EXTRAS:
        path = COMFYUI / "comfy_extras" / f"nodes_{name}.py"
        assert asyncio.run(core.load_custom_node(str(path), module_parent="comfy_extras")), f"ComfyUI could not load {path}"


def inflate(graph: Any, model: Any) -> Any:
    return graph.apply(model, "fresh.safetensors", time_strides="none", noise_schedule="of the model")


def run(graph: Any, model: Any, **inputs: Any) -> torch.Tensor:
    """Two steps, so that start and end of sampling are seen."""
    settings: dict[str, Any] = {"steps": 2, "latent_image": {"samples": torch.zeros(FRAMES, 4, SIZE, SIZE)}}
    return sample(graph, model, **settings | inputs)


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a - b).abs().max() < SAME * a.abs().max())


def differ(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a - b).abs().max() > 100 * SAME * a.abs().max())


PATCHES: dict[str, tuple[str, dict[str, Any]]] = {
    "FreeU": ("FreeU_V2", {"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2}),
    "Deep Shrink": ("PatchModelAddDownscale", {
        "block_number": 3, "downscale_factor": 2.0, "start_percent": 0.0, "end_percent": 0.9, "downscale_after_skip": True,
        "downscale_method": "bicubic", "upscale_method": "bicubic"}),
    "Deep Shrink before the skip": ("PatchModelAddDownscale", {
        "block_number": 3, "downscale_factor": 2.0, "start_percent": 0.0, "end_percent": 0.9, "downscale_after_skip": False,
        "downscale_method": "bicubic", "upscale_method": "bicubic"}),
    "ToMe": ("TomePatchModel", {"ratio": 0.5}),
    "PAG": ("PerturbedAttentionGuidance", {"scale": 2.0}),
    "SAG": ("SelfAttentionGuidance", {"scale": 0.5, "blur_sigma": 2.0}),
    "attention multiply": ("UNetSelfAttentionMultiply", {"q": 1.2, "k": 1.1, "v": 0.9, "out": 1.1}),
    "cross-attention multiply": ("UNetCrossAttentionMultiply", {"q": 1.2, "k": 1.1, "v": 0.9, "out": 1.1}),
    "RescaleCFG": ("RescaleCFG", {"multiplier": 0.7}),
    "FreSca": ("FreSca", {"scale_low": 1.0, "scale_high": 1.5, "freq_cutoff": 2}),
}


@pytest.mark.parametrize("name", PATCHES)
def test_core_patches(graph: Any, modules: Path, extras: None, name: str) -> None:
    """Before Apply STUNet as well as after it."""
    node, settings = PATCHES[name]
    model, larger = nets.model("SD15"), {"latent_image": {"samples": torch.zeros(FRAMES, 4, 16, 16)}}  # FreeU needs 2 cells at the coarsest

    def patched(model: Any) -> Any:
        return graph.run(node, model=model, **settings)[0]

    def seeded(model: Any) -> torch.Tensor:
        torch.manual_seed(0)  # ToMe draws at random
        return run(graph, model, **larger)

    image = seeded(patched(model))
    assert differ(image, seeded(model)), "the patch does nothing here"
    assert same(seeded(patched(inflate(graph, model))), image)
    assert same(seeded(inflate(graph, patched(model))), image)


def areas(graph: Any) -> dict[str, Any]:
    left = graph.run("ConditioningSetArea", conditioning=nets.prompt(1), width=32, height=64, x=0, y=0, strength=1.0)[0]
    right = graph.run("ConditioningSetArea", conditioning=nets.prompt(3), width=32, height=64, x=32, y=0, strength=0.8)[0]
    return {"positive": graph.run("ConditioningCombine", conditioning_1=left, conditioning_2=right)[0]}


def masked(graph: Any) -> dict[str, Any]:
    mask = torch.zeros(1, 64, 64)
    mask[:, :, :32] = 1
    inside = graph.run("ConditioningSetMask", conditioning=nets.prompt(3), mask=mask, strength=1.0, set_cond_area="default")[0]
    return {"positive": graph.run("ConditioningCombine", conditioning_1=nets.prompt(1), conditioning_2=inside)[0]}


def over_sampling(graph: Any) -> dict[str, Any]:
    parts = [graph.run("ConditioningSetTimestepRange", conditioning=nets.prompt(seed), start=start, end=end)[0]
             for seed, start, end in ((1, 0.0, 0.5), (3, 0.5, 1.0))]
    return {"positive": graph.run("ConditioningCombine", conditioning_1=parts[0], conditioning_2=parts[1])[0]}


def for_each_frame(graph: Any) -> dict[str, Any]:
    """A prompt schedule, as the packs that make them give it: one text per frame in a batch."""
    tensors = [nets.prompt(seed)[0] for seed in range(FRAMES)]
    pooled = torch.cat([one[1]["pooled_output"] for one in tensors])
    return {"positive": [[torch.cat([one[0] for one in tensors]), {"pooled_output": pooled}]]}


def gradual(graph: Any) -> dict[str, Any]:
    """A noise mask of greys over a clip that is there, a new one for each frame."""
    grey = torch.linspace(0, 1, 64).expand(FRAMES, 1, 64, 64) * torch.linspace(0.3, 1, FRAMES)[:, None, None, None]
    clip = torch.randn(FRAMES, 4, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    return {"latent_image": {"samples": clip, "noise_mask": grey}, "denoise": 0.8}


CONDITIONS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "areas": areas, "masks": masked, "time ranges": over_sampling, "a prompt for each frame": for_each_frame, "noise masks": gradual}


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditioning(graph: Any, modules: Path, name: str) -> None:
    model, inputs = nets.model("SD15"), CONDITIONS[name](graph)
    image = run(graph, model, **inputs)
    assert differ(image, run(graph, model)), "the conditioning does nothing here"
    assert same(run(graph, inflate(graph, model), **inputs), image)


def test_differential_diffusion(graph: Any, modules: Path, extras: None) -> None:
    model = nets.model("SD15")
    image, clip = (graph.run("DifferentialDiffusion", model=m)[0] for m in (model, inflate(graph, model)))
    expected = run(graph, image, **gradual(graph))
    assert differ(expected, run(graph, model, **gradual(graph)))
    assert same(run(graph, clip, **gradual(graph)), expected)


def test_loras_before_and_after(graph: Any, modules: Path) -> None:
    model = nets.model("SD15")
    lora = loras.tensors(model, 1)
    image = run(graph, loras.load(model, lora))
    assert differ(image, run(graph, model))
    assert same(run(graph, loras.load(inflate(graph, model), lora)), image)
    assert same(run(graph, inflate(graph, loras.load(model, lora))), image)


def test_lora_hooks_scheduled_over_sampling(graph: Any, modules: Path, extras: None) -> None:
    """A LoRA on one conditioning alone, in the second half of sampling."""
    model, hooks = nets.model("SD15"), importlib.import_module("comfy.hooks")
    group = hooks.create_hook_lora(lora=loras.tensors(model, 1), strength_model=1.0, strength_clip=0.0)
    keys = graph.run("CreateHookKeyframe", strength_mult=0.0, start_percent=0.0)[0]
    keys = graph.run("CreateHookKeyframe", strength_mult=1.0, start_percent=0.5, prev_hook_kf=keys)[0]
    group = graph.run("SetHookKeyframes", hooks=group, hook_kf=keys)[0]
    hooked = graph.run("ConditioningSetProperties", cond_NEW=nets.prompt(1), strength=1.0, set_cond_area="default", hooks=group)[0]
    image = run(graph, model, positive=hooked)
    assert differ(image, run(graph, model))
    assert same(run(graph, inflate(graph, model), positive=hooked), image)
    assert same(run(graph, inflate(graph, model)), run(graph, model)), "afterwards nothing of the hook is left"


def test_models_merged_before(graph: Any, modules: Path, extras: None) -> None:
    one, other = nets.model("SD15"), nets.patcher(nets.made("SD15", 4))
    for parameter in other.model.diffusion_model.parameters():
        parameter.data = parameter.data.flip(0)
    merged = graph.run("ModelMergeSimple", model1=one, model2=other, ratio=0.5)[0]
    image = run(graph, merged)
    assert differ(image, run(graph, one))
    assert same(run(graph, inflate(graph, merged)), image)


def controlnet(hint_channels: int = 3) -> Any:
    """Core's own ControlNet around a net of random weights."""
    control, cldm, ops = (importlib.import_module(f"comfy.{name}") for name in ("controlnet", "cldm.cldm", "ops"))
    config = {key: value for key, value in nets.config("SD15").items() if key not in ("out_channels", "transformer_depth_output")}
    with torch.inference_mode(False):
        net = cldm.ControlNet(**config | {"hint_channels": hint_channels, "num_heads": 8, "operations": ops.disable_weight_init})
        nets.randomise(net)
    return control.ControlNet(net.requires_grad_(False), load_device=torch.device("cpu"), manual_cast_dtype=None)


def t2i_adapter(channels: int = 3) -> Any:
    control, adapters = (importlib.import_module(f"comfy.{name}") for name in ("controlnet", "t2i_adapter.adapter"))
    with torch.inference_mode(False):
        net = adapters.Adapter(channels=list(nets.LEVELS["SD15"]), nums_rb=2, cin=64 * channels, ksize=1, sk=True, use_conv=False, xl=False)
        nets.randomise(net)
    return control.T2IAdapter(net.requires_grad_(False), channels, 8, "nearest-exact", device=torch.device("cpu"))


@pytest.mark.parametrize("hints", [1, FRAMES])
@pytest.mark.parametrize("kind", [controlnet, t2i_adapter])
def test_control_with_one_hint_and_one_for_each_frame(graph: Any, modules: Path, kind: Callable[[], Any], hints: int) -> None:
    model, generator = nets.model("SD15"), torch.Generator().manual_seed(4)
    positive, negative = graph.run("ControlNetApplyAdvanced", positive=nets.prompt(1), negative=nets.prompt(2), control_net=kind(),
                                   image=torch.rand(hints, 64, 64, 3, generator=generator), strength=0.7, start_percent=0.0,
                                   end_percent=0.9)
    image = run(graph, model, positive=positive, negative=negative)
    assert differ(image, run(graph, model))
    assert same(run(graph, inflate(graph, model), positive=positive, negative=negative), image)


class PicturePrompt:
    """Cross-attention to a picture of its own for each frame, as IPAdapter does it: which frames are at hand, `ad_params` says."""

    def __init__(self, frames: int):
        self.keys = torch.randn(frames, 3, nets.CONTEXT, generator=torch.Generator().manual_seed(6))

    def __call__(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
        own = importlib.import_module("comfy.ldm.modules.attention").optimized_attention
        keys, known = self.keys, options.get("ad_params")
        if known is not None:
            assert known["full_length"] == len(keys)
            keys = keys[known["sub_idxs"]]
        keys = keys.repeat(len(options["cond_or_uncond"]), 1, 1)[:, :, :1].expand(-1, -1, q.shape[-1])
        return own(q, k, v, options["n_heads"]) + own(q, keys, keys, options["n_heads"])


@pytest.mark.parametrize("chunk", [1, 4, FRAMES])
def test_a_picture_for_each_frame_reaches_its_frame(graph: Any, modules: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where frames are worked on in chunks, in which the first rows are not the clip's first frames."""
    monkeypatch.setattr(graph.pack.module("nodes.host.walk.apply"), "CHUNK", chunk)
    monkeypatch.setattr(graph.pack.module("nodes.host.walk.apply"), "LITTLE", 0)

    def shown(model: Any) -> Any:
        out, replace = model.clone(), PicturePrompt(FRAMES)
        for block in (1, 2, 4, 5, 7, 8):
            out.set_model_attn2_replace(replace, "input", block)
        return out

    model = nets.model("SD15")
    image = run(graph, shown(model))
    assert differ(image, run(graph, model))
    assert same(run(graph, shown(inflate(graph, model))), image)


def test_a_strided_level_shows_the_pictures_of_the_frames_it_holds(graph: Any, modules: Path) -> None:
    seen: dict[int, list[int]] = {}

    def note(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict[str, Any]) -> tuple:
        assert len(options["ad_params"]["sub_idxs"]) * len(options["cond_or_uncond"]) == len(q)
        seen.setdefault(options["block"][1], options["ad_params"]["sub_idxs"])
        return q, k, v

    model = graph.apply(nets.model("SD15"), "v2.safetensors", time_strides="lumiere", noise_schedule="of the model").clone()
    model.set_model_attn2_patch(note)
    run(graph, model)
    assert seen[1] == [0, 1, 2, 3, 4, 5, 5, 5], "time is padded with the last frame"
    assert seen[4] == [0, 2, 4, 5]
    assert seen[7] == [0, 4]


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.float16])
def test_weights_of_few_bits_computed_in_float32(graph: Any, modules: Path, dtype: torch.dtype) -> None:
    """fp8 checkpoints: ComfyUI keeps the weights small, and casts them where they are used."""
    with torch.inference_mode(False):
        family = nets.supported("SD15", nets.config("SD15") | {"dtype": dtype})
        family.set_inference_dtype(dtype, torch.float32)
        whole = family.get_model({}, "")
        whole.diffusion_model.load_state_dict(nets.weights("SD15", 4).diffusion_model.state_dict())
        model = nets.patcher(whole.requires_grad_(False))
    assert next(whole.diffusion_model.parameters()).dtype == dtype
    assert same(run(graph, inflate(graph, model)), run(graph, model))


def test_weights_that_are_brought_in_as_they_are_needed(graph: Any, modules: Path) -> None:
    """ComfyUI's low-memory mode, with a LoRA that is then worked in at every use."""
    model = loras.load(nets.model("SD15"), loras.tensors(nets.model("SD15"), 1))
    clip, whole = inflate(graph, model), run(graph, model)
    manage = importlib.import_module("comfy.model_management")
    manage.unload_all_models()
    clip.load(torch.device("cpu"), lowvram_model_memory=1)
    assert any(getattr(module, "comfy_cast_weights", False) for module in clip.model.diffusion_model.modules())
    try:
        assert same(run(graph, clip), whole)
    finally:
        clip.detach()
