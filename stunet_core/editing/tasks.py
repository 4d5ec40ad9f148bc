"""Every edit is a mask: from what the user has to the clip as far as it is known, and where it is (Lumiere, sec. 4).

Pictures and clips are [F, H, W, 3] in [0, 1], a picture being a clip of one frame. Where nothing is known the clip
holds the best guess (the nearest frame, the nearest pixel, what was there before), from which a sampler with denoise
below 1 starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .pictures import check_alike, check_pictures, one_picture
from .steps import Step, nothing
from .surroundings import surroundings

THERE, AROUND = "what was there", "surroundings"
GUESSES = (THERE, AROUND)  # of what is in a hole
LISTED = (". If there should be more: they come as a list (a loader of many files, Rebatch Images), and ComfyUI runs this node once for "
          "each; join them with Batch Images, or Rebatch Images with a batch_size of their number, first")
MOST_FRAMES = 72_000  # 10 minutes at 120 frames per second


@dataclass(frozen=True)
class Task:
    """`given`: [F, H, W, 3] in [0, 1]; `keep`: bool [F, H, W], True where a pixel is given, False where it is to be made."""

    given: Tensor
    keep: Tensor

    def __post_init__(self) -> None:
        if self.given.shape[:3] != self.keep.shape:
            raise ValueError(f"given is {tuple(self.given.shape)}, keep {tuple(self.keep.shape)}: they must agree in "
                             "frames, height and width")

    @property
    def generate(self) -> Tensor:
        """The mask as users see it: [F, H, W], 1 (white) = to be generated."""
        return 1 - self.keep.float()


def image_to_video(image: Tensor, frames: int, end: Tensor | None = None, *, loop: bool = False) -> Task:
    """The first frame is given, and with `end` the last one; with `loop` it is also what follows on the last one.

    image, end: [1, H, W, 3] of one size. Raises ValueError when they are not, or when no frame is left to make, or for a loop that ends
    with another picture.
    """
    one_picture("image", image)
    if end is not None:
        one_picture("end_image", end)
        check_alike("end_image", end, "image", image)
    if loop and end is not None and not same(image, end):
        raise ValueError("end_image: a loop leads back to its first picture, and this is another one. Leave end_image empty, or switch "
                         "loop off; Key Frames lets a loop pass through several pictures")
    if end is None or loop:
        return key_frames(image, [0], frames, loop=loop)
    return key_frames(torch.cat([image, end]), [0, frames - 1], frames)


def key_frames(images: Tensor, at: Sequence[int], frames: int, *, loop: bool = False) -> Task:
    """images: [K, H, W, 3]; `at`: the frame of each, 0 to frames - 1 and no two the same; in between, the nearest one.

    With `loop` the first frame follows on the last one. Frames 0 and frames - 1 with the same picture would then show it twice in a row,
    so the last one is left to the model.

    Raises ValueError for another number of times than images, times outside the clip or given twice, or when no frame
    is left to make.
    """
    check_pictures("images", images)
    check_length(frames)
    if len(at) != len(images):
        raise ValueError(f"times: {len(at)} times for {len(images)} images; give one time per image{LISTED if len(images) == 1 else ''}")
    if frames <= len(at):
        raise ValueError(f"seconds: the clip has {frames} frames for {len(at)} given ones, so there is nothing to "
                         "generate; make it longer")
    for time in at:
        if not 0 <= time < frames:
            raise ValueError(f"times: frame {time} is outside the clip, whose frames are 0 to {frames - 1}")
        if list(at).count(time) > 1:
            raise ValueError(f"times: frame {time} is there twice; give each image a frame of its own")
    if loop and {0, frames - 1} <= set(at) and same(*(images[list(at).index(time)] for time in (0, frames - 1))):
        left = [k for k, time in enumerate(at) if time != frames - 1]
        images, at = images[left], [at[k] for k in left]
    place = torch.tensor(at)
    distance = (torch.arange(frames)[:, None] - place).abs()  # f k
    distance = torch.minimum(distance, frames - distance) if loop else distance
    keep = torch.zeros(frames, *images.shape[1:3], dtype=torch.bool)
    keep[place] = True
    return Task(repeated(images, distance.argmin(dim=1)), keep)


def inpaint(clip: Tensor, keep: Tensor, guess: str = THERE, step: Step = nothing) -> Task:
    """The clip where `keep` (bool [F, H, W]) says so; elsewhere, as a first guess, what was there, or the place without it."""
    check_pictures("clip", clip)
    if guess not in GUESSES:
        raise ValueError(f"start_from: {guess!r} is none of {', '.join(GUESSES)}")
    return Task(surroundings(clip, keep, step) if guess == AROUND else clip, keep)


def animate_region(image: Tensor, keep: Tensor) -> Task:
    """A cinemagraph: the image, whole on the first frame and outside the region on all of them.

    image: [1, H, W, 3]; keep: bool [F, H, W]. It loops as it is: the frame after the last one is the first, the image. Raises ValueError
    when no frame is left to animate.
    """
    one_picture("image", image)
    if len(keep) < 2:
        raise ValueError(f"seconds: the clip has {len(keep)} frames; at least 2 are needed, since the first is the image itself")
    keep = keep.clone()
    keep[0] = True
    return Task(image.expand(len(keep), -1, -1, -1), keep)


def outpaint(clip: Tensor, left: int, top: int, right: int, bottom: int) -> Task:
    """The clip with so many pixels around it to be made, for now copies of its edge. Raises ValueError for none."""
    check_pictures("clip", clip)
    margins = {"left": left, "top": top, "right": right, "bottom": bottom}
    for name, pixels in margins.items():
        if pixels < 0:
            raise ValueError(f"{name}: {pixels} pixels; give 0 or more")
    if not any(margins.values()):
        raise ValueError("left, top, right, bottom: all are 0, so there is nothing to generate; give at least one of "
                         "them, or an aspect other than the clip's own")
    height, width = clip.shape[1:3]
    rows = torch.arange(-top, height + bottom).clamp(0, height - 1)
    columns = torch.arange(-left, width + right).clamp(0, width - 1)
    keep = torch.zeros(len(clip), len(rows), len(columns), dtype=torch.bool)
    keep[:, top:top + height, left:left + width] = True
    return Task(clip[:, rows][:, :, columns], keep)


def margins(width: int, height: int, aspect: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom that bring a picture to `aspect` (width / height): nothing is cut, both sides grow."""
    wide, high = max(width, round(height * aspect)), max(height, round(width / aspect))
    across, down = wide - width, high - height
    return across // 2, down // 2, across - across // 2, down - down // 2


