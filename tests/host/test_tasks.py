"""The task templates with the bundled weights: what was given is there, exactly, and the rest fits it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from launch.client import Client, Run
from stunet_core.report import metrics
from tests.host.video import decode, pictures
from training.judges.judges import Judges
from training.world import STYLES

# frames, height, width of what each saves
SIZES = {"image_to_video": (80, 256, 256), "key_frames": (48, 256, 256), "styled_image_to_video": (48, 256, 256),
         "restyle_clip": (48, 256, 256), "four_styles": (32, 512, 512), "cinemagraph": (64, 256, 256), "inpaint": (48, 256, 256),
         "remove_object": (48, 256, 256), "moving_mask": (48, 256, 256),
         "outpaint": (48, 256, 384), "extend": (96, 256, 256), "video_to_video": (48, 256, 256)}
COMPOSITED = [name for name in SIZES if name not in ("video_to_video", "restyle_clip", "four_styles")]
FEW_GIVEN = ("image_to_video", "key_frames", "styled_image_to_video")  # a frame or three of the whole clip
JOINT = 1.5  # times the median step
SOURCE = Path(__file__).resolve().parents[2] / "workflows" / "input" / "stunet_fox.mp4"

Finished = Callable[[str], Run]


def video(finished: Finished, client: Client, name: str) -> np.ndarray:
    (file,) = [file for file in finished(name).files() if file.filename.endswith(".mp4")]
    saved = decode(client.download(file))
    assert saved.fps == 16
    return saved.frames.astype(np.float32)


def watched(finished: Finished, client: Client, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What went into Composite and came out: made, original, given (bool F H W), done; exact pixels."""
    made, original, mask, done = (pictures(client, finished(name), node) for node in ("made", "original", "mask", "done"))
    return made.astype(np.float32), original.astype(np.float32), mask[..., 0] == 0, done.astype(np.float32)


def change(frames: np.ndarray) -> np.ndarray:
    """Mean absolute difference of adjacent frames, in grey levels: F - 1 numbers."""
    return np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))


@pytest.mark.parametrize("name", SIZES)
def test_it_has_the_frames_it_should_have_and_none_is_blank(name: str, finished: Finished, client: Client) -> None:
    frames = video(finished, client, name)
    assert frames.shape == (*SIZES[name], 3)
    if name != "remove_object":  # which leaves nothing but its blue background: see below
        assert frames.std(axis=(1, 2)).mean(axis=-1).min() > 5


@pytest.mark.parametrize("name", COMPOSITED)
def test_every_given_pixel_is_exact_and_all_others_are_made(name: str, finished: Finished, client: Client) -> None:
    made, original, given, done = watched(finished, client, name)
    assert np.array_equal(done[given], original[given])
    assert 0.1 < given.mean() < 0.95 or name in FEW_GIVEN
    assert np.abs(done[~given] - original[~given]).mean() > 1
    # What the model itself made of given pixels: they went through the VAE, and were not painted over.
    whole = given.all(axis=(1, 2))
    if whole.any():
        error = np.mean((made[whole] - original[whole]) ** 2)
        assert 10 * np.log10(255**2 / error) > 22, "PSNR, dB"


def test_image_to_video_moves_away_from_its_image(finished: Finished, client: Client) -> None:
    _, original, given, done = watched(finished, client, "image_to_video")
    assert given[0].all()
    assert not given[1:].any()
    assert np.array_equal(done[0], original[0])
    assert np.abs(done[-1] - done[0]).mean() > 2


def test_key_frames_are_shown_at_their_times(finished: Finished, client: Client) -> None:
    _, _, given, done = watched(finished, client, "key_frames")
    assert np.flatnonzero(given.all(axis=(1, 2))).tolist() == [0, 24, 47]
    for number, frame in enumerate((0, 24, 47), 1):
        picture = np.asarray(Image.open(SOURCE.with_name(f"stunet_fox_{number}.png")).convert("RGB"))
        assert np.array_equal(done[frame], picture)


def test_a_cinemagraph_is_still_outside_its_region_and_repeats_without_a_jump(finished: Finished, client: Client) -> None:
    _, original, given, done = watched(finished, client, "cinemagraph")
    still = given.all(axis=0)
    assert still.mean() > 0.1
    assert not np.diff(done, axis=0)[:, still].any()
    assert np.diff(done, axis=0)[:, ~still].any(axis=(1, 2)).all()
    assert np.array_equal(done[0], original[0])
    assert np.abs(done[-1] - done[0]).mean() > 0, "the still is there once, not at both ends"
    steps = change(done)
    assert max(np.abs(done[-1] - done[0]).mean(), steps[0]) <= 1.2 * np.quantile(steps, 0.9), "no jump out of the still, none back"


