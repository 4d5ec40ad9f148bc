"""Checkpoints of the stages: what a stage leaves is what the next one reads, and what is exported is what was trained."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.tiny import CONFIG, autoencoder
from training.common import lab
from training.common.cache import in_turn
from training.common.load import image_of, load_mini
from training.common.losses import pose_loss
from training.common.mini import Mini, fill_grown
from training.common.run_state import Run, Schedule
from training.stages import poses
from training.stages.export import export_image
from training.world import vocabulary

PICTURE = CONFIG.picture_shape


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
