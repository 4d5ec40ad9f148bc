"""Make the picture book, weights/book.safetensors: every drawing of the library as the autoencoder's latents, and its names.

Usage: python -m tools.make_book [--tarballs FOLDER] [--mini FILE] [--out FILE]

Needs the library (`python -m tools.make_library`) and an exported mini model, whose autoencoder encodes the pictures. Names
and keywords in eleven languages are those of `emojibase-data`; without `--tarballs` it is fetched with `npm pack`. Two
minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.mini.book import STYLES, save_book
from stunet_core.mini.checkpoint import load_checkpoint
from training.common.cache import encode_pictures
from training.common.data import picture
from training.world import library
from training.world.make_sprites import PACKAGES, member, pack, tarball
from training.world.objects import OBJECTS, SYNONYMS

from .make_library import SECOND, plain

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
LANGUAGES = ("en", "zh", "zh-hant", "ja", "ko", "fr", "de", "es", "it", "pt", "ru")
TOGETHER = 16  # things whose pictures are encoded at once
SHARED = 12  # a keyword of more things than this says little ("animal")
LICENCES = {
    "3d": "Fluent Emoji by Microsoft, through @lobehub/fluent-emoji-3d 1.1.0: MIT",
    "flat": "Fluent Emoji by Microsoft, through @iconify-json/fluent-emoji-flat 1.2.6: MIT",
    "line": "Fluent Emoji by Microsoft, through @iconify-json/fluent-emoji-high-contrast 1.2.6: MIT",
    "cartoon": "Noto Emoji by Google, through @iconify-json/noto 1.2.9: Apache-2.0",
    "names and keywords": "emojibase-data 17.0.0 by Miles Johnson: MIT; from the Unicode CLDR: Unicode-3.0",
}


def encode_all(cells: np.ndarray, autoencoder: Autoencoder) -> Tensor:
    """uint8 [N, 4, 256, 256, 4] -> [N, 4, 9, 12, 12]: pictures as training encodes them, a few things at a time."""
    starts = range(0, len(cells), TOGETHER)
    parts = [encode_pictures(autoencoder, [picture(cell) for thing in cells[k : k + TOGETHER] for cell in thing]) for k in starts]
    return torch.cat(parts).float().unflatten(0, (-1, len(STYLES)))


def keywords(rows: Sequence[dict[str, Any]], data: dict[str, Sequence[dict[str, Any]]]) -> dict[str, list[list[str]]]:
    """For each language one list a thing: its label, then its keywords; in English the world's other words for it too."""
    out = {}
    for language, listed in data.items():
        known = {plain(row["hexcode"]): row for row in listed}
        own = [known[row["hexcode"]] for row in rows]
        shares = Counter(tag for row in own for tag in set(row.get("tags", ())))
        words = [[row["label"], *(tag for tag in row.get("tags", ()) if shares[tag] <= SHARED or tag in row["label"])] for row in own]
        if language == "en":
            words = [[label, *SYNONYMS.get(row["name"], ()), *tags] for row, (label, *tags) in zip(rows, words, strict=True)]
        out[language] = [list(dict.fromkeys(tidy(word) for word in row)) for row in words]
    return out


def tidy(word: str) -> str:
    """Lower case, plain apostrophes, no marks that sort or direct the text."""
    return " ".join(word.lower().replace("’", "'").replace("ʼ", "'").replace("\u200f", "").split())


def spoken(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What captions call each thing; nothing where it has no name in the world or was never trained on."""
    named = {name for name, _ in OBJECTS} & set(library.trained())
    return [row["name"] if row["name"] in named else "" for row in rows]


def make(out: Path, tarballs: Path, autoencoder: Autoencoder, source: str) -> None:
    """Write the book to `out`; `source` says where the autoencoder is from. ValueError when the library was not made."""
    if not library.names():
        raise ValueError(f"{library.FOLDER}: there is no library: make it with `python -m tools.make_library`")
    rows = json.loads((library.FOLDER / "library.json").read_text(encoding="utf-8"))
    names = tarball(tarballs, PACKAGES["names"])
    data = {language: json.loads(member(names, f"{language}/data.json")) for language in LANGUAGES}
    pictures = encode_all(library.cells(), autoencoder)
    called = [SECOND.get(row["hexcode"], row["name"]) for row in rows]  # libraries made before call them "dog two"
    save_book(out, called, spoken(rows), keywords(rows, data), pictures[:, :, :-1], pictures[:, :, -1] / 2 + 0.5,
              record={"licences": LICENCES, "autoencoder": source, "hexcodes": [row["hexcode"] for row in rows]})
    print(f"{out}: {len(rows)} things in {len(STYLES)} styles, {out.stat().st_size / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tarballs", type=Path, help="folder with the .tgz of emojibase-data; fetched when left out")
    parser.add_argument("--mini", type=Path, default=WEIGHTS / "mini.safetensors")
    parser.add_argument("--out", type=Path, default=WEIGHTS / "book.safetensors")
    args = parser.parse_args()
    autoencoder = load_checkpoint(args.mini).autoencoder.eval()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.tarballs or Path(temporary)
        if args.tarballs is None:
            pack(folder)
        make(args.out, folder, autoencoder, args.mini.name)


if __name__ == "__main__":
    main()
