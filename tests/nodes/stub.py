"""The tiny mini model's CLIP with a stub of a reader and of a book: words as typed, and a picture for a rocket and a second one."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import torch

from stunet_core.mini.book import STYLES
from stunet_core.mini.checkpoint import load_checkpoint
from tests.tiny import CONFIG

ROCKET, UP = 3, 4  # pages


class Page:
    """A book of two pictures."""

    def picture(self, entry: int, style: str) -> torch.Tensor:
        assert entry in (ROCKET, UP)
        seed = entry + 10 * ("flat", *STYLES).index(style)  # the style of a prompt that names none is "flat" here
        return torch.randn(CONFIG.picture_shape, generator=torch.Generator().manual_seed(seed)).clamp(-1, 1)


def reading_clip(graph: Any) -> Any:
    """The CLIP of the tiny weights; "rocket" is shown, in red if "red" is said, and "up" as a second thing."""
    modules = "nodes.host.mini.reading", "nodes.host.mini.text", "stunet_core.mini.prompt.prompt"
    reading, text, kinds = (graph.pack.module(name) for name in modules)
    checkpoint = load_checkpoint(graph.weights / "mini.safetensors")

    def read(parts: Any, own: Any = (), style: str | None = None) -> Any:
        typed = tuple((word, weight) for text, weight in parts for word in re.findall(r"[a-z0-9]+", text.lower()))
        words = [word for word, _ in typed]
        drawn = "line" if "line" in words else style or "flat"
        things = [kinds.Shown(ROCKET, "rocket", drawn, "red" if "red" in words else None, "rocket", "name")] if "rocket" in words else []
        things += [kinds.Shown(UP, "up", drawn, None, "up", "name")] if things and "up" in words else []
        if own and not things:
            things = [kinds.Shown(-1, "", "flat", "red" if "red" in words else None, "it", "name")]
        for picture, place in enumerate(own):
            things[place == "second"] = replace(things[place == "second"], own=picture)
        said = "your own picture is shown" if own else "as it is in the book"
        return kinds.Prompt(typed, tuple(things), notes=(f"rocket: {said}",) if things else ())

    return text.make_clip(checkpoint, reading.Reading(read, checkpoint.autoencoder, Page()))
