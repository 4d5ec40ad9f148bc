"""What the trainers rest on: exact resume, Muon, the noise schedule, the sampler, the pose head alone, words."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn

from stunet_core.mini.poses.draft import painted
from stunet_core.mini.poses.drawing import FILLED, LENGTH, decoded
from stunet_core.mini.recolour import GROUND
from stunet_core.mini.schedule import add_noise, alphas_bar, velocity
from stunet_core.mini.tokenizer import BEGIN, END, PAD, UNKNOWN, Tokenizer
from tests import tiny
from tests.tiny import CONFIG
from training.common.cache import shares
from training.common.conditions import keep_batch, keep_mask, model_input, shifted
from training.common.data import book_drawing, picture, poses_of, to_tensor, told_times, training_scene
from training.common.losses import draw_timesteps, pose_loss
from training.common.mini import Mini
from training.common.muon import Muon, orthogonal
from training.common.run_state import Run, Schedule, add_arguments, read_state, start
from training.common.sampling import Asked, Told, guided, sample, sample_images
from training.world import OBJECT_NAMES, Scene, Thing, library, render, sprites
from training.world.sprites import sprite

PICTURE = CONFIG.picture_shape


def train(folder: Path, stops: list[int]) -> tuple[nn.Module, Run]:
    """A tiny run of 7 steps, stopped and resumed after each of `stops`."""
    for last in [*stops, 7]:
        torch.manual_seed(len(stops))  # another process starts with another state
        model = nn.Linear(3, 2)
        if not (folder / "state.pt").exists():
            torch.manual_seed(0)
            model = nn.Linear(3, 2)
        groups = [{"params": [model.weight], "muon": True}, {"params": [model.bias], "scale": 0.5}]
        run = Run(folder, model, Muon(groups, 0.1), Schedule(7, 0.1, warmup=2, decay=3), rows=4)
        run.resume()
        while run.step < last:
            rng = run.rng(5)
            x = torch.from_numpy(rng.standard_normal((4, 3), dtype=np.float32))
            loss = (model(x) + torch.randn(4, 2) - 1).square().mean()
            loss.backward()
            run.update(loss)
        run.save()
    return model, run


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    whole, run = train(tmp_path / "whole", [])
    parts, again = train(tmp_path / "parts", [2, 5])
    assert run.step == again.step == 7 and run.samples == again.samples == 28
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(a, b)
    for name, value in run.ema.shadow.items():
        assert torch.equal(value, again.ema.shadow[name])


def test_the_learning_rate_rises_holds_and_falls_to_zero():
    schedule = Schedule(100, 1.0, warmup=10, decay=20)
    assert [round(schedule.at(s), 3) for s in (0, 9, 50, 80, 90, 100)] == [0.1, 1.0, 1.0, 1.0, 0.5, 0.0]
    with pytest.raises(ValueError, match="learning_rate=0"):
        Schedule(10, 0.0)


@pytest.mark.parametrize("motion", ["still", "spin", "swing", "left"])
def test_a_draft_at_the_true_pose_covers_the_thing(motion):
    """The world's poses, the picture and the draft agree: what training shows is where the thing is."""
    scene = Scene((Thing("car", "flat", 0.5, 0.45, 0.55, motion, phase=0.5),), "white")
    clip, cell = render(scene, size=256, only=[10, 40, 70]), sprite("car", "flat").levels[0]
    true, shown = shares(clip.masks[0]).astype(float) / 255, picture(cell)
    seen = torch.cat([torch.zeros(8, *PICTURE[1:]), torch.from_numpy(shown.coverage)[None] * 2 - 1])
    for thing in (book_drawing(cell), decoded(seen, lambda latents: to_tensor(shown.pixels[None]))):
        drawn = painted(poses_of(scene, np.array([10, 40, 70]))[:, :1], thing, 256, 256)
        found = shares(drawn[..., 3] > 127).astype(float) / 255
        assert np.abs(found - true).sum() < 0.06 * true.sum()


def test_pictures_of_the_book_are_as_drafts_take_them():
    assert sprites.BOX / sprites.CELL == FILLED
    cell = sprite("car", "flat").levels[0]
    made, jittered = picture(cell), picture(cell, np.random.default_rng(0))
    assert made.length == LENGTH and jittered.length != LENGTH
    assert made.pixels.shape == (192, 192, 3) and made.coverage.shape == PICTURE[1:] and (made.pixels[0] == GROUND).all()


