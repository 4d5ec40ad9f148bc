"""Tasks are masks: what is given, where, and that it comes back unharmed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stunet_core.editing import tasks
from stunet_core.editing.composite import composite
from stunet_core.editing.keep_mask import cells, doubt, padded, read_mask
from stunet_core.editing.tasks import Task
from stunet_core.editing.times import read_aspect, read_times


def clip(frames: int = 5, height: int = 16, width: int = 24, seed: int = 0) -> torch.Tensor:
    return torch.rand(frames, height, width, 3, generator=torch.Generator().manual_seed(seed))


def blob(frames: int = 1, height: int = 16, width: int = 24) -> torch.Tensor:
    """A user's mask: white (1) in the middle."""
    mask = torch.zeros(frames, height, width)
    mask[:, 5:11, 6:17] = 1
    return mask


EVERY: dict[str, tuple[Task, int]] = {  # the task and its number of frames
    "image": (tasks.image_to_video(clip(1), 7), 7),
    "image and end": (tasks.image_to_video(clip(1), 7, clip(1, seed=1)), 7),
    "key frames": (tasks.key_frames(clip(3), [6, 0, 2], 9), 9),
    "inpaint": (tasks.inpaint(clip(), read_mask("mask", blob(), 5, 16, 24)), 5),
    "outpaint": (tasks.outpaint(clip(), 3, 0, 8, 5), 5),
    "region": (tasks.animate_region(clip(1), read_mask("region", blob(), 6, 16, 24)), 6),
    "after": (tasks.extend(clip(), 4, 3)[0], 7),
    "before": (tasks.extend(clip(), 4, 3, before=True)[0], 7),
}


@pytest.mark.parametrize("name", EVERY)
def test_frames_and_masks_agree_and_something_is_given_and_something_made(name: str) -> None:
    task, frames = EVERY[name]
    assert task.given.shape == (*task.keep.shape, 3)
    assert len(task.keep) == frames
    assert task.keep.any()
    assert not task.keep.all()


@pytest.mark.parametrize("name", EVERY)
def test_masks_go_out_as_they_come_in(name: str) -> None:
    """White = generated, in both directions."""
    task, frames = EVERY[name]
    assert torch.equal(read_mask("mask", task.generate, frames, *task.keep.shape[1:]), task.keep)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("feather", [0, 3])
def test_given_pixels_come_back_bit_for_bit(name: str, feather: int) -> None:
    task, frames = EVERY[name]
    height, width = task.keep.shape[1:]
    made = clip(frames, height + -height % 8, width + -width % 8, seed=9)
    out = composite(made, task.given, task.keep, feather=feather, match=feather > 0)
    assert out.shape == task.given.shape
    assert torch.equal(out[task.keep], task.given[task.keep])
    if not feather:
        assert torch.equal(out[~task.keep], made[:, :height, :width][~task.keep])


def test_image_to_video_begins_and_ends_with_its_images() -> None:
    first, last = clip(1), clip(1, seed=1)
    task = tasks.image_to_video(first, 6, last)
    assert task.keep[[0, -1]].all()
    assert not task.keep[1:-1].any()
    assert torch.equal(task.given, torch.cat([first.expand(3, -1, -1, -1), last.expand(3, -1, -1, -1)]))
    alone = tasks.image_to_video(first, 8000)
    assert alone.given.untyped_storage().nbytes() == first.untyped_storage().nbytes(), "a long clip takes no memory"


def test_key_frames_stand_at_their_times() -> None:
    images = clip(3)
    task = tasks.key_frames(images, [8, 0, 3], 9)
    assert torch.equal(task.given[[8, 0, 3]], images)
    assert task.keep.all(dim=(1, 2)).nonzero().flatten().tolist() == [0, 3, 8]
    assert torch.equal(task.given[4], images[2]), "the nearest one, until it is made"


def test_a_loop_shows_no_frame_twice() -> None:
    """It is half-open: the frame after the last one is the first."""
    image, other = clip(1), clip(1, seed=1)
    for task in (tasks.image_to_video(image, 6, loop=True), tasks.image_to_video(image, 6, image, loop=True),
                 tasks.key_frames(torch.cat([image, other, image]), [0, 3, 5], 6, loop=True)):
        assert task.keep[0].all() and not task.keep[-1].any()
        assert torch.equal(task.given[-1], image[0]), "round the circle, the first is the nearest"
    assert tasks.key_frames(torch.cat([image, other]), [0, 5], 6, loop=True).keep[-1].all(), "another picture was asked for"
    with pytest.raises(ValueError, match="end_image: a loop leads back to its first picture"):
        tasks.image_to_video(image, 6, other, loop=True)


