"""STUNetApply: temporal layers in any MODEL, without breaking what else hangs on it."""

from __future__ import annotations

import gc
import importlib
import weakref
from typing import Any

import pytest
import torch

from stunet_core.checkpoints.weights import save_skeleton
from stunet_core.mini.config import MiniConfig
from stunet_core.mini.host import forward_clip
from stunet_core.model.walk import Clip
from tests import tiny

CLIP = torch.zeros(6, 8, 8, 8)
SHAPES = (tiny.CONFIG.in_channels, 8, 8), (32, 32), (tiny.CONFIG.y_channels,)  # of x, context and y
FRAMES = 6


def forward(model: Any, frames: int = FRAMES, conds: int = 2, control: dict | None = None, turned: int = 0, last: float = 1.0,
            **options: Any) -> Any:
    """One call of the model's U-Net as a sampler makes it: every row of `frames` x `conds` its own noise and text.

    `turned`: every clip begins so many frames later and ends with those. `last` scales the noise of the last conditioning.
    """
    generator = torch.Generator().manual_seed(3)
    rows = frames * conds
    x, context, y = (torch.randn(rows, *shape, generator=generator) for shape in SHAPES)
    x[-frames:] *= last
    x = x.unflatten(0, (conds, frames)).roll(-turned, 1).flatten(0, 1)
    text = torch.arange(conds).repeat_interleave(frames) * frames  # one text for all frames of a conditioning
    wrappers = importlib.import_module("comfy.patcher_extension").merge_nested_dicts(
        {"wrappers": model.wrappers}, model.model_options["transformer_options"])
    options = wrappers | {"cond_or_uncond": list(range(conds))} | options
    return model.model.diffusion_model(x, torch.full((rows,), 500.0), context=context[text], y=y[text],
                                       control=control, transformer_options=options)


def test_comfyui_gives_the_numbers_of_the_plain_torch_host(graph: Any) -> None:
    model = graph.apply(graph.mini()[0])
    generator = torch.Generator().manual_seed(3)
    x, context, y = (torch.randn(12, *shape, generator=generator) for shape in SHAPES)
    expected = forward_clip(tiny.unet(), tiny.skeleton(), x, torch.full((2,), 500.0), context[[0, 6]],
                            y[[0, 6]].repeat_interleave(FRAMES, dim=0), Clip(2, FRAMES))
    assert torch.allclose(forward(model), expected, atol=1e-4)
    assert expected.std() > 0.05


