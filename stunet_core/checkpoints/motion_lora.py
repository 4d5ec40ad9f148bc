"""Motion LoRAs: low-rank changes of a motion module, such as AnimateDiff's for camera moves (`v2_lora_*`), told by their keys.

| written by | a pair's keys, after the module's place |
| --- | --- |
| AnimateDiff | `attention_blocks.0.processor.to_q_lora.down.weight`, `...up.weight`; no alpha: the product is added as it is |
| diffusers | the same with `attn1` for the first attention, or `attn1.to_q.lora_A.weight`, `...lora_B.weight` |
| kohya's trainers | `lora_unet_down_blocks_0_motion_modules_0_..._to_q.lora_down.weight`, `...lora_up.weight`, `...alpha` |
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from ..model.skeleton import SkeletonConfig
from .checks import check_numbers, plain
from .motion_layouts import KEY, UNETS, Place, own_name
from .tensor_file import open_tensors

SUFFIX = re.compile(r"(?:_lora\.|\.lora\.|\.lora_)(?P<half>down|up|A|B)(?:\.default)?(?:\.weight)?$|\.(?P<alpha>alpha)$")
UNDERSCORED = re.compile(r"^lora_unet_(?P<side>down|mid|up)_blocks?_(?:(?P<block>\d+)_)?(?P<kind>motion_modules|temporal_attentions)"
                         r"_(?P<index>\d+)_(?:temporal_transformer_)?(?P<name>.+)$")
HALVES = {"down": "down", "A": "down", "up": "up", "B": "up"}
DOTS = (  # kohya's names -> with dots where a Skeleton has them
    (re.compile(r"transformer_blocks_(\d+)_"), r"transformer_blocks.\1."),
    (re.compile(r"attention_blocks_(\d+)_"), r"attention_blocks.\1."),
    (re.compile(r"(^|\.)attn(\d)_"), r"\1attn\2."), (re.compile(r"to_out_0$"), "to_out.0"), (re.compile(r"ff_net_(\d+)"), r"ff.net.\1"),
    (re.compile(r"(ff\.net\.\d+)_proj$"), r"\1.proj"),
)


@dataclass
class Pair:
    """W + up @ down * alpha / rank; without an alpha, up @ down."""

    up: Tensor | None = None
    down: Tensor | None = None
    alpha: Tensor | None = None

    def whole(self) -> bool:
        """Whether both matrices are there and fit together."""
        if self.up is None or self.down is None or (self.alpha is not None and self.alpha.numel() != 1):
            return False
        return self.up.ndim == self.down.ndim == 2 and self.up.numel() > 0 and self.up.shape[1] == self.down.shape[0]


@dataclass(frozen=True)
class MotionLora:
    """`pairs` by place and by the changed layer's name in a MotionBlock."""

    pairs: Mapping[tuple[Place, str], Pair] = field(repr=False)

    @property
    def name(self) -> str:
        """The U-Net whose motion modules it changes."""
        places = [place for place, _ in self.pairs]
        levels = 1 + max(place.block for place in places)
        middle = any(place.side == "mid" for place in places)
        return UNETS.get(levels, f"a U-Net of {levels} levels") + (" (AnimateDiff v2)" if middle else "")

    def changes(self, config: SkeletonConfig, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Pair]:
        """The pairs by the names of a Skeleton's weights, whose `shapes` these are.

        Raises ValueError naming both, when the two do not belong together.
        """
        per_block = sum(b.position.startswith("input_") for b in config.blocks if b.kind == "motion") // (len(config.ratios) + 1)
        found, wrong = {}, ""
        for (place, layer), pair in self.pairs.items():
            name = f"blocks.{place.position(per_block)}.{layer}.weight"
            shape = shapes.get(name)
            assert pair.up is not None and pair.down is not None
            if shape is None:
                wrong = wrong or f"{place.side} block {place.block} has no {layer} there"
            elif (pair.up.shape[0], pair.down.shape[1]) != tuple(shape):
                wrong = wrong or f"{name} is {tuple(shape)}, its change {(pair.up.shape[0], pair.down.shape[1])}"
            found[name] = pair
        if wrong:
            raise ValueError(f"it is a motion LoRA for {self.name}, the model's temporal layers are those of "
                             f"{config.model or 'another U-Net'} ({wrong}): pick one made for that motion module")
        return found


def load_motion_lora(path: Path) -> MotionLora:
    """The motion LoRA at `path`. Raises ValueError naming the file when it is none, or damaged."""
    file = open_tensors(path)
    pairs: dict[tuple[Place, str], Pair] = {}
    read: dict[str, Tensor] = {}
    for name, tensor in plain(file.tensors()).items():
        suffix = SUFFIX.search(name)
        where = suffix and read_place(name[: suffix.start()])
        if not suffix or not where:
            continue
        pair = pairs.setdefault(where, Pair())
        setattr(pair, "alpha" if suffix["alpha"] else HALVES[suffix["half"]], tensor)
        read[name] = tensor
    if not pairs:
        raise ValueError(f"{path}: holds no motion LoRA. It has {len(file.names)} tensors{file.such_as()}: choose "
                         "a LoRA of a motion module; those of image models go into LoraLoader")
    for (place, layer), pair in pairs.items():
        if not pair.whole():
            raise ValueError(f"{path}: its change of {layer} in {place.side} block {place.block} is incomplete; the file was cut short or "
                             "altered: copy or download it again")
    check_numbers(read, path)
    return MotionLora(pairs)


def read_place(name: str) -> tuple[Place, str] | None:
    """(module, layer in it as a MotionBlock calls it) of a key without its suffix; None if it is of no motion module."""
    match = KEY.search(name)
    layer = match["name"] if match else ""
    if not match:
        match = UNDERSCORED.match(name)
        if not match:
            return None
        layer = match["name"]
        for pattern, dotted in DOTS:
            layer = pattern.sub(dotted, layer)
    layer = own_name(f".{layer}".replace(".processor.", "."))[1:].removesuffix("_lora")
    layer += ".0" if layer.endswith("to_out") else ""
    return Place(match["side"], int(match["block"] or 0), int(match["index"])), layer
