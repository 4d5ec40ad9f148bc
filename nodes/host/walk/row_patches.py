"""Patches of other packs that count rows: they are given what core gives them, all frames of every conditioning in order.

At a level where time is strided, a row stands for several frames; time may be padded; and frames come in chunks. A patch that adds a tensor
for each frame, or that keeps attention to read a map of each frame off it, would take one frame for another without a word.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

BLOCKS = ("input_block_patch", "input_block_patch_after_skip", "middle_block_after_patch", "output_block_patch")
ATTENTION = ("attn1_patch", "attn1_output_patch")  # cross-attention's patches look up which frames are at hand, as IPAdapter's do
REPLACED = "attn1"
ROW_BY_ROW = frozenset({  # core's own patches that treat each row alone; its Self-Attention Guidance does not
    "nodes_freelunch", "nodes_model_downscale", "nodes_hypertile", "nodes_tomesd", "nodes_pag", "nodes_attention_multiply"})
EXTRAS = "comfy_extras"
OURS = __name__.rsplit(".nodes.", 1)[0]


def counting(options: dict[str, Any]) -> bool:
    """Whether some patch may count rows."""
    patches, replaced = options.get("patches", {}), options.get("patches_replace", {}).get(REPLACED, {})
    return any(map(may_count, [*(patch for kind in (*BLOCKS, *ATTENTION) for patch in patches.get(kind, [])), *replaced.values()]))


def may_count(patch: Any) -> bool:
    """Whether a patch is neither ours nor one of core's that treat each row alone."""
    while isinstance(patch, functools.partial):
        patch = patch.func
    module = getattr(patch, "__module__", None) or ""
    parts = module.replace("\\", "/").replace("/", ".").split(".")
    core = EXTRAS in parts and parts[-1] in ROW_BY_ROW
    return not core and not (module == OURS or module.startswith(OURS + "."))


@dataclass(frozen=True)
class Level:
    """The rows at hand: `rows` (n) says for each its row in the sampler's batch, of `conds` conditionings with `frames` frames each; every
    one stands for `stride` frames."""

    rows: Tensor
    conds: int
    frames: int
    stride: int

    def standing_for(self) -> Tensor | None:
        """For each row of the sampler's batch the row at hand that stands for it; None where they are the batch."""
        count = len(self.rows) // self.conds
        if self.stride == 1 and count == self.frames:
            return None
        which = torch.arange(self.frames, device=self.rows.device) // self.stride
        return (torch.arange(self.conds, device=self.rows.device)[:, None] * count + which).flatten()


def of_all_frames(patch: Callable[..., Any], level: Level, arguments: Sequence[Any]) -> Any:
    """What `patch` makes of `arguments`, tensors of which have a row for each of the level's, asked for all frames and taken back.

    The last argument is the options, which say then that all frames are at hand.
    """
    index = level.standing_for()
    if index is None:
        return patch(*arguments)
    *tensors, options = arguments
    known = options.get("ad_params")
    told = {**options} | ({} if known is None else {"ad_params": {**known, "sub_idxs": list(range(level.frames))}})
    if "original_shape" in told:
        told["original_shape"] = [len(index), *told["original_shape"][1:]]
    return mapped(patch(*(mapped(value, len(level.rows), index) for value in tensors), told), len(index), level.rows)


def mapped(value: Any, count: int, index: Tensor) -> Any:
    """Tensors of `count` rows in `value` (a tensor, a tuple of some, None) taken at `index`; all else as it is."""
    if isinstance(value, tuple | list):
        return type(value)(mapped(one, count, index) for one in value)
    return value[index] if isinstance(value, Tensor) and len(value) == count else value


def with_all_frames(options: dict[str, Any], at_hand: Callable[[], Level]) -> dict[str, Any]:
    """Options whose patches of self-attention are asked for all frames. `at_hand` says which rows there are when one is called."""
    patches, replaced = dict(options.get("patches", {})), dict(options.get("patches_replace", {}))

    def whole(patch: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: of_all_frames(patch, at_hand(), arguments)

    for kind in ATTENTION:
        if kind in patches:
            patches[kind] = [whole(patch) if may_count(patch) else patch for patch in patches[kind]]
    if REPLACED in replaced:
        replaced[REPLACED] = {place: whole(patch) if may_count(patch) else patch for place, patch in replaced[REPLACED].items()}
    return {**options, "patches": patches, "patches_replace": replaced}
