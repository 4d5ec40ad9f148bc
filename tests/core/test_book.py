"""The picture book: what is written is read again, and a damaged file is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from stunet_core.mini.book import BOOK, STYLES, load_book, save_book

SHIPPED = Path(__file__).resolve().parents[2] / "weights" / "book.safetensors"
KEYWORDS = {"en": [["rocket", "launch"], ["poodle"]], "de": [["rakete"], ["pudel", "hund"]]}


def written(folder: Path) -> Path:
    """A book of two things."""
    path = folder / "book.safetensors"
    generator = torch.Generator().manual_seed(0)
    save_book(path, ["rocket", "poodle"], ["rocket", ""], KEYWORDS, torch.randn(2, 4, 8, 12, 12, generator=generator),
              torch.rand(2, 4, 12, 12, generator=generator), record={"licences": {}})
    return path


def test_a_book_is_read_as_written(tmp_path: Path) -> None:
    book = load_book(written(tmp_path))
    generator = torch.Generator().manual_seed(0)
    latents, coverage = torch.randn(2, 4, 8, 12, 12, generator=generator), torch.rand(2, 4, 12, 12, generator=generator)
    assert (book.names, book.spoken, len(book)) == (("rocket", "poodle"), ("rocket", ""), 2)
    assert book.keywords["de"] == (("rakete",), ("pudel", "hund"))
    picture = book.picture(1, "line")
    assert picture.shape == (9, 12, 12) == book.shape and picture.dtype == torch.float32
    assert torch.allclose(picture[:8], latents[1, STYLES.index("line")], atol=0.02)
    assert torch.allclose(picture[8], coverage[1, STYLES.index("line")] * 2 - 1, atol=0.01)


def test_what_is_not_in_the_book_is_said(tmp_path: Path) -> None:
    book = load_book(written(tmp_path))
    with pytest.raises(ValueError, match=r'style: "oil" is unknown; it is one of 3d, flat'):
        book.picture(0, "oil")
    with pytest.raises(ValueError, match="things 0 to 1, not 2"):
        book.picture(2)


def damaged(path: Path, change: str) -> None:
    """Write the file again with one thing in it wrong."""
    tensors = load_file(path)
    with safe_open(str(path), framework="pt") as file:
        metadata = dict(file.metadata())
    described = json.loads(metadata[BOOK])
    if change == "no book":
        metadata = {}
    elif change == "no json":
        metadata[BOOK] = "{"
    elif change == "styles":
        described["styles"] = ["3d"]
    elif change == "names":
        described["names"] = ["rocket", "rocket"]
    elif change == "spoken":
        described["spoken"] = ["rocket"]
    elif change == "keywords":
        described["keywords"]["en"] = [["rocket"]]
    elif change == "missing":
        del tensors["scale"]
    elif change == "shape":
        tensors["coverage"] = tensors["coverage"][:1].clone()
    elif change == "kind":
        tensors["latents"] = tensors["latents"].float()
    elif change == "infinite":
        tensors["scale"][0, 0] = float("inf")
    if change not in ("no book", "no json"):
        metadata[BOOK] = json.dumps(described)
    save_file(tensors, str(path), metadata)


@pytest.mark.parametrize(("change", "said"), [
    ("no book", "no picture book"), ("no json", "damaged"), ("styles", "3d, flat, line, cartoon"), ("names", "names"),
    ("spoken", "spoken"), ("keywords", "keywords"), ("missing", "'scale'"), ("shape", "coverage"), ("kind", "latents"),
    ("infinite", "scale"),
])
def test_a_damaged_book_is_named_with_what_is_wrong(change: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path)
    damaged(path, change)
    with pytest.raises(ValueError, match=r"book\.safetensors") as raised:
        load_book(path)
    assert said in str(raised.value)


def test_a_file_cut_short_or_missing_is_named(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"book\.safetensors"):
        load_book(path)
    with pytest.raises(ValueError, match=r"none\.safetensors"):
        load_book(tmp_path / "none.safetensors")


def test_the_shipped_book_has_every_named_thing_in_eleven_languages() -> None:
    from training.world.objects import OBJECTS

    book = load_book(SHIPPED)
    assert SHIPPED.stat().st_size <= 10_000_000
    assert book.names[: len(OBJECTS)] == tuple(name for name, _ in OBJECTS)
    assert not [name for name in book.names if name.endswith(" two")], "every thing is called what it is"
    assert {"whole dog", "whole cat", "electric train", "humpback whale"} <= set(book.names)
    assert {name for name in book.spoken if name} <= {name for name, _ in OBJECTS}
    assert set(book.keywords) == {"en", "zh", "zh-hant", "ja", "ko", "fr", "de", "es", "it", "pt", "ru"}
    assert all(row and row[0] for rows in book.keywords.values() for row in rows)
    deviation = torch.stack([book.picture(entry)[:8] for entry in range(0, len(book), 50)]).std()
    assert 0.5 < float(deviation) < 1.5  # latents of the autoencoder have about unit variance
