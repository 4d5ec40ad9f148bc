"""Batches of the trainers: what each task gives, what is told, and what counts."""

import numpy as np
import pytest
import torch

from stunet_core.mini.tokenizer import Tokenizer
from tests.tiny import CONFIG
from training.common.batches import IMAGE_SHARES, VIDEO_SHARES, Batch, draw_batch, tokenised, told
from training.common.cache import Cache, covered, shares
from training.common.conditions import IMAGE_TASKS, MEMORY, VIDEO_TASKS, draw_tasks, keep_batch, keep_mask
from training.common.mini import Mini
from training.world import KINDS, Scene, Thing

PICTURE = CONFIG.picture_shape


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
                 torch.randn(scenes, 2, *PICTURE).half(), torch.tensor([1 + k % 2 for k in range(scenes)]), poses,
                 torch.ones(scenes, frames, 18, 16, 16).half())


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
    draft = batch.drafts.flatten(1).any(dim=1)
    assert torch.equal(draft, batch.drafts.flatten(1).all(dim=1)) and not (draft & batch.wordless).any()
    assert batch.drafts[given].mean() < batch.drafts[~given].mean()
    assert torch.equal(batch.given, batch.z * batch.keep)
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


def test_what_a_batch_tells_reaches_the_model():
    torch.manual_seed(0)
    mini = Mini(["a", "red", "rocket"], CONFIG).eval()
    batch = drawn(6, 4, VIDEO_TASKS, seed=3)
    context, pooled, guess, words = told(mini, batch)
    assert context.shape == (6, 8 + 2 * mini.pictures.tokens, CONFIG.context_dim) and pooled.shape == words.shape == (6, CONFIG.pooled_dim)
    assert guess.shape == (6, 4, 3, 6)


def test_of_a_thing_of_whole_given_frames_and_of_holes_drafts_are_shown_more_often_than_of_parts():
    shown = {task: float(drawn(300, 4, {task: 1.0}).drafts.mean()) for task in ("first", "hole", "outpaint", "none")}
    assert shown["none"] > shown["first"] > shown["outpaint"] < shown["hole"]
