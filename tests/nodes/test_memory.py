"""The memory that ComfyUI is told a clip needs, against what the walk holds at its peak.

Counted on torch's meta device, where nothing is computed: every tensor's bytes from when it is made to when it is dropped, in a
U-Net of SD1.5's shape with a tenth of its channels and with motion modules everywhere. Fused attention keeps no scores.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.speed.subject import TINY, Subject


class Held(TorchDispatchMode):
    """Counts what is alive of all that is made inside."""

    def __init__(self) -> None:
        super().__init__()
        self.known: set[int] = set()
        self.now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self.note(tensor.untyped_storage())
        return out

    def note(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata not in self.known:
            self.known.add(storage._cdata)
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self.drop, storage._cdata, storage.nbytes())

    def drop(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size


def peak(run: Callable[[], Any]) -> int:
    with Held() as held, torch.no_grad():
        run()
    return held.peak


@pytest.mark.parametrize("frames", [16, 80])
def test_comfyui_is_told_what_a_clip_takes(pack: Any, frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda q, k, v, **_: torch.empty_like(q))
    clip, pictures = (Subject(TINY, n, 256, "meta", torch.float16) for n in (frames, 8))
    frame = peak(lambda: pictures.image(pictures.x)) / 8
    told = pack.module("nodes.host.walk.apply").reckoned(frames)
    taken = peak(lambda: clip.clip(clip.x, "lumiere")) / frame
    print(f"{frames} frames: told {told}, taken {taken:.1f} frames' worth")
    assert 0.95 <= told / taken <= 1.25
