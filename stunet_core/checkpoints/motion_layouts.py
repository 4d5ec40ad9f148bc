"""The layouts in which motion modules are published, told by their keys and brought into a Skeleton's own.

| layout | how its keys say so |
| --- | --- |
| AnimateDiff v1, v3 | `down_blocks.I.motion_modules.J.temporal_transformer.*`, tables of 24 or 32 entries |
| AnimateDiff v2 | the same with a `mid_block` |
| AnimateDiff-SDXL | three down blocks instead of four |
| HotshotXL | `temporal_attentions.J.*`, tables called `positional_encoding` |
| AnimateLCM | as AnimateDiff, without tables; 64 frames |
| diffusers' MotionAdapter | `motion_modules.J.transformer_blocks.K.attn1.*`, without tables; 32 frames |

Each module stands after the U-Net block of the same place, before its Upsample, and v2's one more inside the middle block.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from ..model.motion_module import MotionConfig, sinusoids
from ..model.skeleton import BlockSpec, SkeletonConfig
from .checks import spoken
from .tensor_file import DAMAGED, short

KEY = re.compile(r"(?:^|\.)(?P<side>down|mid|up)_blocks?\.(?:(?P<block>\d+)\.)?(?P<kind>motion_modules|temporal_attentions)"
                 r"\.(?P<index>\d+)\.(?:temporal_transformer\.)?(?P<name>.+)$")
RENAMED = (  # diffusers' and HotshotXL's names -> AnimateDiff's
    (re.compile(r"\.attn([12])\."), lambda m: f".attention_blocks.{int(m[1]) - 1}."),
    (re.compile(r"\.norm([12])\."), lambda m: f".norms.{int(m[1]) - 1}."),
    (re.compile(r"\.norm3\."), lambda m: ".ff_norm."),
    (re.compile(r"positional_encoding$"), lambda m: "pe"),
)
NOT_ALONE = {  # more than temporal layers: a key that tells, and what it is
    "img_encoder.": "AnimateLCM-I2V", "fps_embedding.": "FancyVideo", "motion_embedding.": "FancyVideo",
    "pose_encoder.": "CameraCtrl", "controlnet_cond_embedding.": "SparseCtrl",
}
DIMENSIONS = {"pe": 3, "norm.weight": 1, "to_q.weight": 2}  # of the tensors that say what to build
TABLES = {"AnimateLCM": 64, "diffusers": 32}  # lengths, where the file has none
UNETS = {3: "SDXL", 4: "SD1.5"}  # by number of levels
BETAS = {  # the noise schedules they were trained on, where it is not the image model's (guoyww/AnimateDiff, configs/)
    "SD1.5": ("linear", 0.00085, 0.012), "SDXL (AnimateDiff-SDXL)": ("scaled_linear", 0.00085, 0.020),
}


@dataclass(frozen=True)
class Place:
    """Where in the file a tensor belongs: `side` down, mid or up, its block there, and the module within the block."""

    side: str
    block: int
    index: int

    def position(self, per_block: int) -> str:
        """The place in the LDM layout, where each down block is `per_block` positions and then a Downsample."""
        if self.side == "mid":
            return "middle"
        if self.side == "down":
            return f"input_{1 + self.block * (per_block + 1) + self.index}"
        return f"output_{self.block * (per_block + 1) + self.index}"


def recognised(names: Iterable[str]) -> bool:
    """Whether keys of motion modules are among `names`."""
    return any(KEY.search(name) for name in names)


def read_layout(tensors: Mapping[str, Tensor]) -> tuple[SkeletonConfig, dict[str, Tensor]]:
    """What to build and what to fill it with. Tensors of a spatial U-Net in the same file are left out.

    Raises:
        ValueError: saying what the tensors are, when they are not a motion module alone and whole.
    """
    refuse(tensors)
    found: dict[Place, dict[str, Tensor]] = {}
    layout = "AnimateDiff"
    for name, tensor in tensors.items():
        match = KEY.search(name)
        if match is None:
            continue
        if match["kind"] == "temporal_attentions":
            layout = "HotshotXL"
        elif ".attn1." in name:
            layout = "diffusers"
        place = Place(match["side"], int(match["block"] or 0), int(match["index"]))
        found.setdefault(place, {})[checked(name, own_name(match["name"]), tensor)] = tensor
    tables = [t.shape[1] for part in found.values() for name, t in part.items() if name.endswith(".pe")]
    if layout == "AnimateDiff" and not tables:
        layout = "AnimateLCM"
    config = describe(found, layout, tables[0] if tables else TABLES.get(layout, 32))
    per_block = count(found, "down", 0)
    filled = {f"blocks.{place.position(per_block)}.{name}": tensor
              for place, part in found.items() for name, tensor in part.items()}
    assert config.motion is not None
    for name in [name for name in filled if name.endswith(".to_q.weight")]:
        filled.setdefault(name.replace("to_q.weight", "pos_encoder.pe"),
                          sinusoids(config.motion.positions, filled[name].shape[0]).to(filled[name]))
    return config, filled


def own_name(name: str) -> str:
    """A tensor's name within its module, as a MotionBlock calls it."""
    for pattern, renamed in RENAMED:
        name = pattern.sub(renamed, name)
    return name.replace(".pos_embed.pe", ".attention_blocks.0.pos_encoder.pe")