@pytest.mark.parametrize("chunk", [1, 4, 5])
def test_chunks_of_frames_change_nothing(graph: Any, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = graph.apply(graph.mini()[0])
    whole = forward(model)
    monkeypatch.setattr(graph.pack.module("nodes.host.walk.apply"), "CHUNK", chunk)
    monkeypatch.setattr(graph.pack.module("nodes.host.walk.apply"), "LITTLE", 0)
    assert torch.allclose(forward(model), whole, atol=1e-5)


def test_chunks_shrink_to_the_free_memory(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = graph.apply(graph.mini()[0])
    whole, rows = forward(model), []
    model.set_model_attn2_patch(lambda q, k, v, options: (rows.append(q.shape[0]), (q, k, v))[1])
    monkeypatch.setattr(type(model.model), "memory_required", lambda self, shape, **_: 1e30)
    assert torch.allclose(forward(model), whole, atol=1e-5)
    assert set(rows) == {4}, "one frame of both conditionings at the finest level: two at the next, where attention begins"


def test_weights_that_would_make_room_count_as_free_memory(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer ComfyUIs fill a GPU with weights that they drop when more is needed; the model's patcher knows how much."""
    model = graph.apply(graph.mini()[0])
    monkeypatch.setattr(type(model.model), "memory_required", lambda self, shape, **_: 1e30)
    monkeypatch.setattr(type(model), "get_free_memory", lambda self, device: 1e32, raising=False)
    rows: list[int] = []
    model.set_model_attn2_patch(lambda q, k, v, options: (rows.append(q.shape[0]), (q, k, v))[1])
    monkeypatch.setattr(model.model, "current_patcher", model)
    forward(model)
    assert max(rows) > 4, "not one frame at a time"
    monkeypatch.setattr(model.model, "current_patcher", None)
    rows.clear()
    forward(model)
    assert max(rows) == 4


def test_conditionings_do_not_mix(graph: Any) -> None:
    """What is given to one conditioning changes no frame of the other."""
    model = graph.apply(graph.mini()[0])
    plain, changed = forward(model), forward(model, last=1.5)
    assert torch.equal(plain[:FRAMES], changed[:FRAMES])
    assert (plain[FRAMES:] - changed[FRAMES:]).abs().amax(dim=(1, 2, 3)).min() > 1e-3  # in every frame of its own


def test_rows_that_are_no_whole_clips_are_refused(graph: Any) -> None:
    with pytest.raises(ValueError, match="12 rows do not divide into 5 conditionings"):
        forward(graph.apply(graph.mini()[0]), cond_or_uncond=[0, 1, 0, 1, 0])


def test_the_wrapper_chain_stays_whole(graph: Any) -> None:
    """Wrappers of other packs run on both sides of ours, once each, whatever they change."""
    calls: list[str] = []

    def wrapper(name: str, factor: float) -> Any:
        def wrap(executor: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            calls.append(name)
            assert executor.class_obj is model.model.diffusion_model
            return executor(x, *args, **kwargs) * factor
        return wrap

    model = graph.mini()[0]
    plain = forward(graph.apply(model))
    model.add_wrapper_with_key("diffusion_model", "before", wrapper("before", 2.0))
    model = graph.apply(model)
    model.add_wrapper_with_key("diffusion_model", "after", wrapper("after", 3.0))
    assert torch.allclose(forward(model), plain * 6, atol=1e-5)
    assert calls == ["before", "after"]


def test_removing_the_node_leaves_no_trace(graph: Any) -> None:
    model, clip, _ = graph.mini()
    before = graph.sample(model, clip, CLIP)
    weights = {name: tensor.clone() for name, tensor in model.model.state_dict().items()}
    graph.sample(graph.apply(model), clip, CLIP)
    assert torch.equal(before, graph.sample(model, clip, CLIP))
    assert set(model.wrappers) == {"outer_sample"}, "its own"
    assert not model.additional_models
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.model.state_dict().items())


def test_applied_twice_the_last_one_counts(graph: Any) -> None:
    model = graph.mini()[0]
    once = forward(graph.apply(model))
    assert torch.equal(forward(graph.apply(graph.apply(model, strength=0.3))), once)


def test_strength_scales_what_time_adds(graph: Any) -> None:
    model = graph.mini()[0]
    none, half, full = (forward(graph.apply(model, strength=s)) for s in (0.0, 0.5, 1.0))
    assert 0 < (half - none).norm() < (full - none).norm()


def test_a_loop_has_no_first_frame(graph: Any) -> None:
    """Turned by one coarsest frame, a loop's frames turn with it; with 7 frames time does not close."""
    mini = graph.mini()[0]
    model, line = graph.apply(mini, loop=True), graph.apply(mini)
    with pytest.raises(ValueError, match="loop: the clip has 7 frames; a loop needs a multiple of 4"):
        forward(model, frames=7, conds=1)

    def turns(model: Any) -> float:
        plain, turned = forward(model, frames=8), forward(model, frames=8, turned=4)
        return float((plain.unflatten(0, (2, 8)).roll(-4, 1).flatten(0, 1) - turned).abs().max())

    assert turns(model) < 1e-4
    assert turns(line) > 1e-2


def test_one_file_is_one_set_of_weights_and_comfyui_frees_it(graph: Any) -> None:
    mm = importlib.import_module("comfy.model_management")
    gc.collect()  # what other tests left in cycles
    mini, clip, _ = graph.mini()
    model, other = graph.apply(mini), graph.apply(mini, loop=True, strength=0.5)
    (patcher,) = model.get_additional_models_with_key("stunet")
    assert patcher.model is other.get_additional_models_with_key("stunet")[0].model
    graph.sample(model, clip, CLIP)
    assert any(loaded.model is not None and loaded.model.model is patcher.model for loaded in mm.current_loaded_models)
    assert patcher.loaded_size() == patcher.model_size()
    mm.unload_all_models()
    assert not any(loaded.model is not None and loaded.model.model is patcher.model for loaded in mm.current_loaded_models)
    module = weakref.ref(patcher.model)
    del model, other, patcher
    gc.collect()
    assert module() is None


def test_nothing_of_ours_holds_on_to_a_model(graph: Any) -> None:
    """Gone with its last user, by reference counts alone; else ComfyUI says "Potential memory leak" and collects garbage."""
    def sampled() -> list[weakref.ref]:
        model, clip, _ = graph.mini()
        applied = graph.apply(model)
        graph.sample(applied, clip, CLIP)
        return [weakref.ref(model.model), weakref.ref(applied.get_additional_models_with_key("stunet")[0].model)]

    gc.collect()
    gc.disable()
    try:
        assert [held() for held in sampled()] == [None, None]
    finally:
        gc.enable()


def test_comfyui_does_not_reckon_with_all_frames_at_once(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, clip, _ = graph.mini()
    shapes: list[int] = []
    required = type(model.model).memory_required
    monkeypatch.setattr(type(model.model), "memory_required",
                        lambda self, shape, **k: (shapes.append(shape[0]), required(self, shape, **k))[1])
    samples = torch.zeros(80, 4, 2, 2)
    graph.sample(graph.apply(model), clip, samples, steps=1)
    assert shapes[0] < 2 * 40, "two conditionings"
    shapes.clear()
    graph.sample(model, clip, samples, steps=1)
    assert shapes[0] == 2 * 80


def test_a_strength_mask_is_of_the_whole_picture_where_a_conditioning_is_for_a_part_of_it(graph: Any) -> None:
    """ConditioningSetArea runs the model on a crop, which the whole mask would be squeezed into."""
    model, clip, _ = graph.mini()
    left = torch.zeros(1, 64, 64)
    left[:, :, :32] = 1  # the area below: nothing in it, or all of it
    (area,) = graph.run("ConditioningSetArea", conditioning=graph.prompt(clip, "a rocket"), width=32, height=64, x=0, y=0, strength=1.0)
    settings: list[dict[str, Any]] = [{"strength": 0.0}, {"strength_mask": 1 - left}, {}, {"strength_mask": left}]
    none, masked, full, kept = (graph.sample(graph.apply(model, **more), clip, CLIP, positive=area, cfg=1.0)[..., :4] for more in settings)
    assert torch.equal(none, masked) and torch.equal(full, kept)
    assert not torch.allclose(none, full, atol=1e-3)


def test_a_strength_mask_of_another_number_of_frames_is_refused_before_sampling(graph: Any) -> None:
    model, clip, _ = graph.mini()
    with pytest.raises(ValueError, match="strength_mask: it has 5 frames, the clip 6; give 1 for all frames, or one for each"):
        graph.sample(graph.apply(model, strength_mask=torch.ones(5, 64, 64)), clip, CLIP)


# --- what it refuses ---


def test_a_model_that_is_no_u_net_is_named(graph: Any) -> None:
    model = graph.mini()[0].clone()
    model.add_object_patch("diffusion_model", torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"model: found MiniModel \(Linear\), which is no U-Net"):
        graph.apply(model)


def test_a_model_on_several_gpus_is_refused(graph: Any) -> None:
    model = graph.mini()[0]
    split = model.clone()
    split.set_additional_models("multigpu", [model.clone()])
    with pytest.raises(ValueError, match="model: its conditionings are split over several GPUs"):
        graph.apply(split)


def test_weights_of_another_model_are_refused_with_both_names(graph: Any) -> None:
    other = tiny.skeleton(MiniConfig(model_channels=64, head_channels=16))
    save_skeleton(graph.weights / "other.safetensors", other, {})
    with pytest.raises(ValueError, match=r"other\.safetensors: .*trained for mini, the model is MiniModel"):
        graph.apply(graph.mini()[0], "other.safetensors")


def test_a_truncated_file_is_refused(graph: Any) -> None:
    model = graph.mini()[0]
    for path in graph.weights.glob("*.safetensors"):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"mini_stunet\.safetensors: the file is damaged, cut short"):
        graph.apply(model)
    with pytest.raises(ValueError, match=r"mini\.safetensors: the file is damaged, cut short"):
        graph.mini()


def test_a_foreign_file_is_refused(graph: Any) -> None:
    save_file = importlib.import_module("safetensors.torch").save_file
    save_file({"lora.weight": torch.zeros(2, 2)}, graph.weights / "lora.safetensors")
    (graph.weights / "text.safetensors").write_text("not a safetensors file")
    for name in ("lora.safetensors", "text.safetensors", "mini.safetensors"):
        with pytest.raises(ValueError, match=name):
            graph.apply(graph.mini()[0], name)
    for name in ("lora.safetensors", "text.safetensors", "mini_stunet.safetensors"):
        with pytest.raises(ValueError, match=name):
            graph.run("STUNetLoadMini", weights=name)


def test_a_missing_file_is_named_with_the_folders_searched(graph: Any) -> None:
    node = graph.pack.nodes["STUNetApply"]
    answer = node.validate_inputs(weights="nowhere.safetensors")
    assert "nowhere.safetensors" in answer
    assert str(graph.weights) in answer
    assert node.validate_inputs(weights="mini_stunet.safetensors") is True
    assert node.validate_inputs(weights=None) is True
    assert "mini_stunet.safetensors" in node.GET_SCHEMA().inputs[1].options


def test_a_later_change_of_precision_is_refused(graph: Any) -> None:
    model, clip, _ = graph.mini()
    node = importlib.import_module("comfy_extras.nodes_model_advanced").ModelComputeDtype()
    (changed,) = node.patch(graph.apply(model), "bf16")
    with pytest.raises(ValueError, match="changes the precision before Apply STUNet"):
        graph.sample(changed, clip, CLIP)
    (changed,) = node.patch(model, "bf16")
    assert torch.isfinite(graph.sample(graph.apply(changed), clip, CLIP)).all()