def test_the_joint_of_a_loop_is_closed_from_both_sides() -> None:
    """Frames that drift away from the only given one come back to it before the end."""
    task = tasks.image_to_video(torch.full((1, 32, 32, 3), 0.5), 16, loop=True)
    made = (0.5 + torch.linspace(0.02, 0.1, 16)[:, None, None, None]).expand(16, 32, 32, 3)
    ends = [composite(made, task.given, task.keep, joint=4, loop=loop)[-1].mean() - 0.5 for loop in (False, True)]
    assert ends[0] > 0.08 and abs(ends[1]) < 0.03


def test_outside_the_region_of_a_cinemagraph_nothing_moves() -> None:
    keep = read_mask("region", blob(), 6, 16, 24)
    task = tasks.animate_region(clip(1), keep)
    out = composite(clip(6, seed=3), task.given, task.keep, feather=4, match=True)
    assert not out.diff(dim=0)[keep[1:]].any()
    assert out.diff(dim=0)[~keep[1:]].any()
    assert torch.equal(out[0], task.given[0])
    assert not tasks.animate_region(clip(1), keep).keep[-1].all()


def test_outpainting_puts_the_clip_where_it_belongs() -> None:
    source = clip()
    task = tasks.outpaint(source, 3, 1, 8, 5)
    assert task.given.shape == (5, 16 + 6, 24 + 11, 3)
    assert torch.equal(task.given[:, 1:17, 3:27], source)
    assert task.keep[:, 1:17, 3:27].all()
    assert task.keep.sum() == source[..., 0].numel()
    assert torch.equal(task.given[:, 1:17, 0], source[:, :, 0]), "copies of the edge"


@pytest.mark.parametrize(("size", "aspect", "expected"), [
    ((128, 128), "16:9", (50, 0, 50, 0)), ((128, 128), "0.5", (0, 64, 0, 64)), ((128, 72), "16:9", (0, 0, 0, 0)),
    ((64, 48), "3/2", (4, 0, 4, 0)),
])
def test_an_aspect_is_reached_by_growing_on_both_sides(
        size: tuple[int, int], aspect: str, expected: tuple[int, int, int, int]) -> None:
    assert tasks.margins(*size, read_aspect(aspect)) == expected


@pytest.mark.parametrize("before", [False, True])
def test_what_extends_a_clip_joins_its_rest(before: bool) -> None:
    source = clip(10)
    task, rest = tasks.extend(source, 6, 4, before=before)
    made = composite(clip(10, seed=5), task.given, task.keep, feather=4)
    whole = torch.cat([made, rest] if before else [rest, made])
    assert len(whole) == 16
    assert torch.equal(whole[6:] if before else whole[:10], source)
    everything, nothing = tasks.extend(source, 6, 10, before=before)
    assert len(everything.keep) == 16
    assert len(nothing) == 0


def test_times_are_frames_or_seconds() -> None:
    assert read_times("0, 2.5s, 79", 5.0, 16.0) == [0, 40, 79]
    assert read_times(" 3 ", 5.0, 16.0) == [3]
    assert read_times(".5 s,0s", 1.0, 24.0) == [12, 0]


def test_a_cell_is_given_only_if_all_its_pixels_are() -> None:
    keep = torch.ones(1, 20, 17, dtype=torch.bool)
    keep[0, 9, 3] = False
    keep[0, 19, 16] = False
    expected = torch.ones(1, 3, 3, dtype=torch.bool)
    expected[0, 1, 0] = expected[0, 2, 2] = False
    assert torch.equal(cells(keep), expected)
    random = torch.rand(3, 16, 24, generator=torch.Generator().manual_seed(0)) > 0.02
    assert np.array_equal(cells(random).numpy(), random.numpy().reshape(3, 2, 8, 3, 8).all(axis=(2, 4)))
    assert torch.equal(padded(clip(1).movedim(-1, 1))[..., :16, :24], clip(1).movedim(-1, 1))


def test_the_seam_fades_and_does_not_bring_back_what_was_removed() -> None:
    """Made frames that are darker by 0.2, an original whose hole holds something bright."""
    keep = torch.ones(1, 32, 32, dtype=torch.bool)
    keep[:, 8:24, 8:24] = False
    original = torch.full((1, 32, 32, 3), 0.6)
    original[~keep] = 1.0
    made = torch.full((1, 32, 32, 3), 0.4)
    row = composite(made, original, keep, feather=3)[0, 16, :, 0]
    assert torch.allclose(row[7:13], torch.tensor([0.6, 0.55, 0.5, 0.45, 0.4, 0.4]), atol=1e-3)
    assert torch.allclose(composite(made, original, keep, match=True), torch.where(keep[..., None], original, 0.6))


def test_colours_match_where_the_model_should_have_changed_nothing() -> None:
    source = clip(6) * 0.5 + 0.25
    task, _ = tasks.extend(source, 4, 6)
    shifted = task.given + torch.tensor([0.05, -0.03, 0.01])
    assert torch.allclose(composite(shifted, task.given, task.keep, match=True), task.given, atol=1e-6)


# --- what is refused ---

NAN = clip(1).index_fill(1, torch.tensor([3]), float("nan"))


