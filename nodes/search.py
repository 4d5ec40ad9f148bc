"""Words by which nodes are found that do not have them in their names."""

from dataclasses import fields
from typing import Any

from comfy_api.latest import io


def found_by(*words: str) -> dict[str, Any]:
    """Arguments of `io.Schema`: `search_aliases` where this ComfyUI has them (from 0.11.0), nothing before.

    Older frontends search display names alone, so the most asked for stand there too.
    """
    known = "search_aliases" in {field.name for field in fields(io.Schema)}
    return {"search_aliases": list(words)} if known else {}
