"""Pictures of any size in the nodes: brought to the model, even, and refused before sampling where no memory holds the clip."""

from __future__ import annotations

import importlib
import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch

TIME = {"seconds": 0.25, "fps": 16.0}  # 4 frames
WHITE = torch.zeros(1, 95, 127).index_fill(1, torch.arange(40), 1)
ODD = torch.rand(3, 95, 127, 3)
NODES: dict[str, tuple[str, dict[str, Any]]] = {
    "image": ("STUNetImageToVideo", {"image": ODD[:1], "end_image": ODD[1:2], **TIME}),
    "key frames": ("STUNetKeyframes", {"images": ODD[:2], "times": "0, 3", **TIME}),
    "region": ("STUNetAnimateRegion", {"image": ODD[:1], "region": WHITE, "loop": False, **TIME}),
    "inpaint": ("STUNetInpaint", {"clip": ODD, "mask": WHITE}),
    "outpaint": ("STUNetOutpaint", {"clip": ODD, "left": 0, "top": 0, "right": 0, "bottom": 0, "aspect": "16:9"}),
    "extend": ("STUNetExtend", {"clip": ODD, "side": "after", "overlap": 2, **TIME}),
}


def run(graph: Any, name: str, **inputs: Any) -> tuple:
    node, own = NODES[name]
    _, clip, vae = graph.mini()
    text = graph.prompt(clip, "a rocket")
    return graph.run(node, **{"positive": text, "negative": text, "vae": vae} | own | inputs)


@pytest.fixture
def sized(graph: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """As if the tiny model were trained at 64 pixels."""
    size = graph.pack.module("stunet_core.editing.model_size").ModelSize(64, 0.6, 1.6)
    monkeypatch.setattr(graph.pack.module("nodes.host.walk.picture_size"), "known_size", lambda *_: size)
    return graph


@pytest.mark.parametrize("size", ["keep", "fit the model"])
@pytest.mark.parametrize("name", NODES)
def test_every_clip_has_even_sides_and_its_parts_fit_together(sized: Any, name: str, size: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        _, _, latent, original, mask, *more = run(sized, name, size=size)
    width, height = original.shape[2], original.shape[1]
    assert width % 2 == height % 2 == 0 and mask.shape[1:] == (height, width)
    assert (len(latent["samples"]), 0 < mask.mean() < 1) == (len(original), True)
    if size == "keep":
        assert (width, height) == ((168, 94) if name == "outpaint" else (126, 94))
        assert "127x95 pixels become 126x94, since videos have even sides" in caplog.text
    else:
        assert width * height == pytest.approx(64 * 64, rel=0.3)
        assert "about the size that the model draws best" in caplog.text
    if name == "extend":
        assert more[0].shape == (1, height, width, 3), "the rest joins"


def test_composite_leaves_out_an_odd_edge(graph: Any) -> None:
    """Its original may be the clip itself."""
    (out,) = graph.run("STUNetComposite", frames=torch.rand(3, 96, 128, 3), original=ODD, mask=WHITE, feather=0, match_colors=False)
    assert out.shape == (3, 94, 126, 3)
    assert torch.equal(out[:, 40:], ODD[:, 40:94, :126])


def test_a_phone_photo_at_its_own_size_is_refused_before_anything_is_encoded(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mm = importlib.import_module("comfy.model_management")
    monkeypatch.setattr(mm, "get_free_memory", lambda *_: 8 * 2**30)
    photo = torch.zeros(1, 1, 1, 3).expand(1, 4032, 3024, 3)
    vae = SimpleNamespace(latent_dim=2, spacial_compression_encode=lambda: 8)  # that cannot encode
    with pytest.raises(ValueError, match=r"image: 80 frames of 3024x4032 pixels take about 36 GiB of memory, 8 are free\. Set size to"):
        run(graph, "image", image=photo, end_image=None, seconds=5.0, size="keep", vae=vae)


@pytest.mark.parametrize(("cell", "width", "side"), [(16, 128, 256), (8, 768, 512), (8, 1024, 768), (8, 2048, 1024), (8, 99, None)])
def test_the_model_is_known_by_its_vae_and_its_prompts(pack: Any, cell: int, width: int, side: int | None) -> None:
    known = pack.module("nodes.host.walk.picture_size").known_size(
        SimpleNamespace(latent_dim=2, spacial_compression_encode=lambda: cell), [[torch.zeros(1, 4, width), {}]])
    assert (known.side if known else None) == side
