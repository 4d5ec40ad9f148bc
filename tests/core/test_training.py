"""What the trainers rest on: exact resume, Muon, masks of every task, batches, the noise schedule, the sampler, files of all kinds."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn

from stunet_core.mini.draft import FILLED, LENGTH, drafts
from stunet_core.mini.recolour import GROUND
from stunet_core.mini.schedule import add_noise, alphas_bar, velocity
from stunet_core.mini.tokenizer import BEGIN, END, PAD, UNKNOWN, Tokenizer
from tests.tiny import CONFIG, autoencoder
from training.common import lab
from training.common.batches import IMAGE_SHARES, VIDEO_SHARES, Batch, draw_batch, tokenised, told
from training.common.cache import Cache, covered, in_turn, shares
from training.common.conditions import IMAGE_TASKS, MEMORY, VIDEO_TASKS, draw_tasks, keep_batch, keep_mask, model_input, shifted
from training.common.data import picture, poses_of, told_times, training_scene
from training.common.load import image_of, load_mini
from training.common.losses import draw_timesteps, pose_loss
from training.common.mini import Mini, fill_grown
from training.common.muon import Muon, orthogonal
from training.common.run_state import Run, Schedule, add_arguments, read_state, start
from training.common.sampling import Asked, Told, guided, sample, sample_images
from training.stages import poses
from training.stages.export import export_image
from training.world import KINDS, OBJECT_NAMES, Scene, Thing, library, render, sprites, vocabulary
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


@pytest.mark.parametrize("task", sorted({**VIDEO_TASKS, **IMAGE_TASKS}))
def test_every_task_gives_what_its_name_says(task):
    rng = np.random.default_rng(0)
    for _ in range(20):
        keep = keep_mask(rng, task, 12, 16, 16)
        assert keep.shape == (12, 16, 16) and keep.dtype == bool
        share = keep.mean()
        if task in ("none", MEMORY):
            assert share == 0
        elif task == "all":
            assert share == 1
        elif task == "first":
            assert keep[0].all() and not keep[1:].any()
        elif task == "first_last":
            assert keep[[0, -1]].all() and not keep[1:-1].any()
        elif task == "keys":
            assert 2 <= keep.all((1, 2)).sum() <= 4 and (keep.all((1, 2)) == keep.any((1, 2))).all()
        elif task == "prefix":
            given = np.asarray(keep.all((1, 2)))
            assert 1 <= given.sum() <= 6 and given[: given.sum()].all() and not keep[given.sum():].any()
        elif task == "region":
            assert keep[0].all() and (keep[1:] == keep[1]).all() and not keep[1].all()
        else:
            assert 0 < share < 1 or task == "outpaint"


def things(at: int) -> np.ndarray:
    """One thing of 4 x 4 cells that moves right by a cell a frame -> 2 3 16 16, the second place empty."""
    out = np.zeros((2, 3, 16, 16), bool)
    for f in range(3):
        out[0, f, 6:10, at + f:at + f + 4] = True
    return out


def test_a_hole_on_a_thing_follows_it_and_covers_it():
    rng = np.random.default_rng(1)
    for _ in range(20):
        hole = ~keep_mask(rng, "thing", 3, 16, 16, things(3))
        assert (hole >= things(3)[0]).all() and hole.sum() <= 3 * 64
        assert not hole[0, :, 9:].any() and hole[2, :, 8].any()


def test_a_hole_without_a_word_leaves_the_things_in_sight():
    rng = np.random.default_rng(2)
    batch = keep_batch(rng, draw_tasks(rng, {"hole": 0.5, "thing": 0.5}, 40), 3, 16, 16,
                       things=np.stack([things(k % 8) for k in range(40)]), wordless=np.ones(40, bool))
    keep = batch.reshape(40, 3, 16, 16).bool().numpy()
    for k in range(40):
        assert keep[k][things(k % 8)[0]].all()
    assert not keep.all()


def made_up(scenes: int, frames: int) -> Cache:
    """A cache whose every latent says which frame it is, and whose frames are told times half as fast; one thing moves right."""
    z = torch.arange(float(frames))[None, :, None, None, None].expand(scenes, -1, 8, 16, 16).half()
    where = torch.zeros(scenes, 2, frames, 16, 16, dtype=torch.uint8)
    for f in range(frames):
        where[:, 0, f, 6:10, min(f, 12):min(f, 12) + 4] = 255
    poses = torch.zeros(scenes, frames, 3, 5)
    poses[:, :, 0] = torch.tensor([0.5, 0.5, -1.0, 0.0, 1.0])
    return Cache(z, [["a red rocket", "a rocket", "rocket", "zzz"]] * scenes, torch.arange(float(frames)).expand(scenes, -1) / 2, where,
                 torch.zeros(scenes, frames, 16, 16, dtype=torch.uint8), torch.zeros(scenes, len(KINDS), dtype=torch.long),
                 torch.randn(scenes, 2, *PICTURE).half(), torch.full((scenes, 2), 0.8), torch.tensor([1 + k % 2 for k in range(scenes)]),
                 poses)


def drawn(count: int, frames: int, tasks: dict[str, float], of: int = 80, seed: int = 0) -> Batch:
    cache, tokenizer = made_up(12, of), Tokenizer(["a", "red", "rocket"])
    ids = tokenised(cache, tokenizer, 8)
    options = IMAGE_SHARES if frames == 1 else VIDEO_SHARES
    return draw_batch(np.random.default_rng(seed), cache, ids, torch.tensor(tokenizer.pad([], 8)), count, frames, tasks, options)


def test_cuts_and_single_frames_know_when_in_their_clip_they_are():
    for frames in (1, 4):
        batch = drawn(200, frames, {"none": 1.0})
        number, known = batch.z[:, :, 0, 0, 0], ~batch.times.isnan()
        assert torch.equal((number / 2)[known], batch.times[known]) and len(number.unique()) > 40
        assert 0.8 < known.float().mean() < 0.96 and torch.equal(known.all(1), known.any(1))
        assert torch.equal(number - number[:, :1], torch.arange(float(frames)).expand(200, -1))


def test_where_something_is_given_no_time_is_told_and_drafts_stand_where_things_are():
    batch = drawn(400, 4, VIDEO_TASKS)
    given = batch.keep.amax((1, 2, 3, 4)) > 0
    assert torch.equal(batch.alone, ~given) and batch.times[given].isnan().all()
    assert not (batch.guessed & given).any() and not (batch.draft & batch.wordless).any()
    assert batch.draft[given].float().mean() < batch.draft[~given].float().mean()
    assert torch.equal(batch.given, batch.z * batch.keep)
    assert (batch.poses - batch.true).abs().max() < 0.6 and torch.equal(batch.poses[..., 4], batch.true[..., 4])
    assert not batch.shown[batch.wordless].any() and batch.shown[:, 0].sum() > batch.shown[:, 1].sum() > 0


def test_a_memory_gives_nothing_but_shows_another_frame():
    batch = drawn(60, 1, {MEMORY: 1.0})
    assert batch.keep.max() == 0 and not batch.alone.any() and batch.times.isnan().all()
    assert not torch.equal(batch.given, batch.z) and (batch.given > 0).any()
    single = drawn(60, 1, {MEMORY: 1.0}, of=1)
    assert torch.equal(single.given, single.z)  # the same everywhere, so moved it looks the same


def test_shares_of_cells_are_what_things_cover():
    masks = np.zeros((3, 1, 32, 32), bool)
    masks[0, 0, :16, :8], masks[2, 0, 16:, 16:] = True, True
    assert shares(masks[0]).tolist() == [[[128, 0], [0, 0]]]
    three = Scene(tuple(Thing("apple", "flat", 0.2, x, 0.5, "still") for x in (0.2, 0.5, 0.8)), "red")
    assert covered(three, masks).tolist() == [[[[128, 0], [0, 255]]], [[[0, 0], [0, 0]]]]
    assert covered(Scene(three.things[:1], "red"), masks[:1]).shape == (2, 1, 2, 2)


def test_a_thing_counts_more_and_the_mean_stays_one():
    batch = drawn(20, 4, {"none": 1.0})
    weight = batch.weight(3.0)
    assert weight.shape == (20, 4, 1, 16, 16) and abs(float(weight.mean()) - 1) < 1e-6
    assert torch.allclose(weight.max() / weight.min(), torch.tensor(3.0))


@pytest.mark.parametrize("motion", ["still", "spin", "swing", "left"])
def test_a_draft_at_the_true_pose_covers_the_thing(motion):
    """The world's poses, the picture and the draft agree: what training shows is where the thing is."""
    scene = Scene((Thing("car", "flat", 0.5, 0.45, 0.55, motion, phase=0.5),), "white")
    clip = render(scene, size=256, only=[10, 40, 70])
    shown = torch.tensor([[True, False]]).expand(3, -1)
    true = torch.from_numpy(shares(clip.masks[0])).float() / 255
    for rng in (None, np.random.default_rng(1)):
        made = picture(sprite("car", "flat").levels[0], rng)
        seen = torch.zeros(3, 2, *PICTURE)
        seen[:, 0, 8] = torch.from_numpy(made.coverage) * 2 - 1
        where = torch.from_numpy(poses_of(scene, np.array([10, 40, 70])))
        found = drafts(where, seen, shown, 16, 16, torch.full((3, 2), made.length))[:, 8]
        assert (found - true).abs().sum() < 0.3 * true.sum()


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


