"""Stage 4: the temporal skeleton, on clips, with the spatial U-Net frozen (Lumiere, 2401.12945, sec. 3.1).

All tasks are mixed from the start. Each step sees whole clips or cuts of them (`--frames`). A clip made of words alone hears a clock
(`mini.clock`), and its cuts hear when they are. Very short cuts, of many more clips, teach where a caption's motion is at a time.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from stunet_core.mini.clock import drawn, evenly
from stunet_core.mini.host import forward_clip
from stunet_core.mini.schedule import TIMESTEPS, add_noise, alphas_bar, velocity
from stunet_core.mini.text import TextEncoder
from stunet_core.mini.tokenizer import Tokenizer
from stunet_core.mini.unet import UNet
from stunet_core.model.layout import read_layout
from stunet_core.model.skeleton import Skeleton, lumiere
from stunet_core.model.walk import Clip

from ..common.conditions import TELLING, VIDEO_TASKS, draw_tasks, keep_batch, model_input
from ..common.data import MODEL
from ..common.latents import ensure, load_autoencoder, load_text
from ..common.run_state import Run, Schedule, averaged
from ..common.sampling import STEADY, sample
from ..common.sheets import save_sheet
from .image import NO_TEXT, ON_THINGS, Batch, init, pick, untimed, weight_on_things

RATIOS = (2, 2)  # time halves with each spatial halving
NO_TEXT_GIVEN = 0.5  # share of empty captions where what is given could say it all: otherwise the words do, and it is not looked at
NO_CLOCK = 0.1   # share of steps without the clock: loops have none
SHORT, SHORT_ALONE = 8, 0.85  # cuts of up to so many frames teach what captions say of a time: of most of them nothing is given
NOISY = 0.6      # below 1: more of the steps in which motion is decided
SHEET_PROMPTS = ("a flat apple moving left on a green background", "a 3d style rocket flying up on a purple background",
                 "a line art panda bouncing on a pink background", "a cartoon car moving right on a yellow background",
                 "a 3d guitar spinning on an orange background", "a cartoon sailboat circling on a teal background")


def load_unet(path: Path) -> UNet:
    """The frozen image model of stage 3 (its EMA)."""
    net = UNet(MODEL)
    net.load_state_dict(untimed(averaged(path)))
    return net.eval().requires_grad_(False)


def take_clock(skeleton: Skeleton, path: Path) -> None:
    """What the image model of `path` learned of time, if it did: it goes on with the skeleton."""
    weights = averaged(path)
    learned = {name.removeprefix("clock."): value for name, value in weights.items() if name.startswith("clock.")}
    if skeleton.clock is not None and learned:
        skeleton.clock.load_state_dict(learned)
        skeleton.clock.where.requires_grad_(False)


class Inflated(nn.Module):
    """Only the skeleton is a parameter; the spatial net is held outside `parameters()` and never trained."""

    def __init__(self, net: UNet, skeleton: Skeleton):
        super().__init__()
        self.skeleton = skeleton
        self._net = [net]

    def forward(self, x: Tensor, t: Tensor, context: Tensor, y: Tensor, clip: Clip) -> Tensor:
        return forward_clip(self._net[0], self.skeleton, x, t, context, y, clip)


def new_skeleton(net: UNet) -> Skeleton:
    """Lumiere's arrangement for the mini U-Net; its blocks also hear the pooled text."""
    return Skeleton(lumiere(read_layout(net), RATIOS, pooled_channels=net.config.pooled_dim, hold=True, clock=True, model="STUNet mini"))


def cut(rng: np.random.Generator, batch: Batch, frames: int) -> tuple[Tensor, np.ndarray, Tensor]:
    """`frames` of each clip -> latents (b f) 4 h w; where things are, bool b t f h w; when they are, b f"""
    spare = batch.z.shape[1] - frames
    start = rng.integers(0, spare + 1, len(batch.z))
    z = torch.cat([z[s:s + frames] for z, s in zip(batch.z, start, strict=True)])
    things = np.stack([things[:, s:s + frames] for things, s in zip(batch.things, start, strict=True)])
    return z, things, torch.stack([times[s:s + frames] for times, s in zip(batch.times, start, strict=True)])


