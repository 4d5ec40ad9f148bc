"""Motion LoRAs of random numbers in the layouts in which they are published, for a skeleton's own keys."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from stunet_core.model.skeleton import Skeleton
from tests.core.motion_files import published


def pairs(net: Skeleton, rank: int = 2) -> dict[str, tuple[Tensor, Tensor]]:
    """A random low-rank change, (up, down), of every weight of the attentions."""
    generator = torch.Generator().manual_seed(9)
    out: dict[str, tuple[Tensor, Tensor]] = {}
    for name, weight in net.state_dict().items():
        if ".attention_blocks." in name and name.endswith(".weight"):
            out[name] = (torch.randn(weight.shape[0], rank, generator=generator) * 0.3,
                         torch.randn(rank, weight.shape[1], generator=generator) * 0.3)
    return out


def lora(net: Skeleton, layout: str = "AnimateDiff") -> dict[str, Tensor]:
    """The same as a file of `layout`: AnimateDiff, diffusers or kohya."""
    names = {t.data_ptr(): name for name, t in published(net, layout="AnimateDiff" if layout == "kohya" else layout).items()}
    out: dict[str, Tensor] = {}
    for name, (up, down) in pairs(net).items():
        place, linear = re.fullmatch(r"(.+)\.(to_\w+?)(?:\.0)?\.weight", names[net.state_dict()[name].data_ptr()]).groups()  # type: ignore
        if layout == "AnimateDiff":
            key = f"{place}.processor.{linear}_lora"
            out |= {f"{key}.up.weight": up, f"{key}.down.weight": down}
        elif layout == "diffusers":
            key = f"unet.{place}.{linear}"
            out |= {f"{key}.lora_B.weight": up, f"{key}.lora_A.weight": down}
        else:
            key = "lora_unet_" + f"{place}.{linear}{'.0' * (linear == 'to_out')}".replace(".", "_")
            out |= {f"{key}.lora_up.weight": up, f"{key}.lora_down.weight": down, f"{key}.alpha": torch.tensor(2.0)}
    return out
