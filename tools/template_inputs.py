"""The pictures and the clip that the templates load, rendered from the world: `workflows/input/`.

`python -m tools.template_inputs` writes them all. Only the mascot of *thing_from_picture* is no drawing of the world: it is made here, so
that no book has it.
"""

import argparse
import io
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image, ImageDraw

from training.world import Rendered, Scene, Thing, render

INPUT = Path(__file__).resolve().parent.parent / "workflows" / "input"
SIZE, FPS = 256, 16
FOX = Scene((Thing("fox", "flat", 0.5, 0.5, 0.5, "swing"),), "blue")
FOX_FRAMES = 48
BOAT = Scene((Thing("sailboat", "3d", 0.52, 0.5, 0.45, "still"),), "water")
ROCKET = Scene((Thing("rocket", "3d", 0.55, 0.52, 0.5, "up"),), "purple")
STYLES = ("3d", "flat", "line", "cartoon")
FINER = 4  # times as large is the mascot drawn, then scaled down


def one(scene: Scene) -> Rendered:
    """The first frame of a scene."""
    return render(scene, size=SIZE, only=[0])


def plain(thing: str, style: str, background: str) -> np.ndarray:
    """A thing in the middle, h w 3."""
    return one(Scene((Thing(thing, style, 0.66, 0.5, 0.5, "still"),), background)).frames[0]


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A mask h w, bool, and all that is so near to it; uint8, white inside."""
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return cv2.dilate(mask.astype(np.uint8) * 255, ellipse)


def box(masks: np.ndarray, margin: int) -> np.ndarray:
    """The rectangle around everything that masks F h w cover, with a margin; h w uint8, white inside."""
    y, x = np.nonzero(masks.any(axis=0))
    out = np.zeros(masks.shape[1:], np.uint8)
    out[max(0, y.min() - margin):y.max() + 1 + margin, max(0, x.min() - margin):x.max() + 1 + margin] = 255
    return out


def mascot() -> np.ndarray:
    """A friendly robot on white paper, h w 3."""
    side = SIZE * FINER
    picture = Image.new("RGB", (side, side), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    ink, teal, light, orange = (38, 50, 74), (38, 166, 154), (224, 242, 241), (255, 152, 0)

    @dataclass(frozen=True)
    class Pen:
        """Draws in 256ths of the side."""

        width: int = 4

        def block(self, left: int, top: int, right: int, bottom: int, fill: tuple[int, int, int], round_: int) -> None:
            draw.rounded_rectangle([v * FINER for v in (left, top, right, bottom)], round_ * FINER, fill, ink, self.width * FINER)

        def ball(self, x: int, y: int, radius: int, fill: tuple[int, int, int], width: int | None = None) -> None:
            corners = [v * FINER for v in (x - radius, y - radius, x + radius, y + radius)]
            draw.ellipse(corners, fill, ink, (self.width if width is None else width) * FINER)

    pen = Pen()
    draw.line([128 * FINER, 62 * FINER, 128 * FINER, 36 * FINER], ink, 5 * FINER)
    pen.ball(128, 32, 10, orange)
    for arm in ((52, 138, 76, 184), (180, 138, 204, 184)):
        pen.block(*arm, teal, 12)
    for leg in ((92, 196, 120, 232), (136, 196, 164, 232)):
        pen.block(*leg, ink, 8)
    pen.block(78, 126, 178, 208, teal, 20)
    pen.block(66, 56, 190, 138, light, 30)
    for x in (102, 154):
        pen.ball(x, 92, 14, (255, 255, 255))
        pen.ball(x + 2, 94, 6, ink, 0)
    draw.arc([v * FINER for v in (106, 96, 150, 126)], 20, 160, ink, 5 * FINER)
    pen.ball(128, 168, 14, orange)
    return np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def video(frames: np.ndarray) -> bytes:
    """F h w 3 -> an MP4."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=FPS, options={"crf": "16"})
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode())
    return out.getvalue()


def pictures() -> dict[str, np.ndarray]:
    """File name -> h w 3, or a mask h w."""
    fox, boat = render(FOX, frames=FOX_FRAMES, size=SIZE), one(BOAT)
    out = {"stunet_boat": boat.frames[0], "stunet_boat_water": 255 - grown(boat.mask[0], 5), "stunet_rocket": one(ROCKET).frames[0],
           "stunet_fox_first": grown(fox.mask[0], 4), "stunet_fox_mask": box(fox.mask, 16),
           "stunet_style": plain("sailboat", "twemoji", "yellow"), "stunet_mascot": mascot()}
    out |= {f"stunet_fox_{number}": fox.frames[frame] for number, frame in enumerate((0, FOX_FRAMES // 2, FOX_FRAMES - 1), 1)}
    return out | {f"stunet_style_{style}": plain("car", style, "yellow") for style in STYLES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=INPUT)
    args = parser.parse_args()

    args.out.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures().items():
        Image.fromarray(picture).save(args.out / f"{name}.png", optimize=True)
    (args.out / "stunet_fox.mp4").write_bytes(video(render(FOX, frames=FOX_FRAMES, size=SIZE).frames))


if __name__ == "__main__":
    main()
