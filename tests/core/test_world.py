"""The world's ground truth agrees with its pixels, its captions with its vocabulary, and its split with its promise."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from stunet_core.mini.tokenizer import UNKNOWN, Tokenizer
from training.world import (
    BACKGROUNDS,
    CAMERAS,
    COLOURS,
    HELD_OUT_STYLES,
    KINDS,
    LOCALS,
    MOTIONS,
    OBJECT_NAMES,
    PLACES,
    SIZES,
    STYLES,
    Scene,
    Thing,
    caption,
    is_held_out,
    labels,
    library,
    render,
    sample_scene,
    vocabulary,
    words,
)
from training.world.caption import plural
from training.world.held_out import set_aside
from training.world.motion import PERIODIC, ahead, poses
from training.world.phrases import BACKGROUND_WORDS
from training.world.sample import STAYING
from training.world.sprites import sprite

TRAINED = OBJECT_NAMES[:64]


def scenes(count: int, seed: int = 0, **options: Any) -> list[Scene]:
    rng = np.random.default_rng(seed)
    return [sample_scene(rng, TRAINED, **options) for _ in range(count)]


def one(motion: str, **options: Any) -> Scene:
    return Scene((replace(Thing("apple", "flat", 0.4, 0.5, 0.5, motion, phase=0.3), **options),), "blue")


def middle_of(mask: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(mask)
    return np.array([x.mean() + 0.5, y.mean() + 0.5])


def test_the_same_seed_gives_the_same_scene_caption_and_pixels():
    first, second = scenes(6, seed=3), scenes(6, seed=3)
    assert first == second
    for a, b in zip(first, second, strict=True):
        assert caption(a, np.random.default_rng(1)) == caption(b, np.random.default_rng(1))
        assert np.array_equal(render(a, only=[7, 70]).frames, render(b, only=[7, 70]).frames)


def test_some_frames_alone_are_those_of_the_whole_clip():
    scene = scenes(1, seed=5)[0]
    whole, some = render(scene), render(scene, only=[0, 41, 79])
    assert whole.frames.shape == (80, 128, 128, 3)
    assert np.array_equal(whole.frames[[0, 41, 79]], some.frames)
    assert np.allclose(whole.centre[[0, 41, 79]], some.centre)


@pytest.mark.parametrize("motion", MOTIONS)
def test_mask_and_centre_agree_with_the_frames(motion):
    scene = one(motion, size=0.35)
    clip = render(scene, only=range(0, 80, 9))
    empty = render(replace(scene, things=(replace(scene.things[0], x=2.0, motion="still"),)), only=[0]).frames[0]
    for k in range(len(clip.frames)):
        changed = np.abs(clip.frames[k].astype(int) - empty).max(axis=2) > 40
        assert (changed & clip.mask[k]).sum() > 0.8 * clip.mask[k].sum()
        assert (changed & ~clip.mask[k]).sum() < 0.1 * clip.mask[k].sum()
        assert np.abs(middle_of(clip.mask[k]) - clip.centre[k]).max() < 1.5


def test_each_motion_goes_the_way_it_says():
    clips = {motion: render(one(motion), size=32) for motion in MOTIONS}
    moved = {motion: clip.centre[-1] - clip.centre[0] for motion, clip in clips.items()}
    assert np.ptp(clips["still"].centre, axis=0).max() == 0
    for motion, axis, sign in (("left", 0, -1), ("right", 0, 1), ("up", 1, -1), ("down", 1, 1)):
        assert 0.25 < sign * moved[motion][axis] / 32 < 0.6
        assert np.ptp(clips[motion].centre[:, 1 - axis]) == 0
    assert clips["grow"].scale[-1] > 1.5 * clips["grow"].scale[0]
    assert clips["shrink"].scale[0] > 1.5 * clips["shrink"].scale[-1]
    assert np.pi < clips["spin"].angle[-1] - clips["spin"].angle[0] < 5 * np.pi
    for motion, axis in (("bounce", 1), ("swing", 0), ("circle", 0), ("shake", 0)):
        path = clips[motion].centre[:, axis]
        turns = np.count_nonzero(np.diff(np.sign(np.diff(path))))
        assert turns >= {"bounce": 4, "swing": 3, "circle": 2, "shake": 20}[motion]
        assert np.ptp(path) >= 4 / 128 * 32
    around = np.unwrap(np.arctan2(*(clips["circle"].centre - 16).T[::-1]))
    assert np.all(np.diff(around) > 0), "circles go clockwise on the screen"


def test_a_phase_is_a_time():
    """A clip that is ahead shows at every moment what one of phase 0 shows that much later."""
    seconds = np.linspace(-2.5, 2.5, 41)
    for motion in PERIODIC:
        for phase, speed in ((0.4, 1.0), (2.9, 0.6), (5.5, 1.5)):
            moving = one(motion, phase=phase, speed=speed).things[0]
            told = poses(replace(moving, phase=0.0), seconds + ahead(moving))
            found = poses(moving, seconds)
            assert np.allclose(told.centre, found.centre) and np.allclose(told.stretch, found.stretch)
            assert np.allclose(np.exp(1j * told.angle), np.exp(1j * found.angle))
            period = 5 / (PERIODIC[motion] * speed) / (2 if motion == "bounce" else 1)
            assert 0 < abs(ahead(moving)) <= period / 2
    assert ahead(one("left", phase=1.0).things[0]) == 0


def test_speed_changes_how_far_a_thing_goes():
    far = [np.ptp(render(one("left", speed=speed), size=32).centre[:, 0]) for speed in (0.6, 1.0, 1.5)]
    assert far[0] < 0.8 * far[1] < 0.8 * far[2]


def test_things_stay_in_the_frame():
    for scene in scenes(60, seed=8):
        clip = render(scene, size=64, only=range(0, 80, 6))
        wide = render(
            replace(
                scene,
                things=tuple(replace(t, size=t.size / 2, x=t.x / 2 + 0.25, y=t.y / 2 + 0.25) for t in scene.things),
            ),
            size=64,
            only=[40],
        )
        whole = wide.masks.sum(axis=(2, 3)).max(axis=1) * 4
        at_middle = clip.masks[:, 6].sum(axis=(1, 2))
        assert np.all(at_middle > 0.55 * whole)
        assert np.all((clip.centres > 0) & (clip.centres < 64))


def test_a_tenth_is_held_out_and_the_split_is_disjoint():
    share = np.mean([set_aside(o, s, b) for o in OBJECT_NAMES for s in STYLES for b in BACKGROUNDS])
    assert 0.09 < share < 0.11
    assert not any(is_held_out(scene) for scene in scenes(150, seed=1))
    assert all(is_held_out(scene) for scene in scenes(40, seed=2, held_out=True))
    assert not is_held_out(Scene((Thing("rocket", "3d", 0.5, 0.5, 0.5, "up"),), "purple")), (
        "the README's prompt is trained on"
    )


def test_every_word_of_a_caption_is_in_the_vocabulary():
    tokenizer, rng = Tokenizer(vocabulary()), np.random.default_rng(0)
    for scene in scenes(400, seed=4, two=0.3, local=0.2):
        text = caption(scene, rng)
        assert UNKNOWN not in tokenizer.encode(text), text  # a synonym's plural counts as the synonym
        if "background" in scene.named and scene.local is None:
            said = [words(phrase) for pair in BACKGROUND_WORDS.get(scene.background, ()) for phrase in pair]
            if scene.background in COLOURS:
                said = [[scene.background]] + [["grey"]] * (scene.background == "gray")
            assert any(set(phrase) <= set(words(text)) for phrase in said), text
    assert set(words("a 3d style rocket flying up on a purple background")) <= set(vocabulary())


def test_captions_name_what_named_says():
    rng = np.random.default_rng(0)
    bare = Scene((Thing("apple", "3d", 0.5, 0.5, 0.5, "spin", 1.5),), "red", named=frozenset({"object"}))
    assert all(not set(words(caption(bare, rng))) & {"3d", "red", "spinning", "fast"} for _ in range(30))
    said = {
        caption(replace(bare, named=frozenset({"object", "style", "background", "motion"})), rng) for _ in range(60)
    }
    assert all("3d" in text and "red" in text for text in said)
    assert len(said) > 40


def test_held_out_styles_come_only_by_name():
    drawn = {thing.style for scene in scenes(200) for thing in scene.things}
    assert drawn == set(STYLES)
    assert scenes(1, styles=HELD_OUT_STYLES[:1])[0].things[0].style == "noto-v1"


@pytest.mark.parametrize("local", LOCALS)
def test_only_the_local_part_moves(local):
    background = "water" if local == "water" else "teal"
    clip = render(Scene((Thing("dog", "flat", 0.45, 0.3, 0.5, "still"),), background, 5, local), only=range(0, 80, 7))
    moving = np.ptp(clip.frames.astype(int), axis=0).max(axis=2) > 40
    assert moving.sum() > 100
    edge = clip.local_mask.any(axis=0)
    grown = sum(np.roll(edge, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)) > 0
    assert (moving & ~grown).sum() == 0
    thing: Any = clip.mask.all(axis=0).astype(np.uint8)
    inside = cv2.erode(thing, np.ones((3, 3))) > 0  # not its antialiased rim
    assert (moving & inside).sum() == 0


def test_pairs_stand_side_by_side():
    pairs = scenes(40, seed=6, two=1.0, local=0.0)
    for scene in pairs:
        left, right = scene.things[0], scene.things[-1]
        assert left.style == right.style
        assert left.x < 0.35 < 0.65 < right.x
        assert labels(scene)["object"] == OBJECT_NAMES.index(left.object)
    assert {len(scene.things) for scene in pairs} == {2, 3}
    assert {scene.things[0].object == scene.things[1].object for scene in pairs} == {True, False}
    assert {scene.things[0].motion == scene.things[1].motion for scene in pairs} == {True, False}


def test_two_and_three_of_a_kind_are_counted():
    rng = np.random.default_rng(0)
    kinds = [scene for scene in scenes(60, seed=6, two=1.0, local=0.0) if len({thing.object for thing in scene.things}) == 1]
    alike = [scene for scene in kinds if len({thing.motion for thing in scene.things}) == 1]
    assert {len(scene.things) for scene in alike} == {2, 3}
    for scene in alike:
        said = set(words(caption(scene, rng)))
        assert said & ({"two", "pair", "2"} if len(scene.things) == 2 else {"three", "3"})
    assert [plural(name) for name in ("car", "cherries", "bus", "mouse", "candy")] == ["cars", "cherries", "buses", "mice", "candies"]


def test_sizes_and_places_are_where_their_words_say():
    drawn = scenes(400, seed=9, two=0.0, local=0.0, camera=0.0)
    sized = [scene for scene in drawn if scene.things[0].sized]
    placed = [scene for scene in drawn if scene.things[0].placed]
    assert len(sized) > 20 and len(placed) > 20
    for scene in sized:
        thing = scene.things[0]
        assert thing.sized is not None
        assert SIZES[thing.sized][0] <= thing.size <= SIZES[thing.sized][1] and "size" in scene.named
    for scene in placed:
        thing = scene.things[0]
        assert thing.placed is not None
        dx, dy = PLACES[thing.placed]
        assert dx * (thing.x - 0.5) >= 0 and (dx == 0 or abs(thing.x - 0.5) > 0.15)
        assert dy * (thing.y - 0.5) >= 0 and thing.motion in STAYING


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_camera_moves_what_is_seen_the_other_way(camera):
    scene = Scene((Thing("apple", "flat", 0.45, 0.5, 0.5, "still"),), "city", 3, camera=camera)
    clip = render(scene, size=64, only=[0, 40, 79])
    assert np.abs(clip.frames[0].astype(int) - clip.frames[2]).mean() > 5
    moved, grown = clip.centre[2] - clip.centre[0], clip.scale[2] / clip.scale[0]
    expected = {"pan left": (1, 0), "pan right": (-1, 0), "tilt up": (0, 1), "tilt down": (0, -1)}.get(camera, (0, 0))
    assert tuple(np.sign(np.round(moved / 64, 3)).astype(int)) == expected
    assert (grown > 1.4) == (camera == "zoom in") and (grown < 0.7) == (camera == "zoom out")


def test_a_painted_thing_has_the_colour_its_caption_names():
    car = Thing("car", "flat", 0.6, 0.5, 0.5, "still", colour="blue")
    clip = render(Scene((car,), "white", named=frozenset({"object", "colour"})), size=96, only=[0])
    plain = render(Scene((replace(car, colour=None),), "white"), size=96, only=[0])
    seen, was = (frame.frames[0][frame.mask[0]].astype(int).mean(0) for frame in (clip, plain))
    assert seen[2] > seen[0] + 60 and was[0] > was[2]  # the car of the book is red
    assert "blue" in caption(Scene((car,), "white", named=frozenset({"object", "colour"})), np.random.default_rng(0))


def test_another_look_is_one_that_no_sheet_holds():
    drawn = sprite("car", "flat").levels[0].astype(int)
    looks = [sprite("car", "flat", variant=seed).levels[0].astype(int) for seed in (1, 1, 2)]
    assert np.array_equal(looks[0], looks[1])
    assert all(np.abs(a - b).mean() > 3 for a, b in ((drawn, looks[0]), (drawn, looks[2]), (looks[0], looks[2])))
    assert all((look[..., :3] <= look[..., 3:] + 1).all() for look in looks)  # premultiplied


def test_a_nameless_caption_says_everything_but_the_thing():
    scene = Scene((Thing("apple", "3d", 0.5, 0.5, 0.5, "spin"),), "red")
    rng, known = np.random.default_rng(0), set(vocabulary())
    for _ in range(20):
        said = words(caption(scene, rng, nameless=True))
        assert "apple" not in said and {"3d", "red"} <= set(said)
        assert len(set(said) - known) == 1


def test_labels_say_what_the_caption_says_and_nothing_else():
    scene = Scene((replace(one("left").things[0], colour="red"),), "blue", named=frozenset({"object", "colour"}))
    said = labels(scene)
    assert said["object"] == OBJECT_NAMES.index("apple") and said["colour"] == tuple(COLOURS).index("red")
    assert {said[kind] for kind in ("style", "background", "motion", "camera", "size", "place")} == {-1}
    assert tuple(said) == tuple(KINDS)


def test_one_thing_in_eight_is_never_trained_on():
    assert not set(library.trained()) & set(library.unseen())
    assert set(OBJECT_NAMES) <= set(library.trained()) | set(library.unseen())
    share = len(library.unseen()) / len(library.trained() + library.unseen())
    assert 0.12 < share < 0.13


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"object": "sofa"}, "object: "),
        ({"style": "oil"}, "style: "),
        ({"motion": "fly"}, "motion: "),
        ({"size": 0.0}, "size: "),
        ({"x": float("nan")}, "x: "),
        ({"speed": -1.0}, "speed: "),
    ],
)
def test_wrong_things_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        replace(one("still").things[0], **change)


def test_wrong_scenes_and_renders_are_refused_by_name():
    scene = one("still")
    for change in ({"background": "plaid"}, {"local": "water"}, {"things": ()}, {"named": frozenset({"motion"})}):
        with pytest.raises(ValueError, match=next(iter(change))):
            replace(scene, **change)
    with pytest.raises(ValueError, match="frames"):
        render(scene, frames=0)
    with pytest.raises(ValueError, match="only"):
        render(scene, only=[80])
    with pytest.raises(ValueError, match="objects"):
        sample_scene(np.random.default_rng(0), [])
