"""One set of weights per file, however many nodes load it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")


class WeightCache:
    """What has been loaded from files and is still in use somewhere, by file, time of its last change, and part.

    Nothing is kept alive here: when the last node output that uses a file's weights is gone (ComfyUI drops its cached
    outputs on `/free`, or when the graph changes), so are the weights. The extension owns one cache and hands it to
    its nodes. Whoever takes from it must keep what it took for as long as its weights are used: a `ModelPatcher`
    clone does (it knows its parent), a copied module would not.
    """

    def __init__(self) -> None:
        self._held: WeakValueDictionary[tuple, object] = WeakValueDictionary()

    def take(self, path: Path, part: str, load: Callable[[], T]) -> T:
        """`part` of the file at `path`, from `load()` unless it is in use already and the file has not changed."""
        stat = path.stat()
        key = (str(path.resolve()), stat.st_mtime_ns, stat.st_size, part)
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = load()
        return held  # type: ignore[return-value]
