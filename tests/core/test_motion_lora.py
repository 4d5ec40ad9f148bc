"""Motion LoRAs in the layouts in which they are published are the same change of the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stunet_core.checkpoints.motion_lora import load_motion_lora
from tests.core import motion_lora_files
from tests.core.motion_files import skeleton

CHANNELS = (32, 64, 64, 64)


def shapes(net: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(t.shape) for name, t in net.state_dict().items()}


@pytest.mark.parametrize("layout", ["AnimateDiff", "diffusers", "kohya"])
def test_every_layout_is_the_same_change(tmp_path: Path, layout: str) -> None:
    net = skeleton(CHANNELS, middle=True)
    file = motion_lora_files.lora(net, layout)
    save_file(file, tmp_path / "lora.safetensors")
    changes = load_motion_lora(tmp_path / "lora.safetensors").changes(net.config, shapes(net))
    expected = {name for name in net.state_dict() if ".attention_blocks." in name and name.endswith(".weight")}
    assert changes.keys() == expected
    reference = motion_lora_files.pairs(net)
    for name, pair in changes.items():
        assert torch.equal(pair.up, reference[name][0])
        assert torch.equal(pair.down, reference[name][1])
        assert (pair.alpha is not None) == (layout == "kohya")


def test_the_wrong_module_is_named_with_the_lora_s(tmp_path: Path) -> None:
    save_file(motion_lora_files.lora(skeleton(CHANNELS, middle=True)), tmp_path / "v2.safetensors")
    lora = load_motion_lora(tmp_path / "v2.safetensors")
    other = skeleton(CHANNELS[:3])
    with pytest.raises(ValueError, match=r"motion LoRA for SD1\.5 \(AnimateDiff v2\), .* are those of"):
        lora.changes(other.config, shapes(other))


def test_what_is_no_motion_lora_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.safetensors"
    save_file({"lora_unet_input_blocks_1_1_proj_in.lora_up.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(ValueError, match=r"image\.safetensors: holds no motion LoRA"):
        load_motion_lora(path)
    file = motion_lora_files.lora(skeleton(CHANNELS))
    del file[next(name for name in file if ".up." in name)]
    save_file(file, path)
    with pytest.raises(ValueError, match="incomplete; the file was cut short"):
        load_motion_lora(path)
