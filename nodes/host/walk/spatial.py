"""How ComfyUI runs one block of its U-Net: the walk's `Host`, honouring other packs' patches and ControlNets.

Patches see what they would see in core's `UNetModel._forward`: the same options, for the rows at hand. Every chunk
holds the same frames of every conditioning, so `cond_or_uncond` stays right.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import forward_timestep_embed
from torch import Tensor, nn

from ....stunet_core.model.walk import Block
from .row_patches import Level, counting, may_count, of_all_frames, with_all_frames
from .text_cache import alike, asked_once, asking_once, one_for_all
from .unet_call import UNetCall

FRAMES_AT_HAND = "ad_params"  # where patches with something for each frame look (IPAdapter's, since AnimateDiff-Evolved)
LAYER_PATCH = "forward_timestep_embed_patch"  # patches that run layers themselves
VIDEO_KEYS = ("time_context", "num_video_frames", "image_only_indicator")  # arguments of ComfyUI's own video layers


class ComfyHost:
    """One forward pass of a `UNetModel` over clips of `frames` frames. emb: (b f) e"""

    def __init__(self, net: nn.Module, call: UNetCall, emb: Tensor, frames: int):
        x, context, options, extra = call.x, call.context, call.options, call.extra
        self.asked = {"x": x, "timesteps": call.timesteps, "y": call.y}
        self.counted = counting(options)  # such patches are given all frames, and not in chunks
        if self.counted:
            options = with_all_frames(options, lambda: self.level)
        self.text = alike(context, frames) if asked_once(net, options) else None  # b m c: for all frames of a row
        if self.text is not None:
            options = asking_once(options)
        self.emb, self.context, self.control, self.options = emb, context, call.control or {}, options
        self.frames, self.watched = frames, bool(options.get("patches") or options.get("patches_replace"))
        self.taken: tuple[Tensor | None, Tensor | None] = None, None
        self.level = Level(torch.arange(x.shape[0], device=x.device), x.shape[0] // frames, frames, stride=1)  # at hand
        self.padded = 0  # rows of the finest level
        options["transformer_index"] = 0
        self.batch, self.shape = x.shape[0], list(x.shape[1:])
        self.extra = {key: extra[key] for key in VIDEO_KEYS if key in extra}
        self.patches = options.get("patches", {})
        self.inputs = len(net.input_blocks)  # type: ignore[arg-type]
        self.transformers = first_transformers(net)
        self.middle_end = net.middle_block[-1] if net.middle_block is not None and len(net.middle_block) > 1 else None

    def spatial(self, layers: Sequence[nn.Module], h: Tensor, rows: Tensor, block: Block,
                size: tuple[int, int] | None) -> Tensor:
        if layers[0] is not self.middle_end:  # the walk may stop within the middle block, which is entered once
            h = self.enter(h, rows, block)
        self.stand(block, h, rows)
        if transformers(layers):  # they count themselves up, and every chunk passes them anew
            self.options["transformer_index"] = self.transformers[block]
        shape = None if size is None else (*h.shape[:2], *size)
        emb, text = self.emb[rows], self.told(rows)

        def run(some: Sequence[nn.Module], h: Tensor, emb: Tensor) -> Tensor:
            return forward_timestep_embed(some, h, emb, text, self.options, shape, **self.extra)

        if block[0] == "input" and self.transformers[block] == 0 and not self.patches.get(LAYER_PATCH):
            early = unread(layers)
            h = one_for_all(lambda h, emb: run(layers[:early], h, emb), h, emb, self.batch // self.frames)
            layers = layers[early:]
        return run(layers, h, emb)

    def told(self, rows: Tensor) -> Tensor | None:
        """The text for `rows`; taken once for all blocks of a level, where its frames are not in chunks."""
        if self.text is not None or self.context is None:
            return self.text  # every chunk holds frames of every conditioning
        if self.taken[0] is not rows:
            self.taken = rows, self.context[rows]
        return self.taken[1]

    def after(self, h: Tensor, rows: Tensor, block: Block) -> Tensor:
        self.stand(block, h, rows)
        h = self.controlled(h, rows, block)
        if block[0] == "input":
            for patch in self.patches.get("input_block_patch", []):
                h = self.patched(patch, h)
        if block[0] == "middle":
            for patch in self.patches.get("middle_block_after_patch", []):
                h = of_all_frames(self.of_middle(patch), self.level, (h, self.options))
        return h

    def skip(self, h: Tensor, skip: Tensor, rows: Tensor, block: Block) -> tuple[Tensor, Tensor]:
        self.stand(block, h, rows)
        skip = self.controlled(skip, rows, block)
        for patch in self.patches.get("output_block_patch", []):
            h, skip = self.patched(patch, h, skip)
        return h, skip

    def enter(self, h: Tensor, rows: Tensor, block: Block) -> Tensor:
        """What patches do to an input block's output that its skip connection does not see: on entering the next."""
        name, index = block
        before = ("input", index - 1) if name == "input" else ("input", self.inputs - 1)
        if name == "output" or before[1] < 0:
            return h
        for patch in self.patches.get("input_block_patch_after_skip", []):
            self.stand(before, h, rows)
            h = self.patched(patch, h)
        return h

    def patched(self, patch: Any, *tensors: Tensor) -> Any:
        """What a patch of blocks makes of `tensors` of the rows at hand; of all frames if it may count them."""
        if may_count(patch):
            return of_all_frames(patch, self.level, (*tensors, self.options))
        return patch(*tensors, self.options)

    def of_middle(self, patch: Any) -> Any:
        """A `middle_block_after_patch`, which takes and gives a dictionary of all rows, called as all others are."""
        told = {**self.asked, "emb": self.emb, "context": self.context}
        return lambda h, options: patch({"h": h, "transformer_options": options, **told})["h"]

    def stand(self, block: Block, h: Tensor, rows: Tensor) -> None:
        """Tell patches where they are, how many rows there are, and which frames of the clip these are."""
        self.padded = max(self.padded, len(rows))  # the walk begins at the finest level
        self.level = replace(self.level, rows=rows, stride=self.padded // len(rows))
        self.options["block"] = block
        self.options["original_shape"] = [h.shape[0], *self.shape]
        if self.watched:
            others = self.options.get(FRAMES_AT_HAND) or {}
            self.options[FRAMES_AT_HAND] = {**others, "sub_idxs": self.at_hand(rows), "full_length": self.frames}

    def at_hand(self, rows: Tensor) -> list[int]:
        """The frames of the clip that each conditioning's share of `rows` stands for."""
        conds = self.batch // self.frames
        return (rows[:len(rows) // conds] % self.frames).tolist()

    def controlled(self, h: Tensor, rows: Tensor, block: Block) -> Tensor:
        """Add the ControlNet's residual for this block: of its frames only, at a level where time is strided.

        ComfyUI's own `apply_control` takes the lists' tensors from the end, and only logs a shape that does not fit.
        """
        name, index = block
        residuals = self.control.get(name, [])
        residual = residuals[-1 - index] if index < len(residuals) else None
        if residual is None:
            return h
        if residual.shape[0] not in (1, self.batch) or residual.shape[1:] != h.shape[1:]:
            raise ValueError(f"control: the residual for {name} block {index} is {tuple(residual.shape)}; the model "
                             f"needs {self.batch} (or 1) x {tuple(h.shape[1:])}. The ControlNet was made for another "
                             "model, or its hint has another number of frames than the clip: give it 1, or as many.")
        if residual.shape[0] == self.batch:
            residual = residual[rows.to(residual.device)]
        return h + residual.to(h)


def first_transformers(net: nn.Module) -> dict[Block, int]:
    """For each block, how many transformers come before it: core's `transformer_index` on entering it."""
    places: list[tuple[Block, Any]] = [(("input", i), layers) for i, layers in enumerate(net.input_blocks)]  # type: ignore[arg-type]
    places += [(("middle", 0), net.middle_block or ())]
    places += [(("output", i), layers) for i, layers in enumerate(net.output_blocks)]  # type: ignore[arg-type]
    first, count = {}, 0
    for block, layers in places:
        first[block] = count
        count += transformers(layers)
    return first


def unread(layers: Sequence[nn.Module]) -> int:
    """How many layers stand before the first that reads the text."""
    return next((i for i, layer in enumerate(layers) if transformers([layer])), len(layers))


def transformers(layers: Iterable[nn.Module]) -> int:
    """How many of `layers` are transformers."""
    return sum(type(layer).__name__ == "SpatialTransformer" for layer in layers)