def test_poses_count_things_from_the_left():
    scene = Scene(tuple(Thing("apple", "flat", 0.25, x, 0.5, "still") for x in (0.2, 0.8)), "blue")
    where = poses_of(scene, np.array([0, 5]))
    assert where.shape == (2, 3, 5) and where[0, :, 4].tolist() == [1, 1, 0]
    assert np.allclose(where[:, :2, 0], [0.2, 0.8]) and np.allclose(where[:, :2, 2], -2)


def test_training_scenes_leave_out_what_is_never_seen():
    rng = np.random.default_rng(0)
    names = {thing.object for _ in range(200) for thing in training_scene(rng).things}
    assert not names & set(library.unseen()) and names & set(OBJECT_NAMES)


def test_a_phase_is_told_as_a_time():
    still = Scene((Thing("apple", "flat", 0.4, 0.5, 0.5, "left", speed=1.5),), "blue")
    assert told_times(still, np.array([0, 79])).tolist() == [-39.5, 39.5]
    assert told_times(Scene((Thing("apple", "flat", 0.4, 0.5, 0.5, "spin", phase=0.5),), "blue"), np.array([39.5]))[0] > 0


def test_muon_makes_updates_orthogonal_whatever_the_gradient():
    torch.manual_seed(0)
    for shape in ((3, 8, 24), (3, 24, 8)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape) * torch.tensor([1e-3, 1, 50])[:, None, None]).float())
        assert values.min() > 0.5 and values.max() < 1.4


def test_muon_learns_and_leaves_vectors_to_adam():
    torch.manual_seed(0)
    target, layer = nn.Linear(12, 6), nn.Linear(12, 6)
    optimizer = Muon([{"params": [layer.weight], "muon": True}, {"params": [layer.bias]}], 0.02, weight_decay=0.0)
    x = torch.randn(64, 12)
    losses = []
    for _ in range(150):
        loss = (layer(x) - target(x)).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.02 * losses[0]
    assert set(optimizer.state[layer.weight]) == {"momentum"} and set(optimizer.state[layer.bias]) == {"mean", "square", "steps"}


def test_the_pose_loss_is_least_at_the_truth():
    true = torch.tensor([[[0.3, 0.6, -1.0, 0.5, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]]])
    x, y, size, angle, there = true.unbind(-1)
    right = torch.stack([x, y, size, angle.sin(), angle.cos(), there * 40 - 20], dim=-1)
    assert pose_loss(right, true) < 1e-6
    for k in range(5):
        wrong = right.clone()
        wrong[0, 0, k] += 0.3
        assert pose_loss(wrong, true) > 0.01
    assert pose_loss(right * 0 + right[:, :1], true) > 0.5  # all three are said to be there


def test_noisy_steps_come_more_often():
    t = draw_timesteps(np.random.default_rng(0), 4000)
    assert t.min() >= 0 and t.max() <= 999 and (t > 500).float().mean() > 0.65


def test_images_follow_from_the_seed_and_what_is_told():
    torch.manual_seed(0)
    mini, autoencoder = Mini(["red", "rocket"], CONFIG).eval(), tiny.autoencoder()
    for p in mini.unet.parameters():
        p.data += 0.02 * torch.randn_like(p)
    prompt = Told(mini.ids(["red rocket"]), torch.randn(1, 2, *PICTURE), torch.tensor([[True, False]]))
    asked = Asked(steps=2, size=(4, 6))
    first = sample_images(mini, autoencoder, prompt, asked)
    assert first.shape == (1, 8, 4, 6) and torch.isfinite(first).all()
    assert torch.equal(first, sample_images(mini, autoencoder, prompt, asked))
    unseen = Told(prompt.ids, prompt.pictures, torch.zeros(1, 2, dtype=torch.bool))
    assert not torch.allclose(first, sample_images(mini, autoencoder, unseen, asked))


def options(folder: Path, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser, "text", steps=40, learning_rate=0.1, batch=4, batch_gpu=4)
    return parser.parse_args(["--out", str(folder), *arguments])


