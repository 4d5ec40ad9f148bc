"""What the trainers rest on: exact resume, masks of every task, the noise schedule, the sampler, the tokenizer."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stunet_core.mini.schedule import add_noise, alphas_bar, velocity
from stunet_core.mini.tokenizer import BEGIN, END, PAD, UNKNOWN, Tokenizer
from training.common.conditions import IMAGE_TASKS, VIDEO_TASKS, draw_tasks, keep_batch, keep_mask, model_input, shifted
from training.common.latents import cells
from training.common.run_state import Run, Schedule
from training.common.sampling import guided, sample
from training.stages.image import Batch, one_frame, weight_on_things
from training.stages.video import cut


def train(folder: Path, stops: list[int]) -> tuple[nn.Module, Run]:
    """A tiny run of 7 steps, stopped and resumed after each of `stops`."""
    for last in [*stops, 7]:
        torch.manual_seed(len(stops))  # another process starts with another state
        model = nn.Linear(3, 2)
        if not (folder / "state.pt").exists():
            torch.manual_seed(0)
            model = nn.Linear(3, 2)
        run = Run(folder, model, torch.optim.AdamW(model.parameters()), Schedule(7, 0.1, warmup=2, decay=3))
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
    assert run.step == again.step == 7
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
        if task == "none":
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


def told_by_number(clips: int, frames: int) -> Batch:
    """Clips whose every latent says which frame it is, and whose clocks go half as fast."""
    z = torch.arange(float(frames))[None, :, None, None, None].expand(clips, -1, 4, 2, 2)
    return Batch(z, torch.zeros(clips, 3, dtype=torch.long), np.zeros((clips, 2, frames, 2, 2), bool), np.zeros(clips, bool),
                 torch.arange(float(frames)).expand(clips, -1) / 2)


def test_cuts_and_single_frames_know_when_in_their_clip_they_are():
    rng = np.random.default_rng(7)
    z, things, times = cut(rng, told_by_number(30, 80), 4)
    cuts = z[:, 0, 0, 0].unflatten(0, (30, 4))
    assert things.shape == (30, 2, 4, 2, 2) and len(times.unique()) > 10
    assert torch.equal(cuts / 2, times) and torch.equal(cuts[:, 1:] - cuts[:, :-1], torch.ones(30, 3))
    frames, others = one_frame(rng, told_by_number(30, 80))
    assert torch.equal(frames.z[:, :, 0, 0, 0] / 2, frames.times)
    assert not torch.equal(others[:, 0, 0, 0], frames.z[:, 0, 0, 0, 0])


def test_cells_are_those_a_thing_covers():
    masks = np.zeros((1, 1, 32, 32), bool)
    masks[0, 0, 8:16, 8:20] = True
    found = cells(masks)
    assert found.shape == (2, 1, 4, 4) and found[0, 0].nonzero()[0].tolist() == [1, 1] and found.sum() == 2


def test_a_thing_counts_more_and_the_mean_stays_one():
    weight = weight_on_things(things(0)[None], 3.0)
    assert weight.shape == (3, 1, 16, 16) and abs(float(weight.mean()) - 1) < 1e-6
    assert torch.allclose(weight.max() / weight.min(), torch.tensor(3.0))


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
