"""Translations: English says what the nodes say, and every language speaks of the same nodes, inputs and outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LOCALES = Path(__file__).resolve().parents[2] / "locales"


def said_by(node: Any) -> dict[str, Any]:
    schema = node.GET_SCHEMA()
    return {
        "display_name": schema.display_name,
        "description": schema.description,
        "inputs": {i.id: {"name": i.id, "tooltip": i.tooltip} for i in schema.inputs},
        "outputs": {str(n): {"name": o.display_name, "tooltip": o.tooltip} for n, o in enumerate(schema.outputs)},
    }


def shape(texts: Any) -> Any:
    """The keys without what is said."""
    return {key: shape(value) for key, value in texts.items()} if isinstance(texts, dict) else None


def test_translations_say_what_the_nodes_say(pack: Any) -> None:
    ours = {name: said_by(node) for name, node in pack.nodes.items() if name.startswith("STUNet")}
    english = json.loads((LOCALES / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
    assert english == ours
    for path in LOCALES.glob("*/nodeDefs.json"):
        assert shape(json.loads(path.read_text(encoding="utf-8"))) == shape(ours), path
