"""Limits for the numbers of a config that is read from a file: a file of others must not ask for a million layers.

    @dataclass(frozen=True)
    class Config:
        channels: tuple[int, ...] = field(metadata=bounds(1, 65536, entries=16))
        layers: int = field(default=2, metadata=bounds(1, 64))

        def __post_init__(self) -> None:
            check_fields(self)
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

C = TypeVar("C")
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
LONGEST = 1024  # letters of a text
ENTRIES = 64  # of a tuple, where a field does not say


def bounds(least: float, most: float, *, entries: int = ENTRIES) -> dict[str, Any]:
    """Metadata of a field of numbers from `least` to `most`; of a tuple each of them, and no more of them than `entries`."""
    return {"bounds": (least, most), "entries": entries}


def check_fields(config: Any) -> None:
    """Hold every field of a dataclass against its type and bounds. Lists become tuples (JSON has none).

    Only fields of int, float, bool, str and tuples of these are looked at. Raises ValueError naming the field.
    """
    hints = get_type_hints(type(config))
    for one in fields(config):
        value, hint = getattr(config, one.name), hints[one.name]
        if get_origin(hint) is tuple and get_args(hint)[-1] is Ellipsis and get_args(hint)[0] in KINDS:
            entries = one.metadata.get("entries", ENTRIES)
            if not isinstance(value, list | tuple) or len(value) > entries:
                raise ValueError(f"{one.name}: {shown(value)}; it must be a list of at most {entries}")
            for part in value:
                check_value(one, get_args(hint)[0], part)
            object.__setattr__(config, one.name, tuple(value))
        elif hint in KINDS:
            check_value(one, hint, value)


def check_value(one: Field, kind: type, value: Any) -> None:
    """Raise ValueError unless `value` is of `kind` and within the field's bounds."""
    right = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if not right or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{one.name}: {shown(value)}; it must be {KINDS[kind]}")
    if isinstance(value, str) and len(value) > LONGEST:
        raise ValueError(f"{one.name}: a text of {len(value)} letters; at most {LONGEST} make sense")
    least, most = one.metadata.get("bounds", (-math.inf, math.inf))
    if isinstance(value, int | float) and not (least <= value <= most and math.isfinite(value)):
        raise ValueError(f"{one.name}: {shown(value)}; it must be {least:g} to {most:g}")


def from_json(kind: type[C], values: Any, needed: Collection[str] = ()) -> C:
    """A config of `kind` from what JSON says; `needed` fields must be there although they have defaults.

    Raises ValueError naming the field that is unknown, missing or wrong.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{shown(values)} where {kind.__name__} has its fields by name")
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"{', '.join(map(shown, unknown[:3]))} is unknown to this version: update the pack")
    missing = [name for name, one in known.items()
               if name not in values and (name in needed or one.default is one.default_factory is MISSING)]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    return kind(**values)


def shown(value: Any) -> str:
    """A value in a message, not longer than a line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
