"""The user's videos and what is said about them: files with captions beside them, or WebDataset shards.

A caption stands in a file of the same name: `.txt` (every line that is not empty is a caption of its own; an empty file
says that there is nothing to say) or `.json` (`caption` or `text`, a string or a list of them). A shard is a plain `.tar`
with the same files in it, told apart by the name up to its first dot.
"""

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ENDINGS = (".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v", ".gif")
WORDS = (".txt", ".json")


@dataclass(frozen=True)
class Video:
    """`size` bytes of `file` from `start` on. `name` is how the user knows it, `stamp` another when the file changes."""

    name: str
    captions: tuple[str, ...]
    file: Path
    start: int
    size: int
    stamp: str

    def open(self) -> io.BytesIO | str:
        """What a decoder opens: the path, or the bytes within a shard."""
        if self.file.suffix != ".tar":
            return str(self.file)
        with self.file.open("rb") as file:
            file.seek(self.start)
            return io.BytesIO(file.read(self.size))


def find_videos(folder: Path) -> list[Video]:
    """All videos in `folder`, its folders, and the shards in them, in an order that does not depend on the disk.

    Raises ValueError when there are none, or naming those without a caption.
    """
    if not folder.is_dir():
        raise ValueError(f"videos: {folder} is no folder; give the one with your videos, or with .tar shards of them")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = [video for path in files for video in (_shard(path) if path.suffix == ".tar" else _single(path, folder))]
    if not found:
        raise ValueError(f"videos: {folder} holds none; it needs files ending in {', '.join(ENDINGS)}, or .tar shards of them")
    silent = [video.name for video in found if not video.captions]
    if silent:
        raise ValueError(f"videos: {len(silent)} of {len(found)} have no caption, such as {silent[0]}; put a .txt or .json of the "
                         "same name beside each (an empty .txt: nothing to say)")
    return found


def _single(path: Path, folder: Path) -> Iterator[Video]:
    if path.suffix.lower() not in ENDINGS:
        return
    stat = path.stat()

    def beside(ending: str) -> bytes | None:
        words = path.with_suffix(ending)
        return words.read_bytes() if words.is_file() else None

    name = path.relative_to(folder).as_posix()
    yield Video(name, captions(name, beside), path, 0, stat.st_size, f"{stat.st_size} {stat.st_mtime_ns}")


def _shard(path: Path) -> Iterator[Video]:
    try:
        with tarfile.open(path, "r:") as shard:
            members = {member.name: member for member in shard if member.isfile()}
            words = {name: shard.extractfile(member).read()  # type: ignore[union-attr]
                     for name, member in members.items() if PurePosixPath(name).suffix.lower() in WORDS}
    except tarfile.TarError as error:
        raise ValueError(f"videos: {path} is no plain .tar, or is cut short ({error}); shards are not compressed") from error
    for name, member in members.items():
        if PurePosixPath(name).suffix.lower() in ENDINGS:
            full = f"{path.name}/{name}"
            beside = {ending: words[_key(name) + ending] for ending in WORDS if _key(name) + ending in words}
            stamp = f"{member.size} {member.mtime} {path.stat().st_mtime_ns}"
            yield Video(full, captions(full, beside.get), path, member.offset_data, member.size, stamp)


def _key(name: str) -> str:
    """WebDataset's: the path, and the file's name up to its first dot."""
    path = PurePosixPath(name)
    return str(path.with_name(path.name.split(".")[0]))


def captions(name: str, read: Callable[[str], bytes | None]) -> tuple[str, ...]:
    """What is said about the video `name`; `read(ending)` gives the file beside it. Empty: there is none."""
    text = read(".txt")
    if text is not None:
        return tuple(line.strip() for line in text.decode("utf-8-sig").splitlines() if line.strip()) or ("",)
    described = read(".json")
    if described is None:
        return ()
    try:
        content = json.loads(described)
    except ValueError as error:
        raise ValueError(f"videos: the .json beside {name} is damaged ({error})") from error
    said = content.get("caption", content.get("text")) if isinstance(content, dict) else None
    said = [said] if isinstance(said, str) else said
    if not isinstance(said, list) or not said or not all(isinstance(one, str) for one in said):
        raise ValueError(f"videos: the .json beside {name} has no caption; it must be like "
                         '{"caption": "a red car"} or {"caption": ["a red car", "a car in the rain"]}')
    return tuple(one.strip() for one in said)
