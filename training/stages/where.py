"""Stage 2b: where a caption's things are at which time, for the clock (`stunet_core.mini.clock`): the image stage reads it, frozen.

Some scenes are rendered first, of which the masks alone are used. The clock of a periodic motion is as far ahead as its phase,
and runs as its speed does (`data.told_times`), so that words and time say where a thing is; sampled clips hear a plain clock.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from einops import rearrange
from torch import Tensor

from stunet_core.mini.clock import PLACES, Clock, clock

from ..common.data import FRAMES, MODEL, SIZE, first_objects, told_times
from ..common.latents import load_text
from ..common.run_state import Run, Schedule, averaged
from ..world import MOTIONS, caption, render, sample_scene

NO_TEXT = 0.12
WORDINGS = 3  # captions per scene
TURNING = (*MOTIONS, "spin", "spin", "circle", "circle", "bounce", "swing")  # the more there is to learn of a motion, the more of it


@dataclass(frozen=True)
class Seen:
    """y: n WORDINGS p, pooled text; times: n t, told, in frames; covered: n t PLACES PLACES, how much of each place things cover."""

    y: Tensor
    times: Tensor
    covered: Tensor


def new_clock() -> Clock:
    """The embedded model's clock"""
    return Clock(MODEL.pooled_dim, 4 * MODEL.model_channels)


def load_where(clock: Clock, path: Path) -> None:
    """Into `clock`: what this stage's run at `path` learned."""
    weights = averaged(path)
    clock.where.load_state_dict({name.removeprefix("where."): value for name, value in weights.items() if name.startswith("where.")})


@torch.inference_mode()
def look(rng: np.random.Generator, scenes: int, times: int, objects: tuple[str, ...]) -> Seen:
    """Render `times` frames of each of `scenes`, and read their captions."""
    text, tokenizer = load_text()
    y, told, covered = [], [], []
    for n in range(scenes):
        scene = sample_scene(rng, objects, motions=TURNING)
        frames = rng.choice(FRAMES, times, replace=False)
        masks = render(scene, only=[int(f) for f in frames], size=SIZE).masks.any(axis=0)  # f h w
        ids = [tokenizer.pad(tokenizer.encode(caption(scene, rng)), MODEL.text_tokens) for _ in range(WORDINGS)]
        y.append(text(torch.tensor(ids))[1])
        told.append(torch.from_numpy(told_times(scene, frames)).float())
        covered.append(torch.from_numpy(rearrange(masks, "f (h a) (w b) -> f h w (a b)", h=PLACES, w=PLACES).mean(-1)).half())
        if n % 2000 == 0:
            print(f"scenes: {n} of {scenes}", flush=True)
    return Seen(torch.stack(y), torch.stack(told), torch.stack(covered))


def pick(rng: np.random.Generator, seen: Seen, empty: Tensor, batch: int) -> tuple[Tensor, Tensor, Tensor]:
    """Single frames -> pooled text n p, of the empty caption in NO_TEXT of them; times n; covered n PLACES PLACES"""
    scene, time, wording = (torch.from_numpy(rng.integers(0, end, batch)) for end in (*seen.times.shape, WORDINGS))
    wordless = torch.from_numpy(rng.random(batch) < NO_TEXT)[:, None]
    return torch.where(wordless, empty, seen.y[scene, wording]), seen.times[scene, time], seen.covered[scene, time].float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--decay", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=256, help="single frames")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--scenes", type=int, default=24000, help="rendered before the first step")
    parser.add_argument("--times", type=int, default=8, help="frames of each scene")
    parser.add_argument("--objects", type=int, default=64, help="how many of the world's objects to learn")
    parser.add_argument("--out", type=Path, default=Path("runs/where"))
    args = parser.parse_args()

    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    torch.manual_seed(args.seed)
    seen = look(np.random.default_rng(args.seed), args.scenes, args.times, first_objects(args.objects))
    text, tokenizer = load_text()
    empty = text(torch.tensor([tokenizer.pad([], MODEL.text_tokens)]))[1].detach()  # 1 p
    model = new_clock()
    model.requires_grad_(False).where.requires_grad_(True)
    optimizer = torch.optim.AdamW(model.where.parameters(), args.lr, weight_decay=0.01)
    run = Run(args.out, model, optimizer, Schedule(args.steps, args.lr, decay=args.decay), main=accelerator.is_main_process)
    if args.resume:
        run.resume()
    prepared, optimizer = accelerator.prepare(model, optimizer)
    while run.running:
        y, times, covered = pick(run.rng(args.seed), seen, empty, args.batch)
        loss = F.binary_cross_entropy_with_logits(prepared.places(clock(times), y)[:, 0], covered)
        accelerator.backward(loss)
        run.update(loss, log_every=500)
    run.save()


if __name__ == "__main__":
    main()
