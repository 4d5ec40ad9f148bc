"""The figures count what captions name, and nothing else; the judges' files are checked on reading."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from training.judges.each_alone import each_alone, middles
from training.judges.evaluate import evaluate_clips, evaluate_images, flicker, speed_error
from training.judges.judges import Judges, Verdict, new_judges, shrink_clip
from training.judges.kinematics import Track
from training.world import BACKGROUNDS, MOTIONS, OBJECT_NAMES, STYLES, Scene, Thing, render

TRAINED = OBJECT_NAMES[:64]


class Oracle(Judges):
    """Judges that see what they are told: frames carry their scene's number in the first pixel."""

    def __init__(self, scenes: list[Scene]):
        fresh = new_judges(TRAINED)
        super().__init__(fresh.frame, fresh.motion, fresh.objects)
        self.scenes = scenes

    def look(self, frames):
        told = [self.scenes[int(frame[0, 0, 0])] for frame in frames]
        objects = np.stack([sum(np.eye(64)[TRAINED.index(thing.object)] for thing in scene.things) for scene in told])
        style = np.stack([np.eye(4)[STYLES.index(scene.things[0].style)] for scene in told])
        background = np.stack([np.eye(len(BACKGROUNDS))[BACKGROUNDS.index(scene.background)] for scene in told])
        return Verdict(objects, style, background, np.zeros((len(told), 32, 32)))

    def motions(self, clips):
        told = [self.scenes[int(clip[0, 0, 0, 0])] for clip in clips]
        return np.stack([np.eye(12)[MOTIONS.index(scene.things[0].motion)] for scene in told])


def scene(name="apple", style="flat", background="red", motion="up", named="") -> Scene:
    said = frozenset({"object", *named.split()})
    return Scene((Thing(name, style, 0.5, 0.5, 0.5, motion),), background, named=said)


def pictures(numbers: list[int]) -> np.ndarray:
    return np.stack([np.full((16, 16, 3), number, np.uint8) for number in numbers])


def test_only_what_is_named_is_scored():
    shown = scene("dog", "3d", "blue")
    asked = [scene("dog", "flat", "red"), scene("apple", "3d", "blue", named="style background")]
    figures = evaluate_images(pictures([0, 0]), asked, Oracle([shown]))
    assert figures == {"object": 0.5, "object_single": 0.5, "style": 1.0, "background": 1.0}


def test_a_pair_needs_both_of_its_things():
    left, right = scene("apple").things[0], scene("dog").things[0]
    pair = Scene((left, right), "red")
    wrong = replace(pair, things=(left, replace(right, object="fox")))
    shown = pictures([0, 0])
    shown[:, :, 8:] = 1  # the left half shows the apple, the right one the dog
    figures = evaluate_images(shown, [pair, wrong], Oracle([scene("apple"), scene("dog")]))
    assert figures["object_pair"] == figures["object"] == 0.5
    assert "object_single" not in figures


def test_clips_are_scored_on_motion_and_on_holding_the_object():
    shown = [scene("dog", motion="up"), scene("fox", motion="spin")]
    steady, changing = pictures([0] * 80), pictures([0] * 79 + [1])
    asked = [scene("dog", motion="up", named="motion"), scene("dog", motion="down", named="motion")]
    figures = evaluate_clips([steady, changing], asked, Oracle(shown))
    assert figures["motion"] == 0.5
    assert figures["object_held"] == 0.5
    assert figures["object"] == 1.0
    assert 0.9 < figures["steady"] < 1.0


def test_flicker_is_held_against_the_rendered_scene():
    asked = scene("dog", motion="left")
    true = render(asked, frames=6, size=64).frames
    boiling = true.astype(int) + np.random.default_rng(0).integers(-40, 41, true.shape)
    assert flicker([true], [asked]) == 1
    found = flicker(boiling.clip(0, 255).astype(np.uint8)[None], [asked])
    assert found is not None and found > 3


def test_wrong_inputs_are_refused_by_name():
    judges = Oracle([scene()])
    with pytest.raises(ValueError, match="scenes"):
        evaluate_images(pictures([0, 0]), [scene()], judges)
    with pytest.raises(ValueError, match="do not know lion"):
        evaluate_images(pictures([0]), [scene("lion")], judges)
    with pytest.raises(ValueError, match="frames"):
        new_judges(TRAINED).look(np.zeros((2, 16, 16, 3), np.float32))
    with pytest.raises(ValueError, match="clip"):
        shrink_clip(np.zeros((16, 16, 3), np.uint8))


