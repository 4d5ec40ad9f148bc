"""Where things sit in an LDM U-Net: which blocks there are, at which level, with how many channels.

SD1.5, SDXL and the mini model share the layout (`input_blocks`, `middle_block`, `output_blocks`), in ComfyUI's classes
or ours, so layers are told by their class name: `ResBlock`, `SpatialTransformer`, `Downsample`, `Upsample`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Position:
    """One place for a temporal block: after a U-Net block's spatial layers (and before its Upsample)."""

    name: str      # "input_1", "middle", "output_0"
    channels: int
    level: int     # 0 = the finest


@dataclass(frozen=True)
class Layout:
    """All places for temporal blocks, and the channels of the features that are resampled between levels."""

    positions: tuple[Position, ...]
    down_channels: tuple[int, ...]   # after the Downsample into level 1, 2, ...
    up_channels: tuple[int, ...]     # after the Upsample out of level 1, 2, ...
    emb_channels: int

    @property
    def levels(self) -> int:
        return len(self.down_channels) + 1


def find(layers: Iterable[nn.Module], name: str) -> nn.Module | None:
    """The last of `layers` whose class is called `name`."""
    found = [layer for layer in layers if type(layer).__name__ == name]
    return found[-1] if found else None


def _block_channels(layers: Iterable[nn.Module]) -> int | None:
    res = find(layers, "ResBlock")
    return None if res is None else int(res.out_layers[-1].weight.shape[0])  # type: ignore[union-attr, index]


def read_layout(net: nn.Module) -> Layout:
    """Read the layout off a U-Net module.

    Raises:
        ValueError: `net` has no `input_blocks`, `output_blocks` and `time_embed`. Some small SDXLs have no
            `middle_block`.
    """
    parts = ("input_blocks", "output_blocks", "time_embed")
    if not all(getattr(net, part, None) is not None for part in parts):
        raise ValueError(f"model: {type(net).__name__} is not a U-Net in the LDM layout; "
                         "a Space-Time U-Net needs an SD1.5, SD2.x or SDXL checkpoint, or the mini model")
    inputs, middle, outputs = net.input_blocks, getattr(net, "middle_block", None), net.output_blocks
    positions, downs, ups, level = [], [], {}, 0
    for i, layers in enumerate(inputs):  # type: ignore[arg-type]
        channels = _block_channels(layers)
        if channels is not None:
            positions.append(Position(f"input_{i}", channels, level))
        down = find(layers, "Downsample")
        if down is not None:
            level += 1
            downs.append(int(down.op.weight.shape[0]))  # type: ignore[union-attr]
    if middle is not None:
        positions.append(Position("middle", _block_channels(middle) or 0, level))  # type: ignore[arg-type]
    for i, layers in enumerate(outputs):  # type: ignore[arg-type]
        channels = _block_channels(layers)
        if channels is not None:
            positions.append(Position(f"output_{i}", channels, level))
        up = find(layers, "Upsample")
        if up is not None:
            ups[level] = int(up.conv.weight.shape[0])  # type: ignore[union-attr]
            level -= 1
    emb = int(net.time_embed[-1].weight.shape[0])  # type: ignore[index]
    return Layout(tuple(positions), tuple(downs), tuple(ups[i + 1] for i in range(len(downs))), emb)