def test_a_new_word_or_channel_leaves_what_was_learned():
    torch.manual_seed(0)
    old, new = Mini(["red", "rocket"], CONFIG), Mini(["red", "rocket", "tiny"], CONFIG)
    weights = dict(old.state_dict())
    first = "unet.input_blocks.0.0.weight"
    weights[first] = weights[first][:, :19]
    assert set(fill_grown(new, weights)) == {first, "text.token_embedding.weight"}
    assert torch.equal(new.text.token_embedding.weight[:6], old.text.token_embedding.weight)
    assert not new.unet.state_dict()["input_blocks.0.0.weight"][:, 19:].any()
    with pytest.raises(ValueError, match="another model"):
        fill_grown(new, {"nothing": torch.zeros(1)})


def lab_names(mini: Mini) -> dict[str, torch.Tensor]:
    """The weights of a `Mini` under the trial's names."""
    there = {here: name for name, here in lab.PARTS.items()}
    out = {}
    for name, value in mini.state_dict().items():
        if name.startswith("unet."):
            out["net." + name.removeprefix("unet.").replace("label_emb.0.", "label_emb.")] = value
        elif not name.startswith("text."):
            part = max((part for part in there if name == part or name.startswith(part + ".")), key=len)
            out[there[part] + name.removeprefix(part)] = value
    return out


