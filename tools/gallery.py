"""The README's gallery: clips that the shipped weights make of fixed captions and seeds, in a headless ComfyUI.

`python -m tools.gallery` writes docs/gallery/NN.webp (animated) and prints the README's table of them.
"""

import argparse
import sys
from pathlib import Path

from PIL import Image

from launch.demo import workflow
from launch.server import Server

from .thumbnails import FPS, frames

DOCS = Path(__file__).resolve().parent.parent / "docs"
CAPTIONS = (  # every motion once; seeds are as they came: nothing was picked
    "a 3d style rocket flying up on a purple background", "a flat apple bouncing on a green background",
    "a cartoon car moving right on a yellow background", "a line art panda standing still on a pink background",
    "a 3d tulip growing on a white background", "a flat guitar spinning in the night sky",
    "a cartoon sailboat moving left over the water", "a 3d pizza falling down in front of a sunset sky",
    "a flat umbrella swinging on a blue background", "a cartoon butterfly circling over a meadow",
    "a line art cat shaking on an orange background", "a 3d mushroom shrinking on a checkerboard")
COLUMNS = 4


def table(captions: tuple[str, ...], seed: int) -> str:
    """Markdown: COLUMNS clips a row, each over its caption and seed."""
    cells = [f"![{text}](docs/gallery/{n:02d}.webp)<br>*{text}*, seed {seed + n}" for n, text in enumerate(captions)]
    rows = [cells[k:k + COLUMNS] for k in range(0, len(cells), COLUMNS)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * COLUMNS, *lines[1:]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=100, help="of the first caption; each next has one more")
    parser.add_argument("--out", type=Path, default=DOCS / "gallery")
    args = parser.parse_args()

    args.out.mkdir(parents=True, exist_ok=True)
    with Server(Path(sys.executable)) as server:
        for n, text in enumerate(CAPTIONS):
            (file,) = server.client.submit(workflow(text, seed=args.seed + n)).files()
            first, *rest = (Image.fromarray(frame) for frame in frames(server.client.download(file)))
            first.save(args.out / f"{n:02d}.webp", save_all=True, append_images=rest, duration=round(1000 / FPS), loop=0,
                       quality=75)
    print(table(CAPTIONS, args.seed))


if __name__ == "__main__":
    main()
