"""What people type into the search is found: by display names in every frontend, by aliases where ComfyUI has them."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import pytest

TYPED = ("lumiere", "cinemagraph", "loop", "vid2vid", "i2v", "t2v", "flicker", "trajectory", "spline", "ipadapter", "segment",
         "remove object", "fps", "animatediff", "text to video")


def ours(pack: Any) -> dict[str, Any]:
    return {name: node for name, node in pack.nodes.items() if name.startswith("STUNet")}


@pytest.mark.parametrize("word", TYPED)
def test_every_word_is_in_a_name(pack: Any, word: str) -> None:
    """Frontends before search aliases look at nothing else."""
    assert any(word in node.GET_SCHEMA().display_name.lower() for node in ours(pack).values())


def test_aliases_are_given_where_comfyui_has_them(pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    io: Any = importlib.import_module("comfy_api.latest").io
    search = pack.module("nodes.search")
    if "search_aliases" not in {field.name for field in dataclasses.fields(io.Schema)}:
        assert search.found_by("loop") == {}, "a TypeError else"

        @dataclasses.dataclass
        class Newer(io.Schema):  # type: ignore[name-defined]
            search_aliases: list[str] = dataclasses.field(default_factory=list)

        monkeypatch.setattr(io, "Schema", Newer)
    said = [word for node in ours(pack).values() for word in getattr(node.define_schema(), "search_aliases", [])]
    assert set(TYPED) <= set(said)