def test_the_trials_checkpoints_are_read(tmp_path):
    torch.manual_seed(0)
    mini = Mini(["red", "rocket"])
    text = dict(mini.text.state_dict())
    torch.save({"ema": lab_names(mini), "text_ema": text, "words": ["red", "rocket"], "step": 12}, tmp_path / "k.pt")
    found, steps = lab.from_lab(tmp_path / "k.pt")
    assert steps == 12
    for name, value in mini.state_dict().items():
        assert torch.equal(value, found.state_dict()[name]), name
    torch.save({"other": 1}, tmp_path / "no.pt")
    with pytest.raises(ValueError, match="is no checkpoint of the trial"):
        lab.from_lab(tmp_path / "no.pt")


def test_what_is_exported_is_what_was_trained(tmp_path):
    torch.manual_seed(0)
    mini = Mini(["red", "rocket"], CONFIG).eval()
    export_image(tmp_path / "mini.safetensors", mini, autoencoder(), torch.rand(4, 3, 64, 64) * 2 - 1, {"data": "made up"})
    found = load_mini(tmp_path / "mini.safetensors")
    assert found.tokenizer.words == mini.tokenizer.words
    for name, value in mini.state_dict().items():
        assert torch.allclose(value, found.state_dict()[name], atol=0.02, rtol=0.01), name


