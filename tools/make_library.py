"""Draw everything that the open emoji packages draw in all four styles, for the training world and the picture book.

Usage: python -m tools.make_library [--tarballs FOLDER] [--out FOLDER] [--workers N]

Writes `library.npy`, uint8 [N, 4 styles, 256, 256, 4], premultiplied RGBA (1.4 GB), and `library.json`, a list of
{name, hexcode, group, subgroup, slugs, named}, into `runs/library`. The named objects of the world come first, in their
order. What nobody would call a thing is left out: symbols, flags, the twenty-four faces of a clock. About 20 minutes on
two cores.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.world.library import FOLDER, STYLES
from training.world.make_sprites import CELL, PACKAGES, IconSet, fill_white, fit, member, pack, rgba, tarball
from training.world.objects import OBJECTS

GROUPS = frozenset({0, 1, 3, 4, 5, 6, 7})  # of emojibase: faces, people, animals, food, places, activities, objects
DRAWN = ("flat", "line", "cartoon")        # styles that come as icons; "3d" comes as pictures
SECOND = {  # hexcode -> what is drawn, of things whose label is the name of another one, mostly of a face
    "1f412": "whole monkey", "1f415": "whole dog", "1f408": "whole cat", "1f405": "whole tiger", "1f404": "whole cow", "1f416": "whole pig",
    "1f401": "whole mouse", "1f407": "whole rabbit", "1f40b": "humpback whale", "1f420": "reef fish", "1f33c": "buttercup",
    "1f368": "bowl of ice cream", "1f686": "electric train", "26c4": "snowman without snow", "1f468-200d-1f680": "man astronaut",
}


@dataclass(frozen=True)
class Packages:
    """What the tarballs hold: icons and, for each hexcode, the icon's name in each set; pictures of the style "3d" as files."""

    icons: dict[str, IconSet]
    slugs: dict[str, dict[str, str]]
    solid: dict[str, Path]
    emoji: list[dict[str, Any]]


def plain(hexcode: str) -> str:
    """Hexcodes as all packages agree on them: lower case, without the mark that asks for a colour picture."""
    return hexcode.lower().replace("-fe0f", "")


def read_packages(tarballs: Path, unpacked: Path) -> Packages:
    """Open the tarballs; the pictures of "3d" are unpacked into a folder, since a tarball is slow to look up."""
    icons = {style: IconSet(json.loads(member(tarball(tarballs, PACKAGES[style]), "icons.json"))) for style in DRAWN}
    listed = {style: json.loads(member(tarball(tarballs, PACKAGES[style]), "chars.json")) for style in DRAWN}
    slugs = {style: {plain(code): slug for code, slug in listed[style].items() if icons[style].has(slug)} for style in DRAWN}
    with tarball(tarballs, PACKAGES["3d"]) as solid:
        solid.extractall(unpacked, filter="data")
    pictures = {plain(path.stem): path for path in sorted(unpacked.rglob("*.webp"))}
    return Packages(icons, slugs, pictures, json.loads(member(tarball(tarballs, PACKAGES["names"]), "en/data.json")))


def is_hour(row: dict[str, Any]) -> bool:
    """Whether it is one of the clock's faces ("three o'clock", "three-thirty")."""
    return row.get("group") == 5 and ("thirty" in row["label"] or "oclock" in row["label"].replace("’", "").replace(" ", ""))


def chosen(packages: Packages) -> list[dict[str, Any]]:
    """The rows of library.json. Of two things of one label the second is called as `SECOND` says; ValueError when it does not."""
    named = {hexcode: name for name, icon in OBJECTS for hexcode, slug in packages.slugs["cartoon"].items() if slug == icon}
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    for row in packages.emoji:
        code = plain(row["hexcode"])
        drawn = code in packages.solid and all(code in packages.slugs[style] for style in DRAWN)
        if not drawn or (code not in named and (row.get("group") not in GROUPS or is_hour(row))):
            continue
        name = named.get(code, row["label"].replace("’", "'").lower())
        if name in seen:
            if code not in SECOND:
                raise ValueError(f"{code}: its label is {name!r}, as another thing's; say in SECOND what it is")
            name = SECOND[code]
        seen.add(name)
        rows.append({"name": name, "hexcode": code, "group": row.get("group"), "subgroup": row.get("subgroup"),
                     "slugs": {style: packages.slugs[style][code] for style in DRAWN}, "named": code in named})
    order = {name: place for place, (name, _) in enumerate(OBJECTS)}
    return sorted(rows, key=lambda row: order.get(row["name"], len(order)))


def draw(row: dict[str, Any], packages: Packages) -> np.ndarray:
    """One thing in every style, uint8 [4, 256, 256, 4], premultiplied."""
    icons = {style: packages.icons[style].draw(row["slugs"][style]) for style in DRAWN}
    icons["line"] = fill_white(icons["line"], icons["flat"])
    icons["3d"] = rgba(Image.open(packages.solid[row["hexcode"]]))
    cells = np.stack([np.asarray(fit(icons[style])) for style in STYLES]).astype(np.float32)
    cells[..., :3] *= cells[..., 3:] / 255
    return (cells + 0.5).astype(np.uint8)


def draw_part(rows: list[dict[str, Any]], packages: Packages, out: Path, first: int, step: int) -> None:
    """Draw every `step`-th row from `first` on into the opened array at `out`."""
    cells = np.load(out, mmap_mode="r+")
    for place in range(first, len(rows), step):
        cells[place] = draw(rows[place], packages)
        if place % 100 == 0:
            print(f"{place} of {len(rows)}", flush=True)
    cells.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tarballs", type=Path, help="folder with the .tgz files of `npm pack`; fetched when left out")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.tarballs or Path(temporary)
        if args.tarballs is None:
            pack(folder)
        packages = read_packages(folder, Path(temporary) / "3d")
        rows = chosen(packages)
        drawn = args.out / "library.npy"
        np.lib.format.open_memmap(drawn, "w+", np.uint8, (len(rows), len(STYLES), CELL, CELL, 4)).flush()
        parts = [multiprocessing.Process(target=draw_part, args=(rows, packages, drawn, first, args.workers))
                 for first in range(args.workers)]
        for part in parts:
            part.start()
        for part in parts:
            part.join()
    if any(part.exitcode for part in parts):
        raise SystemExit("a worker failed: what it printed is above")
    (args.out / "library.json").write_text(json.dumps(rows), encoding="utf-8")
    print(f"{args.out}: {len(rows)} things in {len(STYLES)} styles")


if __name__ == "__main__":
    main()
