"""STUNetMotionLora: a motion LoRA on the motion module that Apply STUNet put in."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.core import motion_lora_files
from tests.core.motion_files import published, skeleton
from tests.nodes import nets
from tests.nodes.test_motion import sample


@pytest.fixture
def files(graph: Any) -> None:
    """Three files in the user's `stunet` folder: a module, a LoRA for it, and the module that the two make."""
    module = skeleton(nets.LEVELS["SD15"], middle=True, positions=8)
    save_file(published(module), graph.weights / "v2.safetensors")
    save_file(motion_lora_files.lora(module), graph.weights / "zoom.safetensors")
    for name, (up, down) in motion_lora_files.pairs(module).items():
        module.get_parameter(name).add_(up @ down)
    save_file(published(module), graph.weights / "zooming.safetensors")
    save_file(published(skeleton(nets.LEVELS["SDXL"], positions=8)), graph.weights / "sdxl.safetensors")


def add(graph: Any, model: Any, strength: float = 1.0, lora: str = "zoom.safetensors") -> Any:
    return graph.run("STUNetMotionLora", model=model, lora=lora, strength=strength)[0]


@pytest.mark.usefixtures("files")
def test_it_is_the_module_with_the_change_added(graph: Any) -> None:
    """Whatever was sampled before; the model it came from stays as it was."""
    model = nets.model("SD15")
    plain = graph.apply(model, "v2.safetensors")
    before = sample(graph, plain)
    changed, wanted = sample(graph, add(graph, plain)), sample(graph, graph.apply(model, "zooming.safetensors"))
    assert (changed - before).abs().max() > 1e-2
    assert (changed - wanted).abs().max() < 1e-4 * wanted.std()
    assert torch.equal(sample(graph, add(graph, plain, strength=0.0)), before)
    assert (sample(graph, add(graph, add(graph, plain, 0.5), 0.5)) - wanted).abs().max() < 1e-4 * wanted.std()
    assert torch.equal(sample(graph, plain), before)


@pytest.mark.usefixtures("files")
def test_what_does_not_belong_together_is_refused(graph: Any) -> None:
    both = r"zoom\.safetensors: it is a motion LoRA for SD1\.5 \(AnimateDiff v2\), .* SDXL \(AnimateDiff-SDXL\)"
    with pytest.raises(ValueError, match=both):
        add(graph, graph.apply(nets.model("SDXL"), "sdxl.safetensors"))
    with pytest.raises(ValueError, match="model: it has no motion module"):
        add(graph, nets.model("SD15"))
    with pytest.raises(ValueError, match=r"v2\.safetensors: holds no motion LoRA"):
        add(graph, graph.apply(nets.model("SD15"), "v2.safetensors"), lora="v2.safetensors")
    answer = graph.pack.nodes["STUNetMotionLora"].validate_inputs(lora="nowhere.safetensors")
    assert "nowhere.safetensors" in answer
    assert "animatediff_motion_lora" in answer