def test_no_more_rendered_clips_wait_than_memory_holds():
    class Fake:
        asked = 0

        def imap(self, task, items, chunksize):
            self.asked += len(items)
            return map(task, items)

    pool: Any = Fake()
    taken: list[Any] = []
    numbers: Any = int
    for number in in_turn(pool, numbers, 7, 3):
        taken.append(number)
        assert pool.asked - len(taken) < 3
    assert taken == list(range(7))


def test_the_image_model_of_a_run_is_found_with_the_pose_head_that_was_trained_last(tmp_path):
    torch.manual_seed(0)
    trainer = poses.PoseTrainer(Mini(["red", "rocket"]))
    words = {"words": list(trainer.mini.tokenizer.words)}
    for name in ("image", "poses"):
        with torch.no_grad():
            trainer.mini.pose_head.net[0].bias += 1
        Run(tmp_path / name, trainer, torch.optim.SGD(trainer.mini.pose_head.parameters(), 0.1), Schedule(1, 0.1), extra=words).save()
    found = load_mini(image_of(tmp_path))
    assert found.tokenizer.words == trainer.mini.tokenizer.words
    for name, value in trainer.mini.state_dict().items():
        assert torch.equal(value, found.state_dict()[name]), name


def test_the_pose_head_learns_alone_on_scenes_that_nobody_draws():
    torch.manual_seed(0)
    trainer = poses.PoseTrainer(Mini(vocabulary()))
    ids, times, where = poses.draw(np.random.default_rng(0), trainer.mini, 16)
    assert times.shape == (16, poses.MOMENTS) and where.shape == (16, poses.MOMENTS, 3, 5)
    optimizer = torch.optim.Adam([p for p in trainer.parameters() if p.requires_grad], 3e-3)
    losses = []
    for _ in range(30):
        losses.append(pose_loss(trainer(ids, times), where))
        losses[-1].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < 0.6 * losses[0]
    assert all(p.grad is None for name, p in trainer.named_parameters() if "pose_head" not in name)


def test_images_follow_from_the_seed_and_what_is_told():
    torch.manual_seed(0)
    mini = Mini(["red", "rocket"], CONFIG).eval()
    for p in mini.unet.parameters():
        p.data += 0.02 * torch.randn_like(p)
    prompt = Told(mini.ids(["red rocket"]), torch.randn(1, 2, *PICTURE), torch.tensor([[True, False]]))
    asked = Asked(steps=2, size=(4, 6))
    first = sample_images(mini, prompt, asked)
    assert first.shape == (1, 8, 4, 6) and torch.isfinite(first).all()
    assert torch.equal(first, sample_images(mini, prompt, asked))
    unseen = Told(prompt.ids, prompt.pictures, torch.zeros(1, 2, dtype=torch.bool))
    assert not torch.allclose(first, sample_images(mini, unseen, asked))


def test_what_a_batch_tells_reaches_the_model():
    torch.manual_seed(0)
    mini = Mini(["a", "red", "rocket"], CONFIG).eval()
    batch = drawn(6, 4, VIDEO_TASKS, seed=3)
    context, pooled, draft, guess, words = told(mini, batch, guesses=True)
    assert context.shape == (6, 8 + 2 * mini.pictures.tokens, CONFIG.context_dim) and pooled.shape == words.shape == (6, CONFIG.pooled_dim)
    assert draft.shape == (6, 4, 18, 16, 16) and guess.shape == (6, 4, 3, 6)
    assert not draft[~batch.draft].any()


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