def test_extending_goes_on_without_a_jump(finished: Finished, client: Client) -> None:
    """The joint, that the source plays before it, and that its background is still there at the end."""
    frames = video(finished, client, "extend")
    assert metrics.joint_error(frames, 48) <= JOINT, "from the last frame that was given to the first that was made"
    source = decode(SOURCE.read_bytes()).frames
    assert np.abs(frames[:48] - source).mean() < 6, "the video's compression alone"
    rim = np.ones(frames.shape[1:3], bool)
    rim[16:-16, 16:-16] = False
    assert metrics.colour_drift(frames.astype(np.uint8), 16, rim) < 2


def test_outpainting_and_inpainting_fit_what_surrounds_them(finished: Finished, client: Client) -> None:
    """The clip's background is one blue; what is made next to it is as blue, or the seam would show."""
    for name in ("outpaint", "inpaint"):
        _, original, given, done = watched(finished, client, name)
        blue = np.median(original[given], axis=0)
        seam = beside(given)
        assert np.abs(np.median(done[seam], axis=0) - blue).max() < 12, name


def test_a_tracked_thing_is_gone_and_the_report_says_what_the_clip_is_like(finished: Finished, client: Client) -> None:
    """By the trained judge, on every eighth frame; painted on the first frame alone, the mask covers the thing on all."""
    judges = Judges.load()
    done, source = video(finished, client, "remove_object"), decode(SOURCE.read_bytes()).frames
    after, before = ((judges.look(frames[::8].astype(np.uint8)).mask > 0.5).sum(axis=(1, 2)) for frames in (done, source))
    assert (before > 0).all()
    assert np.median(after / before) <= 0.25
    assert np.abs(done - np.median(source[:, :8], axis=(0, 1, 2))).mean() < 6, "the blue of the background"
    (text,) = finished("remove_object").outputs["16"]["text"]
    assert "48 frames of 256x256 at 16 fps" in text and "warp error" in text


def test_another_thing_moves_where_the_mask_moves(finished: Finished, client: Client) -> None:
    judges = Judges.load()
    _, _, given, done = watched(finished, client, "moving_mask")
    seen = judges.look(done.astype(np.uint8))
    assert (seen.object.argmax(axis=1) == judges.objects.index("apple")).mean() > 0.5
    hole = [np.flatnonzero(~frame.all(axis=0)).mean() for frame in given]
    assert np.corrcoef(hole, track(done))[0, 1] > 0.7


def beside(given: np.ndarray) -> np.ndarray:
    """bool F H W: pixels that are made, with a given one above, below, left or right of them."""
    near = np.zeros_like(given)
    for axis in (1, 2):
        for step in (-1, 1):
            near |= np.roll(given, step, axis)
    return near & ~given


def test_four_pictures_give_one_prompt_four_looks(finished: Finished, client: Client) -> None:
    """Four branches of one graph, each with words of its own: no two clips are alike, though prompt and seed are, and all show it."""
    frames = video(finished, client, "four_styles")
    clips = [frames[:, y:y + 256, x:x + 256] for y in (0, 256) for x in (0, 256)]
    for k, clip in enumerate(clips):
        for other in clips[:k]:
            assert np.abs(clip - other).mean() > 8
    judges = Judges.load()
    seen = [judges.look(clip[::4].astype(np.uint8)) for clip in clips]
    assert all((some.object.argmax(axis=1) == judges.objects.index("mushroom")).mean() > 0.8 for some in seen)
    lines = [(some.style.argmax(axis=1) == STYLES.index("line")).mean() for some in seen]
    assert lines[2] > 0.9 and max(lines[0], lines[1], lines[3]) < 0.1, "the third picture is a line drawing"


@pytest.mark.parametrize("name", ["restyle_clip", "styled_image_to_video"])
def test_a_line_drawing_makes_line_drawings(name: str, finished: Finished, client: Client) -> None:
    """Of a fox in a clip and of a rocket in a picture, both in colour; no prompt says so."""
    seen = Judges.load().look(video(finished, client, name).astype(np.uint8))
    assert (seen.style.argmax(axis=1) == STYLES.index("line")).mean() > 0.5


@pytest.mark.parametrize(("name", "alike"), [("video_to_video", 0.95), ("restyle_clip", 0.8)])
def test_a_clip_made_anew_keeps_its_motion_and_has_other_pixels(name: str, alike: float, finished: Finished, client: Client) -> None:
    """What moves is where it was in the source, frame by frame, and no longer looks the same."""
    frames, source = video(finished, client, name), decode(SOURCE.read_bytes()).frames.astype(np.float32)
    assert np.abs(frames - source).mean() > 2
    tracks = [track(clip) for clip in (frames, source)]
    assert np.corrcoef(tracks[0], tracks[1])[0, 1] > alike


def track(frames: np.ndarray) -> np.ndarray:
    """The horizontal centre of what is not background, per frame: pixels, F."""
    background = np.median(frames[:, :8].reshape(-1, 3), axis=0)
    weight = np.clip(np.abs(frames - background).sum(axis=-1) - 60, 0, None)  # F H W
    return (weight * np.arange(frames.shape[2])).sum(axis=(1, 2)) / weight.sum(axis=(1, 2)).clip(min=1)
