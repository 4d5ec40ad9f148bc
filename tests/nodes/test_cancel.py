"""Every node that goes through a clip frame by frame shows how far it is, and ends at once when it is cancelled."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch

FRAMES, SIDE = 40, 32
CLIP = torch.rand(FRAMES, SIDE, SIDE, 3, generator=torch.Generator().manual_seed(0))
STILL = CLIP[:1].expand(FRAMES, -1, -1, -1)
MASK = torch.zeros(1, SIDE, SIDE)
MASK[:, 8:24, 8:24] = 1
HALF = torch.zeros(FRAMES, SIDE, SIDE)  # given first, made then
HALF[FRAMES // 2:] = 1
MOVED = torch.stack([MASK[0].roll(i % 8, 1) for i in range(FRAMES)])
OFF = {"feather": 0, "match_colors": False, "joint_frames": 0, "still_background": False}
PATH = {"times": "0", "boxes": "2 2 9 9", "shape": "box", "pace": "steady", "width": SIDE, "height": SIDE, "seconds": 2.5, "fps": 16.0}

NODES: dict[str, tuple[str, dict[str, Any]]] = {
    "feather": ("STUNetComposite", {"frames": CLIP, "original": STILL, "mask": MASK, **OFF, "feather": 4}),
    "joint": ("STUNetComposite", {"frames": CLIP, "original": STILL, "mask": HALF, **OFF, "joint_frames": 20, "match_colors": True}),
    "still": ("STUNetComposite", {"frames": CLIP, "original": STILL, "mask": MOVED, **OFF, "still_background": True}),
    "path": ("STUNetMaskPath", PATH),
    "track": ("STUNetTrackMask", {"clip": CLIP, "mask": MASK, "frame": 0, "grow": 2}),
    "report": ("STUNetClipReport", {"clip": CLIP, "fps": 16.0, "joints": "", "original": CLIP, "mask": MASK}),
    "surroundings": ("STUNetInpaint", {"clip": CLIP, "mask": MASK, "start_from": "surroundings", "size": "keep"}),
    "encoding": ("STUNetInpaint", {"clip": CLIP, "mask": MASK, "size": "keep"}),
}


class Bar:
    """ComfyUI's progress bar: how often it was moved, of how many times."""

    made: list[Bar] = []

    def __init__(self, total: int, node_id: Any = None):
        self.total, self.value = total, 0
        self.made.append(self)

    def update(self, value: int) -> None:
        self.value += value

    def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
        self.value = value


def run(graph: Any, name: str) -> Any:
    node, inputs = NODES[name]
    if node == "STUNetInpaint":
        _, clip, vae = graph.mini()
        inputs = inputs | {"positive": graph.prompt(clip, ""), "negative": graph.prompt(clip, ""), "vae": vae}
    return graph.run(node, **inputs)


@pytest.mark.parametrize("name", NODES)
def test_it_shows_progress_and_can_be_cancelled_between_frames(graph: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mm, utils = (importlib.import_module(f"comfy.{module}") for module in ("model_management", "utils"))
    monkeypatch.setattr(utils, "ProgressBar", Bar)
    Bar.made.clear()
    run(graph, name)
    moved = max(Bar.made, key=lambda bar: bar.value)
    assert FRAMES / 2 <= moved.value <= moved.total
    asked: list[int] = []

    def cancelled() -> None:
        asked.append(1)
        if len(asked) > 3:
            raise mm.InterruptProcessingException

    monkeypatch.setattr(mm, "throw_exception_if_processing_interrupted", cancelled)
    with pytest.raises(mm.InterruptProcessingException):
        run(graph, name)