@pytest.mark.parametrize(("image", "message"), [
    (NAN, "image: has pixels that are no numbers"),
    (clip(1) * 255, "image: its values are .* pixels go from 0 to 1"),
    (clip(1) * 2 - 1, "image: its values are -1"),
    (clip(2), "image: has 2 frames; give one picture"),
    (clip(0), "image: is .* at least one"),
    (clip(1)[0], "image: is .* frames x height x width x 3"),
    (torch.cat([clip(1), clip(1)[..., :1]], dim=-1), "image: has 4 channels"),
])
def test_pictures_that_are_none_are_refused(image: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tasks.image_to_video(image, 8)


def test_what_leaves_nothing_to_make_is_refused() -> None:
    with pytest.raises(ValueError, match="seconds: the clip has 1 frames for 1 given ones"):
        tasks.image_to_video(clip(1), 1)
    with pytest.raises(ValueError, match="seconds: the clip has 2 frames for 2 given ones"):
        tasks.image_to_video(clip(1), 2, clip(1))
    with pytest.raises(ValueError, match="seconds: the clip has 1 frames; at least 2"):
        tasks.animate_region(clip(1), read_mask("region", blob(), 1, 16, 24))
    with pytest.raises(ValueError, match="left, top, right, bottom: all are 0"):
        tasks.outpaint(clip(), 0, 0, 0, 0)
    with pytest.raises(ValueError, match="seconds: that makes 1000000 frames"):
        tasks.image_to_video(clip(1), 1_000_000)


def test_sizes_that_disagree_are_refused_with_both() -> None:
    with pytest.raises(ValueError, match="end_image: is 16x16 pixels, image 24x16"):
        tasks.image_to_video(clip(1), 8, clip(1, width=16))
    with pytest.raises(ValueError, match="mask: is 24x16 pixels, the clip 24x32"):
        read_mask("mask", blob(), 5, 32, 24)
    with pytest.raises(ValueError, match="frames: are 24x24 pixels, original 24x16"):
        composite(clip(height=24), clip(), torch.ones(5, 16, 24, dtype=torch.bool))
    with pytest.raises(ValueError, match="mask: is 24x24 pixels, original 24x16"):
        composite(clip(), clip(), torch.ones(5, 24, 24, dtype=torch.bool))
    with pytest.raises(ValueError, match="original: has 4 frames, the generated clip 5"):
        composite(clip(), clip(4), torch.ones(5, 16, 24, dtype=torch.bool))


@pytest.mark.parametrize(("mask", "message"), [
    (blob(3), "mask: has 3 frames, the clip 5; give 1 mask for all of them, or 5"),
    (blob() * 0, "mask: is black everywhere.*InvertMask"),
    (blob() * 0 + 1, "mask: is white everywhere"),
    (blob() * float("nan"), "mask: has pixels that are no numbers"),
    (blob()[None], "mask: is .* a mask is frames x height x width"),
])
def test_masks_that_cannot_be_meant_are_refused(mask: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_mask("mask", mask, 5, 16, 24)


def test_masks_that_are_perhaps_not_meant_are_doubted() -> None:
    keep = torch.zeros(2, 40, 40, dtype=torch.bool)
    keep[:, :6, :6] = True
    assert "98% of it is white" in str(doubt("mask", keep))
    keep[:, ::2] = True
    assert "fills a cell" in str(doubt("mask", keep))
    keep[:, :16] = True
    assert doubt("mask", keep) is None


@pytest.mark.parametrize(("text", "message"), [
    ("0, now", "'now' is no time"), ("0, 2.5", "'2.5' is no time"), ("", "'' is no time"), ("-1", "'-1' is no time"),
    ("0, 80", "80 is frame 80; the clip has frames 0 to 79"), ("5s", "5s is frame 80; .* its last frame is at 4.938s"),
    ("0, 16, 1s", "16 and 1s are both frame 16"),
])
def test_times_that_are_none_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"times: {message}"):
        read_times(text, 5.0, 16.0)


def test_key_frames_without_a_time_each_are_refused() -> None:
    with pytest.raises(ValueError, match="times: 2 times for 3 images"):
        tasks.key_frames(clip(3), [0, 4], 9)
    with pytest.raises(ValueError, match="times: frame 9 is outside the clip"):
        tasks.key_frames(clip(2), [0, 9], 9)
    with pytest.raises(ValueError, match="times: frame 4 is there twice"):
        tasks.key_frames(clip(2), [4, 4], 9)


@pytest.mark.parametrize("text", ["wide", "0:9", "16:0", "100:1", ":", "nan"])
def test_aspects_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="aspect: "):
        read_aspect(text)


@pytest.mark.parametrize("overlap", [0, 6])
def test_an_overlap_that_does_not_fit_the_clip_is_refused(overlap: int) -> None:
    with pytest.raises(ValueError, match=f"overlap: {overlap} frames; the clip has 5, so give 1 to 5"):
        tasks.extend(clip(), 4, overlap)
