"""The templates' pictures, from what the shipped weights really make: each workflow run in a headless ComfyUI.

`python -m tools.thumbnails [NAME ...]` writes `workflows/<title>.jpg` (`tools/templates.py`), eight frames of the clip; `--clip FILE.webp`
also keeps the whole clip of `text_to_video` as an animated WebP. Those for a checkpoint of one's own have pictures of their graphs
instead (`tools.graph_pictures`).
"""

import argparse
import io
import json
import sys
from pathlib import Path

import av
import numpy as np
from PIL import Image

from launch.server import Server
from tools import templates, twins

ROWS, COLUMNS = 2, 4
FPS = 16


def frames(video: bytes) -> np.ndarray:
    """An MP4's frames, F H W 3."""
    with av.open(io.BytesIO(video), mode="r") as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def sheet(clip: np.ndarray) -> Image.Image:
    """Frames evenly over the clip, read left to right and top to bottom."""
    chosen = clip[np.linspace(0, len(clip) - 1, ROWS * COLUMNS).round().astype(int)]
    return Image.fromarray(np.concatenate([np.concatenate(list(row), axis=1) for row in np.split(chosen, ROWS)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="workflows to draw (default: all that the bundled weights make)")
    parser.add_argument("--clip", type=Path, help="also save the clip of text_to_video here, as an animated WebP")
    args = parser.parse_args()

    with Server(Path(sys.executable)) as server:
        for name in args.names or [name for name in templates.names() if name not in twins.NAMES]:
            files = server.client.submit(json.loads(templates.api_form(name).read_text(encoding="utf-8"))).files()
            file = next(file for file in files if file.filename.endswith(".mp4"))
            clip = frames(server.client.download(file))
            sheet(clip).save(templates.picture(name), quality=88)
            if args.clip and name == "text_to_video":
                first, *rest = (Image.fromarray(frame) for frame in clip)
                first.save(args.clip, save_all=True, append_images=rest, duration=round(1000 / FPS), loop=0, quality=80)


if __name__ == "__main__":
    main()
