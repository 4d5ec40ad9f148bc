"""Low-rank changes of a U-Net's weights (LoRA: Hu et al., 2106.09685), in the file layout that all tools read (kohya's).

    W + up @ down * alpha / rank;  alpha = rank here, so the factor is 1.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

ATTENTION, EVERYTHING = LAYERS = ("attention", "attention and convolutions")
SKIPPED = ("emb_layers",)  # what the time step does is no style


def targets(net: nn.Module, layers: str) -> list[str]:
    """Names of the weights to change, of a U-Net in the LDM layout: of its transformers, or of its ResBlocks too.

    Raises ValueError when `layers` is none of `LAYERS`.
    """
    if layers not in LAYERS:
        raise ValueError(f"layers: {layers!r} is none of {', '.join(LAYERS)}")
    blocks = ("input_blocks.", "middle_block.", "output_blocks.")
    inside = {name for name, module in net.named_modules() if type(module).__name__ == "SpatialTransformer"}
    out = []
    for name, module in net.named_modules():
        if not isinstance(module, nn.Linear | nn.Conv2d) or not name.startswith(blocks) or any(s in name for s in SKIPPED):
            continue
        if layers == EVERYTHING or any(name.startswith(f"{transformer}.") for transformer in inside):
            out.append(f"{name}.weight")
    return out


class Lora(nn.Module):
    """`up` and `down` for each of some weights, named as in the net. It begins as no change at all."""

    def __init__(self, weights: Mapping[str, Tensor], rank: int, generator: torch.Generator):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank: {rank}; give 1 or more")
        self.shapes = {name: weight.shape for name, weight in weights.items()}
        self.down, self.up = nn.ParameterDict(), nn.ParameterDict()
        for name, shape in self.shapes.items():
            inputs = shape[1:].numel()
            own = min(rank, shape[0], inputs)
            key = underscored(name)
            self.down[key] = nn.Parameter(torch.randn(own, *shape[1:], generator=generator) * inputs**-0.5)
            self.up[key] = nn.Parameter(torch.zeros(shape[0], own, *(1 for _ in shape[2:])))

    def changed(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`weights` with the change added to those that have one."""
        out = dict(weights)
        for name, shape in self.shapes.items():
            key = underscored(name)
            delta = self.up[key].flatten(1) @ self.down[key].flatten(1)
            out[name] = weights[name] + delta.view(shape).to(weights[name])
        return out

    def file(self) -> dict[str, Tensor]:
        """Named tensors as kohya's trainers save them, in float16."""
        out: dict[str, Tensor] = {}
        for name in self.shapes:
            key = underscored(name)
            base = "lora_unet_" + key
            down, up = (part[key].detach().to("cpu", torch.float16).contiguous() for part in (self.down, self.up))
            out |= {f"{base}.lora_down.weight": down, f"{base}.lora_up.weight": up, f"{base}.alpha": torch.tensor(float(len(down)))}
        return out


def underscored(name: str) -> str:
    """ "input_blocks.1.0.in_layers.2.weight" -> "input_blocks_1_0_in_layers_2" """
    return name.removesuffix(".weight").replace(".", "_")