def checked(key: str, own: str, tensor: Tensor) -> str:
    """`own`, a tensor's name in a MotionBlock. Raises ValueError when it is none of those that say what to build, and has their name."""
    for name, dimensions in DIMENSIONS.items():
        if (own == name or own.endswith(f".{name}")) and (tensor.ndim != dimensions or not tensor.numel()):
            raise ValueError(f"its tensor {short(key)} is {spoken(tensor.shape)}, which no motion module has; the file is damaged: "
                             f"{DAMAGED}")
    return own


def count(found: Iterable[Place], side: str, block: int) -> int:
    """How many modules there are in a block."""
    return sum(place.side == side and place.block == block for place in found)


def describe(found: Mapping[Place, Mapping[str, Tensor]], layout: str, positions: int) -> SkeletonConfig:
    """The configuration that the shapes tell."""
    sides: dict[str, dict[int, int]] = {"down": {}, "up": {}, "mid": {}}  # block -> channels
    for place, part in found.items():
        if "norm.weight" not in part:
            raise ValueError(f"the motion module at {place.side} block {place.block} is incomplete: the file was cut "
                             f"short or altered: {DAMAGED}")
        sides[place.side][place.block] = part["norm.weight"].shape[0]
    down, up = ([side[i] for i in sorted(side)] for side in (sides["down"], sides["up"]))
    if not down or down != up[::-1]:
        raise ValueError(f"its motion modules have {down} channels on the way down and {up} on the way up; whole ones "
                         "have the same in reverse")
    per_block = count(found, "down", 0)
    levels = len(down)
    blocks = tuple(BlockSpec(place.position(per_block), part["norm.weight"].shape[0], "motion")
                   for place, part in found.items())
    first = next(iter(found.values()))
    name = name_of(layout, levels, bool(sides["mid"]), positions)
    layers = [int(one.split(".")[1]) for one in first if re.match(r"transformer_blocks\.\d{1,4}\.", one)]
    if not layers:
        raise ValueError(f"its first motion module has no transformer blocks: the file was cut short or altered: {DAMAGED}")
    motion = MotionConfig(
        betas=BETAS.get(name, BETAS.get(name.split(" ")[0])), positions=positions, norm="clip" if layout == "diffusers" else "frame",
        layers=1 + max(layers),
        attentions=sum(name.startswith("transformer_blocks.0.norms.") and name.endswith(".weight") for name in first))
    return SkeletonConfig(
        blocks=blocks, ratios=(1,) * (levels - 1), down_channels=tuple(down[:-1]), up_channels=tuple(down[1:]),
        emb_channels=4 * down[0], motion=motion, model=name)


def name_of(layout: str, levels: int, middle: bool, positions: int) -> str:
    """What people call the file, and the U-Net it was made for."""
    name = {"diffusers": "a diffusers motion adapter"}.get(layout, layout)
    if layout == "AnimateDiff":
        name = "AnimateDiff-SDXL" if levels == 3 else f"AnimateDiff {'v2' if middle else 'v1' if positions <= 24 else 'v3'}"
    return f"{UNETS.get(levels, f'a U-Net of {levels} levels')} ({name})"


def refuse(names: Iterable[str]) -> None:
    """Raise ValueError when the keys tell of something that motion modules alone cannot do."""
    names = list(names)
    if any("lora" in name.lower() for name in names):
        raise ValueError("it is a motion LoRA, which changes a motion module and is none itself: use the Motion LoRA node after Apply "
                         "STUNet")
    for part, name in NOT_ALONE.items():
        if any(part in key for key in names):
            raise ValueError(f"it is {name}, whose motion modules work only with other layers that are not supported")
    if any(key.endswith("conv_in.weight") for key in names) and not any(key.endswith("conv_out.weight") for key in names):
        raise ValueError("it is PIA, whose motion modules work only with an input layer that is not supported")