def test_a_decay_can_be_begun_by_hand(tmp_path):
    model, accelerator = nn.Linear(2, 2), Accelerator(cpu=True)
    optimizer = torch.optim.AdamW(model.parameters())
    run = start(options(tmp_path), accelerator, model, optimizer)
    assert run.schedule.steps == 40 and run.schedule.decay == 10
    for _ in range(5):
        loss = model(torch.ones(1, 2)).square().sum()
        loss.backward()
        run.update(loss, log_every=2)
    run.save()
    assert [line["step"] for line in run.log] == [2, 4] and "loss" in run.log[0]
    again = start(options(tmp_path, "--resume", "--decay", "6"), accelerator, model, optimizer)
    assert (again.schedule.steps, again.schedule.decay, again.schedule.left(5)) == (11, 6, 1.0) and again.schedule.left(8) == 0.5
    again.update(100 * run.log[0]["loss"] * torch.ones(()), log_every=1)
    again.save()
    assert start(options(tmp_path, "--resume"), accelerator, model, optimizer).schedule == again.schedule
    with pytest.raises(SystemExit, match="no checkpoint"):
        start(options(tmp_path / "none", "--resume"), accelerator, model, optimizer)
    with pytest.raises(FileNotFoundError, match="train that stage first"):
        read_state(tmp_path / "none.pt")


def test_an_unknown_task_is_named():
    with pytest.raises(ValueError, match="task: 'fly' is unknown"):
        keep_mask(np.random.default_rng(0), "fly", 2, 4, 4)


def test_mask_polarity_one_is_generate_for_the_model_and_given_pixels_are_seen_only_where_kept():
    clean, noisy = torch.full((2, 4, 4, 4), 7.0), torch.zeros(2, 4, 4, 4)
    keep = keep_batch(np.random.default_rng(3), ["hole"], 2, 4, 4)
    x = model_input(noisy, clean, keep)
    assert x.shape == (2, 9, 4, 4)
    assert torch.equal(x[:, 4:5], 1 - keep)
    assert torch.equal(x[:, 5:], 7 * keep.expand(-1, 4, -1, -1))
    remembered = model_input(noisy, clean, keep, torch.full_like(clean, 3.0))
    assert torch.equal(remembered[:, 5:], (3 + 4 * keep).expand(-1, 4, -1, -1))


def test_a_memory_is_the_picture_moved_with_its_border_repeated():
    z = torch.arange(5 * 8 * 8.0).reshape(5, 1, 8, 8).expand(-1, 2, -1, -1)
    moved = shifted(z, np.random.default_rng(5), cells=3)
    assert not torch.equal(moved, z)
    for there, here in zip(moved[:, 0], z[:, 0], strict=True):
        y, x = int(there[4, 4] - here[0, 0]) // 8 - 4, int(there[4, 4] - here[0, 0]) % 8 - 4
        assert abs(y) <= 3 and abs(x) <= 3
        rows, columns = (torch.arange(8) + y).clamp(0, 7), (torch.arange(8) + x).clamp(0, 7)
        assert torch.equal(there, here[rows][:, columns])


def test_the_schedule_falls_from_almost_one_to_zero_signal():
    bars = alphas_bar()
    assert bars.shape == (1000,) and (bars.diff() < 0).all()
    assert bars[0] > 0.999 and bars[-1] < 1e-7


def test_velocity_and_noise_give_the_clean_signal_back():
    x, noise, bar = torch.randn(3, 4), torch.randn(3, 4), torch.tensor([[0.9], [0.4], [0.01]])
    noisy, v = add_noise(x, noise, bar), velocity(x, noise, bar)
    assert torch.allclose(bar.sqrt() * noisy - (1 - bar).sqrt() * v, x, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 5, 24])
def test_the_sampler_finds_what_a_perfect_model_knows(steps):
    target, bars = torch.randn(2, 4, 3, 3), alphas_bar()

    def perfect(x, t):
        bar = bars[t][:, None, None, None]
        eps = (x - bar.sqrt() * target) / (1 - bar).sqrt()
        return velocity(target, eps, bar)

    assert (sample(perfect, torch.randn_like(target), steps) - target).abs().max() < 1e-2
    twice = guided(perfect, perfect, 4.0)
    assert (sample(twice, torch.randn_like(target), steps) - target).abs().max() < 5e-2


def test_unknown_words_are_pieces_or_unknown_and_nothing_fails():
    tokenizer = Tokenizer(["rocket", "red", "on"])
    rocket, red, on = 4, 5, 6
    assert tokenizer.encode("Red ROCKET, on!") == [red, rocket, on]
    assert tokenizer.encode("rockets") == [rocket]
    assert tokenizer.encode("zebra ") == [UNKNOWN]
    assert not tokenizer.knows(tokenizer.encode("zebra quagga")) and tokenizer.knows([UNKNOWN, red])
    assert tokenizer.pad([red], 5) == [BEGIN, red, END, PAD, PAD]
    assert len(tokenizer.pad([red] * 50, 8)) == 8
    with pytest.raises(ValueError, match="twice"):
        Tokenizer(["a", "a"])
