"""Stage 4: the pose head alone, on captions and moments of clips that nobody has to draw: minutes for a million of each.

The image stage teaches it beside all else, on the few moments that are rendered. Here words stand still, and it learns how far a slow
rocket is after two seconds until it is right: what it guesses is where things are drawn (`stunet_core/mini/poses/draft.py`).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stunet_core.mini.frame_time import told
from stunet_core.mini.poses.pose_head import to_pose

from ..common.cache import WORDINGS
from ..common.data import FRAMES, poses_of, told_times, training_scene
from ..common.load import load_mini
from ..common.losses import pose_loss
from ..common.mini import Mini
from ..common.run_state import Run, Schedule, add_arguments
from ..world import caption

MOMENTS = 12   # of each scene's clip, in a step
TESTED = 2048  # scenes that the error is measured on


class PoseTrainer(nn.Module):
    """The image model, of which only the pose head learns."""

    def __init__(self, mini: Mini):
        super().__init__()
        self.mini = mini.requires_grad_(False)
        self.mini.pose_head.requires_grad_(True)

    def forward(self, ids: Tensor, times: Tensor) -> Tensor:
        """ids: b n; times: b m, in frames from the clip's middle -> guesses b m 3 6"""
        with torch.no_grad():
            _, words = self.mini.text(ids)
        moments = times.shape[1]
        return self.mini.pose_head(words.repeat_interleave(moments, dim=0), told(times.flatten())).unflatten(0, (-1, moments))


def draw(rng: np.random.Generator, mini: Mini, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Captions, moments and poses of `count` new scenes: ids b n, times b m, poses b m 3 5"""
    captions, times, poses = [], [], []
    for _ in range(count):
        scene, frames = training_scene(rng), rng.random(MOMENTS) * (FRAMES - 1)
        captions.append(caption(scene, rng, nameless=bool(rng.random() < 1 / WORDINGS)))
        times.append(told_times(scene, frames))
        poses.append(poses_of(scene, frames))
    return mini.ids(captions), torch.from_numpy(np.stack(times)).float(), torch.from_numpy(np.stack(poses))


def errors(trainer: PoseTrainer, seed: int) -> dict[str, float]:
    """Mean distance of the guessed centre in the frame, and the share by which the size is off, of scenes that were not trained on."""
    with torch.no_grad():
        ids, times, poses = draw(np.random.default_rng([seed, 1 << 30]), trainer.mini, TESTED)
        guess = to_pose(trainer(ids, times))
    there = poses[..., 4] > 0
    apart = (guess[..., :2] - poses[..., :2]).norm(dim=-1)[there]
    size = (guess[..., 2] - poses[..., 2]).abs()[there]
    return {"centre": round(float(apart.mean()), 4), "median": round(float(apart.median()), 4),
            "size": round(float(2 ** size.mean() - 1), 4), "count": round(float((guess[..., 4] > 0).eq(there).all(-1).float().mean()), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, "poses", steps=1500, learning_rate=1e-3, batch=256, batch_gpu=1024)
    parser.add_argument("--image", type=Path, default=Path("runs/image/state.pt"), help="stage 3, or any file with an image model")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    trainer = PoseTrainer(load_mini(args.image))
    mini = trainer.mini
    optimizer = torch.optim.AdamW(mini.pose_head.parameters(), args.lr, betas=(0.9, 0.99), weight_decay=0.0)
    run = Run(args.out, trainer, optimizer, Schedule(args.steps, args.lr, decay=args.decay or args.steps // 2), rows=args.batch,
              extra={"words": list(mini.tokenizer.words)}, ema_decay=0.99, save_minutes=args.minutes)
    if args.resume:
        run.resume()
    print(f"before: {errors(trainer, args.seed)}")
    while run.running:
        ids, times, poses = draw(run.rng(args.seed), mini, args.batch)
        loss = pose_loss(trainer(ids, times), poses)
        loss.backward()
        run.update(loss)
    run.save()
    run.ema.copy_to(trainer)
    print(f"after: {errors(trainer, args.seed)}")


if __name__ == "__main__":
    main()