def test_each_thing_of_a_pair_is_looked_at_alone():
    frame = np.full((64, 64, 3), 200, np.uint8)
    frame[24:40, 8:24], frame[30:46, 44:56] = (255, 0, 0), (0, 0, 255)
    mask = (frame[::2, ::2] != 200).any(axis=2).astype(np.float32)
    (left, right), alone = middles(mask), each_alone(frame, mask)
    assert left == pytest.approx((16 / 64, 32 / 64)) and right == pytest.approx((50 / 64, 38 / 64))
    red, blue = ((alone == colour).all(axis=3).sum(axis=(1, 2)) for colour in ((255, 0, 0), (0, 0, 255)))
    assert red[0] > 1.5 * 256 and blue[1] > 1.5 * 192  # both larger than they were
    assert red[1] == blue[0] == 0
    assert middles(np.zeros((32, 32))) == ((0.25, 0.5), (0.75, 0.5))
    assert middles(np.eye(32)[:1]) == ((1 / 64, 0.5), (1 / 64, 0.5))  # one place only: both are there


def test_clips_of_any_length_are_shrunk_alike():
    clip = render(scene(motion="left"), size=64).frames
    assert shrink_clip(clip).shape == shrink_clip(clip[:7]).shape == (40, 32, 32, 3)
    small = render(scene(motion="left"), size=32, only=[6]).frames[0]
    assert np.abs(shrink_clip(clip)[3].astype(float) - small).mean() < 3


def test_judges_come_back_from_their_file(tmp_path):
    torch.manual_seed(0)
    judges = new_judges(TRAINED[:5])
    judges.accuracy = {"object": 0.5}
    judges.save(tmp_path / "judges.safetensors")
    again = Judges.load(tmp_path / "judges.safetensors")
    frames = pictures([3, 200])
    assert again.objects == TRAINED[:5]
    assert again.accuracy == judges.accuracy
    assert np.abs(again.look(frames).object - judges.look(frames).object).max() < 0.05
    assert (tmp_path / "judges.safetensors").stat().st_size < 6e6


def test_other_files_are_not_taken_for_judges(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"training\.judges\.train"):
        Judges.load(tmp_path / "none.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\0\0\0")
    save_file({"weight": torch.zeros(2)}, str(tmp_path / "other.safetensors"))
    for name in ("cut", "other"):
        with pytest.raises(ValueError, match=f"{name}.safetensors holds no judges"):
            Judges.load(tmp_path / f"{name}.safetensors")


def test_the_shipped_judges_are_good_enough_to_judge_with():
    """Their own accuracy on rendered scenes of held-out combinations, measured when they were trained."""
    accuracy = Judges.load().accuracy
    for name in ("object_single", "style", "background", "motion"):
        assert accuracy[name] > 0.97, name


def test_the_shipped_judges_still_see_what_they_were_scored_on():
    judges = Judges.load()
    scenes = [Scene((Thing(name, style, 0.6, 0.5, 0.5, "still"),), "blue") for name in TRAINED[:12] for style in STYLES]
    frames = np.concatenate([render(scene, only=[0]).frames for scene in scenes])
    seen = judges.look(frames).object.argmax(1)
    right = sum(judges.objects[int(found)] == scene.things[0].object for found, scene in zip(seen, scenes, strict=True))
    assert right >= 0.9 * len(scenes)


def test_the_speed_a_caption_tells_is_held_against_the_path():
    class Follower(Oracle):
        def follow(self, frames):
            clip = render(self.scenes[int(frames[0, 0, 0, 0])], size=64)
            return Track(clip.centre / 64, clip.mask.mean((1, 2)))

    told = [scene("dog", motion="left", named="motion"), scene("dog", motion="right", named="motion")]
    judges = Follower(told)
    clips = [pictures([0] * 80), pictures([0] * 80)]
    right, wrong = speed_error(clips[:1], told[:1], judges), speed_error(clips[1:], told[1:], judges)
    assert right is not None and right < 0.05
    assert wrong is not None and wrong > 1.5
    assert speed_error(clips[:1], [scene("dog", motion="left")], judges) is None