@torch.no_grad()
def samples(net: UNet, skeleton: Skeleton, text: TextEncoder, ids: Tensor, empty: Tensor, frames: int, *,
            size: int = 16, seed: int = 0, cfg: float = 4.0, steps: int = 24, given: Tensor | None = None,
            keep: Tensor | None = None, averaged: float = STEADY) -> Tensor:
    """Latents (b frames) 4 size size for captions `ids` (b n); `given`, `keep` are latents and mask to be conditioned on.

    As with the nodes' noise mask, given cells are the given ones at every step, noised as far as the rest.
    """
    b = len(ids)
    noise = torch.randn(b * frames, 4, size, size, generator=torch.Generator().manual_seed(seed))
    given = torch.zeros_like(noise) if given is None else given
    keep = torch.zeros_like(noise[:, :1]) if keep is None else keep
    context, y = text(torch.cat([ids, empty.expand(b, -1)]))
    times = evenly(b, frames) + drawn(noise.unflatten(0, (b, frames)))[:, None]
    both, bars, fixed = Clip(2 * b, frames, times=times.repeat(2, 1)), alphas_bar(), keep > 0

    def predict(x: Tensor, t: Tensor) -> Tensor:
        x = torch.where(fixed, add_noise(given, noise, bars[t[0]]), x)
        twice = model_input(x, given, keep).repeat(2, 1, 1, 1)
        v = forward_clip(net, skeleton, twice, t[:1].expand(2 * b), context, y, both)
        with_text, without = v.chunk(2)
        return without + cfg * (with_text - without)

    return torch.where(fixed, given, sample(predict, noise, steps, clips=b, averaged=averaged))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--decay", type=int, default=400)
    parser.add_argument("--batch", type=int, default=2, help="clips of the longest cut in a step, or as many more as a shorter cut allows")
    parser.add_argument("--frames", type=int, nargs="+", default=[80, 40], help="frames of a clip seen at once: one of these in each step")
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--sheets", type=int, default=300, help="steps from one contact sheet to the next")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--init", type=Path, help="start from the averaged weights of this state.pt of another run")
    parser.add_argument("--image", type=Path, default=Path("runs/image/state.pt"))
    parser.add_argument("--data", type=Path, default=Path("runs/clips.pt"), help="cache of encoded clips, made if missing")
    parser.add_argument("--scenes", type=int, default=1400, help="clips in that cache")
    parser.add_argument("--objects", type=int, default=64, help="how many of the world's objects to learn")
    parser.add_argument("--out", type=Path, default=Path("runs/video"))
    args = parser.parse_args()

    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="bf16")
    torch.manual_seed(args.seed)
    (text, tokenizer), net = load_text(), load_unet(args.image)
    data = ensure(args.data, args.scenes, "clips", args.objects, 20)
    skeleton = new_skeleton(net)
    if args.init:
        init(skeleton, averaged(args.init))
    take_clock(skeleton, args.image)
    learning = [p for p in skeleton.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, args.lr, weight_decay=0.01)
    run = Run(args.out, skeleton, optimizer, Schedule(args.steps, args.lr, warmup=60, decay=args.decay), ema_decay=0.997,
              main=accelerator.is_main_process)
    if args.resume:
        run.resume()
    model, optimizer = accelerator.prepare(Inflated(net, skeleton), optimizer)
    bars = alphas_bar()
    while run.running:
        rng = run.rng(args.seed)
        frames = int(rng.choice(args.frames))
        count = args.batch * max(args.frames) // frames
        tasks = draw_tasks(rng, VIDEO_TASKS, count)
        if frames <= SHORT:
            tasks = ["none" if rng.random() < SHORT_ALONE else task for task in tasks]
        no_text = np.array([NO_TEXT_GIVEN if task in TELLING else NO_TEXT for task in tasks])
        batch = pick(rng, data, count, tokenizer, no_text)
        z, things, times = cut(rng, batch, frames)
        with torch.no_grad():
            context, y = text(batch.ids)
        t = torch.from_numpy((TIMESTEPS * rng.random(count) ** NOISY).astype(np.int64))
        bar = bars[t].repeat_interleave(frames)[:, None, None, None]
        noise = torch.from_numpy(rng.standard_normal(z.shape, dtype=np.float32))
        keep = keep_batch(rng, tasks, frames, *z.shape[-2:], things=things, wordless=batch.wordless)
        x = model_input(add_noise(z, noise, bar), z, keep)  # channels_last would be slower: its group norm is (88 against 132 frames/s)
        output = model(x, t, context, y, Clip(count, frames, clock=bool(rng.random() >= NO_CLOCK), times=times))
        weight = weight_on_things(things, ON_THINGS if run.step < args.steps - args.decay else 1.0)
        loss = ((output.float() - velocity(z, noise, bar)).square() * weight).mean()
        accelerator.backward(loss)
        run.update(loss, log_every=20)
        if accelerator.is_main_process and run.step % args.sheets == 0:
            sheet(net, run, skeleton, text, tokenizer, args.out / f"sheet_{run.step:06d}.png", 80)
    run.save()


def sheet(net: UNet, run: Run, skeleton: Skeleton, text: TextEncoder, tokenizer: Tokenizer, path: Path,
          frames: int) -> None:
    """Every tenth frame of one sample of each of SHEET_PROMPTS, with the averaged weights."""
    averaged = Skeleton(skeleton.config)
    averaged.load_state_dict(skeleton.state_dict())
    run.ema.copy_to(averaged)
    length = net.config.text_tokens
    ids = torch.tensor([tokenizer.pad(tokenizer.encode(p), length) for p in SHEET_PROMPTS])
    with torch.autocast("cpu", torch.bfloat16):
        z = samples(net, averaged, text, ids, torch.tensor([tokenizer.pad([], length)]), frames, steps=12)
        z = z.unflatten(0, (len(ids), frames))[:, ::frames // 8].flatten(0, 1)
        pictures = load_autoencoder().decode(z.float())
    save_sheet(path, pictures.float(), 8)


if __name__ == "__main__":
    main()
