"""Make the sprite sheets of the training world from openly licensed emoji art.

Usage: python -m training.world.make_sprites [--tarballs FOLDER] [--out FOLDER]

Without `--tarballs` the npm packages below are fetched with `npm pack` into a temporary folder. Every object is
rasterised in six drawing styles, trimmed to its own outline and scaled so that its longer side is `BOX` of the `CELL`
pixels, so that a size in a scene description means the same for every object and style. One WebP sheet per style, 16
cells a row, in the order of `objects.json`. A set that lacks an icon (`noto-v1` lacks a few) shows the cartoon one's.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.world.objects import OBJECTS

CELL, BOX, COLUMNS = 256, 240, 16
DETAIL = 512  # rasterise at this size, then trim and shrink: the outline is antialiased once
PACKAGES = {
    "3d": "@lobehub/fluent-emoji-3d@1.1.0",
    "flat": "@iconify-json/fluent-emoji-flat@1.2.6",
    "line": "@iconify-json/fluent-emoji-high-contrast@1.2.6",
    "cartoon": "@iconify-json/noto@1.2.9",
    "noto-v1": "@iconify-json/noto-v1@1.2.5",
    "twemoji": "@iconify-json/twemoji@1.2.5",
    "names": "emojibase-data@17.0.0",
}


def pack(folder: Path) -> None:
    """Fetch every package's tarball into `folder` with npm. RuntimeError when npm is missing or a package cannot be
    fetched.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(
            "npm was not found: install Node.js, or pass --tarballs FOLDER with the packages' .tgz files"
        )
    for package in PACKAGES.values():
        done = subprocess.run([npm, "pack", package], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"npm pack {package} failed:\n{done.stderr}")


def tarball(folder: Path, package: str) -> tarfile.TarFile:
    """Open the tarball that `npm pack` made of `package` ("@scope/name@version" -> "scope-name-version.tgz")."""
    path = folder / (package.lstrip("@").replace("/", "-").replace("@", "-") + ".tgz")
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is not in the tarball folder: run `npm pack {package}` there")
    return tarfile.open(path)


def member(tar: tarfile.TarFile, path: str) -> bytes:
    """The bytes of `package/<path>` in an npm tarball."""
    file = tar.extractfile(f"package/{path}")
    if file is None:
        raise FileNotFoundError(f"package/{path} is not a file of that tarball")
    return file.read()


class IconSet:
    """An iconify JSON collection: `draw(slug)` gives float RGBA [DETAIL, DETAIL, 4] in 0..1, not premultiplied."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    def has(self, slug: str) -> bool:
        return slug in self.data["icons"] or slug in self.data.get("aliases", {})

    def draw(self, slug: str) -> np.ndarray:
        import resvg_py

        slug = self.data.get("aliases", {}).get(slug, {}).get("parent", slug)
        icon = self.data["icons"][slug]
        width = icon.get("width", self.data.get("width", 16))
        height = icon.get("height", self.data.get("height", 16))
        left, top = icon.get("left", 0), icon.get("top", 0)
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{DETAIL}" height="{DETAIL}" viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'
        ).replace("currentColor", "#000000")
        png = resvg_py.svg_to_bytes(svg_string=svg, width=DETAIL, height=DETAIL)
        return rgba(Image.open(io.BytesIO(bytes(png))))


def rgba(image: Image.Image) -> np.ndarray:
    """An image as float RGBA [DETAIL, DETAIL, 4] in 0..1, not premultiplied."""
    image = image.convert("RGBA")
    if image.size != (DETAIL, DETAIL):
        image = image.resize((DETAIL, DETAIL), Image.Resampling.LANCZOS)
    return np.asarray(image, np.float32) / 255


def fill_white(line: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Line art is transparent black: put white paper behind it, cut out along the flat icon, or it vanishes on dark
    backgrounds.
    """
    ink, paper = line[..., 3:], flat[..., 3:]
    alpha = ink + paper * (1 - ink)
    white = paper * (1 - ink) / np.maximum(alpha, 1e-6)
    return np.concatenate([np.repeat(white, 3, axis=2), alpha], axis=2)


def fit(image: np.ndarray) -> Image.Image:
    """Trim to the outline, scale the longer side to BOX and centre it in a CELL x CELL image."""
    rows, columns = np.nonzero(image[..., 3] > 0.05)
    image = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].copy()
    image[..., :3] *= image[..., 3:]
    scale = BOX / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    planes = [
        Image.fromarray(plane).resize(size, Image.Resampling.BOX if scale < 0.4 else Image.Resampling.HAMMING)
        for plane in np.moveaxis(image, 2, 0)
    ]
    small = np.stack([np.asarray(plane) for plane in planes], axis=2)
    small[..., :3] /= np.maximum(small[..., 3:], 1e-4)
    cell = Image.new("RGBA", (CELL, CELL))
    cell.paste(
        Image.fromarray((small.clip(0, 1) * 255 + 0.5).astype(np.uint8)), ((CELL - size[0]) // 2, (CELL - size[1]) // 2)
    )
    return cell


def draw_all(folder: Path) -> tuple[dict[str, list[Image.Image]], list[dict[str, Any]]]:
    """Every object in every style, and the rows of objects.json. KeyError names an object that neither a style nor the
    cartoons have.
    """
    sets = {
        style: IconSet(json.loads(member(tarball(folder, PACKAGES[style]), "icons.json")))
        for style in ("flat", "line", "cartoon", "noto-v1", "twemoji")
    }
    chars = json.loads(member(tarball(folder, PACKAGES["cartoon"]), "chars.json"))
    hexcodes = {slug: code for code, slug in chars.items()}
    solid = tarball(folder, PACKAGES["3d"])
    assets = {Path(name).stem.replace("-fe0f", ""): name for name in solid.getnames() if name.endswith(".webp")}
    labels = {
        row["hexcode"].lower().replace("-fe0f", ""): row["label"]
        for row in json.loads(member(tarball(folder, PACKAGES["names"]), "en/data.json"))
    }
    cells: dict[str, list[Image.Image]] = {style: [] for style in PACKAGES if style != "names"}
    rows = []
    for name, slug in OBJECTS:
        code = hexcodes[slug].replace("-fe0f", "")
        drawn = {style: (icons if icons.has(slug) else sets["cartoon"]).draw(slug) for style, icons in sets.items()}
        drawn["3d"] = rgba(Image.open(io.BytesIO(member(solid, assets[code].removeprefix("package/")))))
        drawn["line"] = fill_white(drawn["line"], drawn["flat"])
        for style, cell in cells.items():
            cell.append(fit(drawn[style]))
        rows.append({"name": name, "words": name.split(), "hexcode": code, "icon": slug, "label": labels[code]})
    return cells, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tarballs", type=Path, help="folder with the .tgz files of `npm pack`; fetched when left out")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "sprites")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.tarballs or Path(temporary)
        if args.tarballs is None:
            pack(folder)
        cells, rows = draw_all(folder)
    args.out.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(row) for row in rows)
    (args.out / "objects.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    for style, images in cells.items():
        sheet = Image.new("RGBA", (COLUMNS * CELL, -(-len(images) // COLUMNS) * CELL))
        for index, image in enumerate(images):
            sheet.paste(image, (index % COLUMNS * CELL, index // COLUMNS * CELL))
        path = args.out / f"{style}.webp"
        sheet.save(path, "WEBP", quality=94, alpha_quality=100, method=6)
        print(f"{path.name}: {len(images)} objects, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