def extend(clip: Tensor, added: int, overlap: int, *, before: bool = False) -> tuple[Task, Tensor]:
    """`added` frames that continue the clip after its end (or lead to its beginning), seeing `overlap` of its frames.

    Returns the task, of overlap + added frames, and the rest of the clip, [F - overlap, H, W, 3], to be joined to what
    is made of it: so a clip can be extended step by step to any length. Raises ValueError when `overlap` does not fit.
    """
    check_pictures("clip", clip)
    if not 1 <= overlap <= len(clip):
        raise ValueError(f"overlap: {overlap} frames; the clip has {len(clip)}, so give {f'1 to {len(clip)}' if len(clip) > 1 else 1}"
                         f"{LISTED if len(clip) == 1 else ''}")
    frames = overlap + added
    check_length(frames)
    keep = torch.zeros(frames, *clip.shape[1:3], dtype=torch.bool)
    if before:
        keep[added:] = True
        seen, rest = clip[:overlap], clip[overlap:]
        return Task(repeated(seen, torch.arange(-added, overlap).clamp(min=0)), keep), rest
    keep[:overlap] = True
    seen, rest = clip[len(clip) - overlap:], clip[: len(clip) - overlap]
    return Task(repeated(seen, torch.arange(frames).clamp(max=overlap - 1)), keep), rest


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two pictures of one size are the same, but for what an 8-bit file rounds."""
    return bool((a - b).abs().max() <= 1 / 255)


def repeated(pictures: Tensor, index: Tensor) -> Tensor:
    """pictures[index]; a single picture is not copied, so that a long clip of it takes no memory."""
    return pictures.expand(len(index), -1, -1, -1) if len(pictures) == 1 else pictures[index]


def check_length(frames: int) -> None:
    """Raises ValueError for a clip that no machine could hold."""
    if not 1 <= frames <= MOST_FRAMES:
        raise ValueError(f"seconds: that makes {frames} frames; a clip has 1 to {MOST_FRAMES}. Make it in steps with "
                         "Extend Clip")

