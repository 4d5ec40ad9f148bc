"""The picture book: small pictures of things, as the image model is shown them, with their names in many languages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..checkpoints.tensor_file import open_tensors
from ..checkpoints.weights import RECORD

BOOK = "book"  # metadata key
STYLES = ("3d", "flat", "line", "cartoon")


@dataclass(frozen=True)
class Book:
    """N things in each of `STYLES`.

    `latents` int8 [N, 4, 8, 12, 12] times `scale` float [N, 4] are the autoencoder's latents of pictures of 192 px on a plain
    ground, `coverage` uint8 [N, 4, 12, 12] says how much of a cell the thing covers (255 is all). `keywords` has for each
    language one tuple a thing: its label first, then other words for it. `spoken` is what a caption calls each thing; empty
    where training told the model no word for it, so that only the picture says what it is.
    """

    names: tuple[str, ...]
    spoken: tuple[str, ...]
    keywords: Mapping[str, tuple[tuple[str, ...], ...]]
    latents: Tensor
    scale: Tensor
    coverage: Tensor

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a picture, which must be the model's (`MiniConfig.picture_shape`)."""
        channels, height, width = self.latents.shape[2:]
        return channels + 1, height, width

    def picture(self, index: int, style: str = "3d") -> Tensor:
        """float32 [9, 12, 12]: 8 latent channels and the coverage in [-1, 1]. ValueError for a thing or style not in the book."""
        if style not in STYLES:
            raise ValueError(f'style: "{style}" is unknown; it is one of {", ".join(STYLES)}')
        if not 0 <= index < len(self):
            raise ValueError(f"index: the book has things 0 to {len(self) - 1}, not {index}")
        column = STYLES.index(style)
        latents = self.latents[index, column].float() * self.scale[index, column]
        return torch.cat([latents, self.coverage[index, column].float()[None] / 127.5 - 1])


def save_book(path: Path, names: Sequence[str], spoken: Sequence[str], keywords: Mapping[str, Sequence[Sequence[str]]],
              latents: Tensor, coverage: Tensor, *, record: Mapping[str, Any]) -> None:
    """Write a book: float latents [N, 4, 8, 12, 12] are rounded to 8 bits a picture, coverage [N, 4, 12, 12] is in 0..1.

    `record` says what the pictures were made from: packages, licences, the autoencoder.
    """
    scale = latents.abs().amax(dim=(2, 3, 4)).clamp(min=1e-6) / 127
    rounded = (latents / scale[:, :, None, None, None]).round().to(torch.int8)
    tensors = {"latents": rounded.contiguous(), "scale": scale.float().contiguous(),
               "coverage": (coverage * 255).round().to(torch.uint8).contiguous()}
    described = {"names": list(names), "spoken": list(spoken), "styles": STYLES,
                 "keywords": {language: [list(row) for row in rows] for language, rows in keywords.items()}}
    save_file(tensors, str(path), {BOOK: json.dumps(described, ensure_ascii=False), RECORD: json.dumps(dict(record), ensure_ascii=False)})


def load_book(path: Path) -> Book:
    """The book at `path`.

    Raises:
        ValueError: naming the file, when it is missing, damaged, or anything in it is not as `Book` says.
    """
    file = open_tensors(path)
    if BOOK not in file.metadata:
        raise ValueError(f"{path}: is no picture book: it has no {BOOK!r} in its metadata: choose another file")
    try:
        described = json.loads(file.metadata[BOOK])
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: the list of its things is damaged ({error}): copy or download the file again") from error
    names, spoken, keywords = read_names(described, path)
    tensors = file.tensors()
    check(tensors, len(names), path)
    return Book(names, spoken, keywords, tensors["latents"], tensors["scale"], tensors["coverage"])


def read_names(described: Any, path: Path) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, tuple[tuple[str, ...], ...]]]:
    """(names, spoken, keywords) of the metadata. Raises ValueError naming `path` when they are of another form."""
    if not isinstance(described, dict) or tuple(described.get("styles", ())) != STYLES:
        raise ValueError(f"{path}: its pictures are not in the styles {', '.join(STYLES)}: the file is of another version, update the pack")
    names, spoken, keywords = described.get("names"), described.get("spoken"), described.get("keywords")
    if not isinstance(names, list) or not words_only(names) or not names or not all(names) or len(set(names)) != len(names):
        raise ValueError(f"{path}: its names must be a list of different words, one a thing")
    if not isinstance(spoken, list) or not words_only(spoken) or len(spoken) != len(names):
        raise ValueError(f"{path}: spoken must be a list of {len(names)} words, one a thing, empty where there is none")
    if not isinstance(keywords, dict) or not all(isinstance(rows, list) and len(rows) == len(names) and all(map(words_only, rows))
                                                 for rows in keywords.values()):
        raise ValueError(f"{path}: its keywords must be lists of words, one list a thing ({len(names)}) for each language")
    return tuple(names), tuple(spoken), {language: tuple(map(tuple, rows)) for language, rows in keywords.items()}


def words_only(values: Any) -> bool:
    """Whether `values` is a list of words."""
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def check(tensors: Mapping[str, Tensor], things: int, path: Path) -> None:
    """Raises ValueError naming `path` when a tensor is missing or has another shape or kind, or a scale is no positive number."""
    for name in ("latents", "scale", "coverage"):
        if name not in tensors:
            raise ValueError(f"{path}: has no tensor {name!r}: the file was not written completely")
    pages = things, len(STYLES)
    if tensors["latents"].ndim != 5 or not all(tensors["latents"].shape):
        raise ValueError(f"{path}: latents is {list(tensors['latents'].shape)}, and must be {list(pages)} x channels x height x width")
    channels, *size = tensors["latents"].shape[2:]
    expected = {"latents": ((*pages, channels, *size), torch.int8), "scale": (pages, torch.float32),
                "coverage": ((*pages, *size), torch.uint8)}
    for name, (shape, kind) in expected.items():
        if tuple(tensors[name].shape) != shape or tensors[name].dtype != kind:
            raise ValueError(f"{path}: {name} is {tensors[name].dtype} {list(tensors[name].shape)}, "
                             f"and must be {kind} {list(shape)} for {things} things")
    if not bool(torch.isfinite(tensors["scale"]).all()) or bool((tensors["scale"] <= 0).any()):
        raise ValueError(f"{path}: a scale is zero, negative, infinite or no number: the file is damaged, copy or download it again")
