"""The one description of the embedded model, stored as JSON in its checkpoint."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from .frame_time import TIME_CHANNELS
from .inputs import beside_channels

GROUPS = 32  # of every group norm
NUMBERS = {  # what each field may be, least and most: a config comes from a file that anyone may have written
    "model_channels": (32, 1024), "channel_mult": (1, 16), "num_res_blocks": (1, 8), "head_channels": (8, 256), "context_dim": (8, 2048),
    "pooled_dim": (8, 2048), "latent_channels": (1, 64), "picture_cells": (2, 64), "text_tokens": (4, 1024), "text_layers": (1, 12),
    "text_heads": (1, 32),
}
LEVELS = 6  # at most
WIDEST = 4096  # channels of a level, at most


@dataclass(frozen=True)
class MiniConfig:
    """Sizes of the embedded text encoder, picture encoder and spatial U-Net.

    `channel_mult`, `num_res_blocks` and `attention` have one entry for each of the U-Net's spatial resolutions, the finest first;
    `attention` says where words and pictures are attended to. `picture_cells`: along each side of the picture of a thing.

    Raises ValueError naming the field and what it may be.
    """

    model_channels: int = 64
    channel_mult: tuple[int, ...] = (1, 3, 4)
    num_res_blocks: tuple[int, ...] = (1, 2, 2)
    attention: tuple[bool, ...] = (True, True, True)
    head_channels: int = 64
    context_dim: int = 128
    pooled_dim: int = 128
    latent_channels: int = 8
    picture_cells: int = 12
    text_tokens: int = 32
    text_layers: int = 2
    text_heads: int = 4

    def __post_init__(self) -> None:
        for name in ("channel_mult", "num_res_blocks", "attention"):
            object.__setattr__(self, name, _per_level(name, getattr(self, name)))  # JSON gives lists
        for name, (least, most) in NUMBERS.items():
            value = getattr(self, name)
            for number in value if isinstance(value, tuple) else (value,):
                if type(number) is not int or not least <= number <= most:
                    raise ValueError(f"{name}: {number!r}; it must be a whole number from {least} to {most}")
        for flag in self.attention:
            if type(flag) is not bool:
                raise ValueError(f"attention: {flag!r}; each entry must be true or false")
        if not len(self.channel_mult) == len(self.num_res_blocks) == len(self.attention):
            raise ValueError(f"channel_mult, num_res_blocks and attention have {len(self.channel_mult)}, {len(self.num_res_blocks)} and "
                             f"{len(self.attention)} entries: give one per level")
        if self.channel_mult[0] != 1:
            raise ValueError(f"channel_mult: begins with {self.channel_mult[0]}; it must begin with 1, as the net ends as it begins")
        for channels in (mult * self.model_channels for mult in self.channel_mult):
            if channels % GROUPS or channels % self.head_channels or channels > WIDEST:
                raise ValueError(f"model_channels, channel_mult: a level has {channels} channels; it must be a multiple of {GROUPS} (group "
                                 f"norm) and of head_channels={self.head_channels}, and at most {WIDEST}")
        if self.picture_cells % 2:
            raise ValueError(f"picture_cells: {self.picture_cells} is odd; pictures are halved, so it must be even")
        if self.context_dim % self.text_heads:
            raise ValueError(f"context_dim: {self.context_dim} is no multiple of text_heads={self.text_heads}")

    @property
    def levels(self) -> int:
        return len(self.channel_mult)

    @property
    def in_channels(self) -> int:
        """The noisy latents, and what stands beside them (`inputs.py`)."""
        return self.latent_channels + beside_channels(self.latent_channels)

    @property
    def y_channels(self) -> int:
        """Pooled text and the frame's time (`frame_time.py`)."""
        return self.pooled_dim + TIME_CHANNELS

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """Of the picture of a thing: its latents' channels and its coverage, height, width."""
        return self.latent_channels + 1, self.picture_cells, self.picture_cells

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "MiniConfig":
        """Raises ValueError for names that are none of the fields, for fields that are not there, and as the class does."""
        names = [f.name for f in fields(cls)]
        unknown = set(values) - set(names)
        if unknown:
            raise ValueError(f"the config names {', '.join(sorted(unknown))}, unknown to this version: update the pack")
        missing = [name for name in names if name not in values]
        if missing:
            raise ValueError(f"the config does not say {', '.join(missing)}: the file was altered, copy or download it again")
        return cls(**values)


def _per_level(name: str, value: Any) -> tuple:
    """`value` as a tuple. Raises ValueError unless it is a list of 1 to LEVELS entries."""
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= LEVELS:
        raise ValueError(f"{name}: {value!r}; give a list of 1 to {LEVELS} entries, one per level")
    return tuple(value)
