"""No training: how far the clip model is from clips that it was not trained on, at the same draws and the same noise each time.

    python -m training.common.cache clips --count 12 --seed 909 --autoencoder weights/mini.safetensors --out runs/clips_test.pt
    python -m training.stages.held_out --data runs/clips_test.pt

Losses of a run's log depend far more on the steps and the tasks drawn than on the weights; these figures do not.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stunet_core.checkpoints.weights import load_skeleton as load_file
from stunet_core.mini.noise import TRAINED, clip_noise
from stunet_core.mini.schedule import alphas_bar
from stunet_core.model.precision import half

from ..common.batches import Batch, Shares, draw_batch, tokenised
from ..common.cache import Cache
from ..common.load import SHIPPED, load_mini, load_skeleton
from .video import Inflated

TASKS = ("none", "first", "prefix")
STEPS = (950, 600, 250)
ALL_SAID = Shares(wordless=0, wordless_given=0, timeless=0, pictureless=0, pictureless_given=0, draft=1, draft_hole=1, draft_whole=1,
                  draft_given=1)


def figures(wrong: Tensor, batch: Batch) -> dict[str, float]:
    """Mean squares of what is wrong with a clip's guess, b f 8 h w, on cells of things and on the others, where nothing is given; and of
    how it changes from frame to frame, halved: as large as the other if frames err on their own, 0 if they err alike."""
    free = (1 - batch.keep).expand_as(wrong)
    on = batch.on.expand_as(wrong)
    change = (wrong[:, 1:] - wrong[:, :-1]).square() / 2
    both = free[:, 1:] * free[:, :-1]

    def mean(what: Tensor, where: Tensor) -> float:
        return float((what * where).sum() / where.sum().clamp(min=1))

    return {"things": mean(wrong.square(), free * on), "ground": mean(wrong.square(), free * (1 - on)),
            "things' change": mean(change, both * on[:, 1:]), "ground's change": mean(change, both * (1 - on[:, 1:]))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, default=Path("weights/mini.safetensors"))
    parser.add_argument("--skeleton", type=Path, default=Path("weights/mini_stunet.safetensors"), help="or a video stage's state.pt")
    parser.add_argument("--data", type=Path, default=Path("runs/clips_test.pt"), help="clips of another seed than those trained on")
    parser.add_argument("--draws", type=int, default=6, help="clips for each task and step (default: %(default)s)")
    args = parser.parse_args()

    mini, cache = load_mini(args.image), Cache.load(args.data)
    skeleton = load_file(args.skeleton) if args.skeleton.suffix == SHIPPED else load_skeleton(args.skeleton, mini.unet)
    model = Inflated(mini, skeleton.float())
    ids, empty = tokenised(cache, mini.tokenizer, mini.config.text_tokens), mini.ids([""])[0]
    bars = alphas_bar()
    print(f"{'given':8} {'t':>4}  things  ground  change of what is wrong: things, ground")
    for task in TASKS:
        for t in STEPS:
            rows = []
            for k in range(args.draws):
                batch = draw_batch(np.random.default_rng([7, k]), cache, ids, empty, 1, cache.z.shape[1], {task: 1.0}, ALL_SAID)
                noise = clip_noise(1, batch.frames, batch.z.shape[2:], torch.Generator().manual_seed(k), shared=TRAINED)
                with torch.inference_mode(), half():
                    wrong = model.wrong(batch, torch.tensor([t]), noise, bars[t])
                rows.append(figures(wrong * (1 - bars[t]).sqrt(), batch))  # of v -> of the clean clip
            mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
            print(f"{task:8} {t:4}  " + "   ".join(f"{value:.4f}" for value in mean.values()), flush=True)


if __name__ == "__main__":
    main()
