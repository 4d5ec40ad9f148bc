"""Prompts as newcomers write them, some not in English: is the thing shown the one that was asked for, or the nearest one that was said?"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.models import Models
from benchmarks.common.sampling import sample_images
from benchmarks.quality.figures import Figures
from benchmarks.quality.images import AMONG
from stunet_core.mini.book import Book, load_book
from stunet_core.mini.inputs import SLOTS
from stunet_core.mini.prompt.prompt import Prompt
from stunet_core.mini.prompt.reader import read_prompt
from stunet_core.mini.prompt.tables import load_tables
from stunet_core.mini.recolour import recolour_picture
from training.common.sampling import Asked, Told
from training.common.sheets import save_sheet
from training.judges.judges import Judges

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = ROOT / "benchmarks" / "common" / "prompts.json"


def told(models: Models, book: Book, prompts: list[Prompt]) -> Told:
    """What was read, as the model is told it: words, and pictures of the book."""
    pictures, shown = models.mini.pictures.none(len(prompts))
    for row, prompt in enumerate(prompts):
        for slot, thing in enumerate(prompt.things[:SLOTS]):
            picture = book.picture(thing.entry, thing.style)
            if thing.colour:
                picture = recolour_picture(picture, thing.colour, models.autoencoder.decode, models.autoencoder.encode)
            pictures[row, slot], shown[row, slot] = picture, True
    return Told(models.ids([prompt.text for prompt in prompts]), pictures, shown)


def meant(row: dict[str, Any], prompt: Prompt) -> bool:
    """Whether the first thing that was read is one of those that the row says are meant."""
    return bool(prompt.things) and prompt.things[0].name in row["things"][0].split("|")


def measure(models: Models, judges: Judges, count: int, how: Asked, out: Path) -> Figures:
    """Of the first `count` prompts that ask for a thing: how many are read as meant, show the thing that was read, and both."""
    book = load_book(ROOT / "weights" / "book.safetensors")
    tables = load_tables(book, ROOT / "weights" / "words.tsv.gz")
    rows = [row for row in json.loads(PROMPTS.read_text(encoding="utf-8")) if row.get("things")][:count]
    prompts = [read_prompt(row["prompt"], book, tables) for row in rows]
    frames = sample_images(models, told(models, book, prompts), how)
    rng = np.random.default_rng([how.seed, 73])
    others = [str(name) for name in rng.permutation(book.names)[:AMONG]]
    right, read, seen = [], [], []
    for row, prompt, frame in zip(rows, prompts, frames, strict=True):
        read.append(meant(row, prompt))
        thing = prompt.things[0] if prompt.things else None
        among = judges.gallery(sorted({*others, thing.name}), thing.style) if thing else None
        seen.append(among is not None and thing is not None and judges.nearest(frame[None], among)[0] == thing.name)
        right.append(read[-1] and seen[-1])
    save_sheet(out.with_name("quality_prompts.png"), frames, 8, [row["prompt"].encode("ascii", "replace").decode()[:40] for row in rows])
    figures = {"prompts_read": read, "prompts_seen": seen, "prompts_right": right}
    return {name: round(float(np.mean(values)), 4) for name, values in figures.items()} | {"prompts_seen_chance": round(1 / AMONG, 4)}
