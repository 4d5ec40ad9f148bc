"""The one description of the embedded model, stored as JSON in its checkpoint."""

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class MiniConfig:
    """Sizes of the embedded text encoder, autoencoder and spatial U-Net.

    `levels` counts the U-Net's spatial resolutions; `attention` says at which of them text is attended to. With `scale_shift`
    time and pooled text scale and shift each block's normalised features (Dhariwal & Nichol, 2105.05233, sec. 3.1) instead
    of being added before the normalisation, which takes much of it away where a group has only two channels.
    """

    model_channels: int = 64
    channel_mult: tuple[int, ...] = (1, 2, 4)
    num_res_blocks: int = 1
    attention: tuple[bool, ...] = (False, True, True)
    head_channels: int = 32
    context_dim: int = 128
    pooled_dim: int = 128
    in_channels: int = 9
    out_channels: int = 4
    text_tokens: int = 32
    text_layers: int = 2
    text_heads: int = 4
    scale_shift: bool = False

    def __post_init__(self) -> None:
        for name in ("channel_mult", "attention"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON gives lists
        if len(self.attention) != len(self.channel_mult):
            raise ValueError(f"attention has {len(self.attention)} entries, channel_mult {len(self.channel_mult)}: "
                             "give one per level")
        for mult in self.channel_mult:
            channels = mult * self.model_channels
            if channels % 32 or channels % self.head_channels:
                raise ValueError(f"a level has {channels} channels: it must be a multiple of 32 (group norm) and of "
                                 f"head_channels={self.head_channels}")
        if self.context_dim % self.text_heads:
            raise ValueError(f"context_dim={self.context_dim} is no multiple of text_heads={self.text_heads}")

    @property
    def levels(self) -> int:
        return len(self.channel_mult)

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "MiniConfig":
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"the checkpoint's config names {sorted(unknown)}, unknown to this version: update the pack")
        return cls(**values)
