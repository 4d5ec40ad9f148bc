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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from stunet_core.mini.book import SIDE, STYLES, save_book
from stunet_core.mini.checkpoint import load_checkpoint
from stunet_core.mini.recolour import GROUND
from training.world import library
from training.world.make_sprites import PACKAGES, member, pack, tarball
from training.world.objects import OBJECTS, SYNONYMS

from .make_library import plain

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
LANGUAGES = ("en", "zh", "zh-hant", "ja", "ko", "fr", "de", "es", "it", "pt", "ru")
PIXELS, DRAWN = 128, 120  # sides of a picture, and of the drawing in its middle
SHARED = 12               # a keyword of more things than this says little ("animal")
LICENCES = {
    "3d": "Fluent Emoji by Microsoft, through @lobehub/fluent-emoji-3d 1.1.0: MIT",
    "flat": "Fluent Emoji by Microsoft, through @iconify-json/fluent-emoji-flat 1.2.6: MIT",
    "line": "Fluent Emoji by Microsoft, through @iconify-json/fluent-emoji-high-contrast 1.2.6: MIT",
    "cartoon": "Noto Emoji by Google, through @iconify-json/noto 1.2.9: Apache-2.0",
    "names and keywords": "emojibase-data 17.0.0 by Miles Johnson: MIT; from the Unicode CLDR: Unicode-3.0",
}


def picture(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A drawing (premultiplied RGBA) in the middle of a plain picture: uint8 [128, 128, 3], coverage float [8, 8]."""
    full = np.zeros((PIXELS, PIXELS, 4), np.uint8)
    edge = (PIXELS - DRAWN) // 2
    full[edge : edge + DRAWN, edge : edge + DRAWN] = cv2.resize(cell, (DRAWN, DRAWN), interpolation=cv2.INTER_AREA)
    alpha = full[..., 3:].astype(np.float32) / 255
    pixels = (full[..., :3] + (1 - alpha) * GROUND).clip(0, 255).astype(np.uint8)
    return pixels, alpha.reshape(SIDE, PIXELS // SIDE, SIDE, PIXELS // SIDE).mean((1, 3))


def encode_all(cells: np.ndarray, encode: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """uint8 [N, 4, 256, 256, 4] -> latents [N, 4, 8, 8, 8] and coverage [N, 4, 8, 8], a few things at a time."""
    latents, coverage = [], []
    for first in range(0, len(cells), 8):
        drawn = [picture(cell) for thing in cells[first : first + 8] for cell in thing]
        images = torch.from_numpy(np.stack([pixels for pixels, _ in drawn])).movedim(-1, 1).float() / 127.5 - 1
        with torch.no_grad():
            latents.append(encode(images).float())
        coverage += [covered for _, covered in drawn]
    shape = (-1, len(STYLES))
    return torch.cat(latents).unflatten(0, shape), torch.from_numpy(np.stack(coverage)).unflatten(0, shape)


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


def make(out: Path, tarballs: Path, encode: Callable[[Tensor], Tensor], source: str) -> None:
    """Write the book to `out`; `source` says whose autoencoder `encode` is. ValueError when the library was not made."""
    if not library.names():
        raise ValueError(f"{library.FOLDER}: there is no library: make it with `python -m tools.make_library`")
    rows = json.loads((library.FOLDER / "library.json").read_text(encoding="utf-8"))
    names = tarball(tarballs, PACKAGES["names"])
    data = {language: json.loads(member(names, f"{language}/data.json")) for language in LANGUAGES}
    latents, coverage = encode_all(library.cells(), encode)
    save_book(out, [row["name"] for row in rows], spoken(rows), keywords(rows, data), latents, coverage,
              record={"licences": LICENCES, "autoencoder": source, "hexcodes": [row["hexcode"] for row in rows]})
    print(f"{out}: {len(rows)} things in {len(STYLES)} styles, {out.stat().st_size / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tarballs", type=Path, help="folder with the .tgz of emojibase-data; fetched when left out")
    parser.add_argument("--mini", type=Path, default=WEIGHTS / "mini.safetensors")
    parser.add_argument("--out", type=Path, default=WEIGHTS / "book.safetensors")
    args = parser.parse_args()
    encode = load_checkpoint(args.mini).autoencoder.eval().encode
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.tarballs or Path(temporary)
        if args.tarballs is None:
            pack(folder)
        make(args.out, folder, encode, args.mini.name)


if __name__ == "__main__":
    main()
