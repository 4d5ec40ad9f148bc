"""Stage 3: the spatial U-Net, as an image model of single frames of clips, with the mask channels of every task.

Plain v-loss at zero terminal SNR, counted more on the things than on the background until the learning rate falls; the text
encoder and the autoencoder are frozen. Frames come from the middle of motions (rotated, cut off, small), for the video stage
freezes this net and could not show later what it never saw. For the same reason some rows have a memory of another time where
nothing is given, as frames of clips do (`mini.nearest_given`): the picture moved a little, or, with `--clips`, another frame of its
clip; and frames of clips that nothing is given of are told when they are (`mini.clock`). Many holes lie on the things:
there the net is told where to draw, and learns what a thing looks like before it must also choose its place.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from einops import rearrange
from torch import Tensor, nn

from stunet_core.mini.clock import Clock, clock
from stunet_core.mini.nearest_given import GIVEN
from stunet_core.mini.schedule import TIMESTEPS, add_noise, alphas_bar, velocity
from stunet_core.mini.text import TextEncoder
from stunet_core.mini.tokenizer import Tokenizer
from stunet_core.mini.unet import UNet

from ..common.conditions import IMAGE_TASKS, draw_tasks, keep_batch, model_input, shifted
from ..common.data import MODEL
from ..common.latents import WORDINGS, Latents, ensure, load_autoencoder, load_text
from ..common.run_state import Run, Schedule, averaged
from ..common.sampling import guided, sample
from ..common.sheets import save_sheet
from .where import load_where

NO_TEXT = 0.12   # share of empty captions, for guidance
NOISY = 0.6      # below 1: more of the steps in which what the caption says is decided, fewer of those that only sharpen
REMEMBER = 0.28, ("none", "hole", "thing")  # share of rows with a memory of another time, and the tasks that have one
OF_CLIPS = 0.75  # share of frames of clips, if there are any: they know another time, and when they are
NO_TEXT_REMEMBERED = 0.4  # share of empty captions among them: otherwise the words say it all
NO_CLOCK = 0.15  # share of frames that are not told when they are, besides those that something is given of
FIRST_SHOWN = 0.15, -0.15, 0.15, -0.15  # `Clock.show` at first: loud, or nothing learns to look at it (150 steps from 0: 0.005)
ON_THINGS = 3.0  # weight of a latent cell on a thing against one of background, until the learning rate falls
SHEET_PROMPTS = ("a 3d style rocket on a purple background", "a flat apple on a green background",
                 "a line art panda on a pink background", "a cartoon car on a yellow background",
                 "a 3d dog over the water", "a cartoon penguin on the grass", "a flat guitar in the night sky",
                 "a 3d tulip on a white background")


def init(net: nn.Module, weights: dict[str, Tensor]) -> None:
    """Take over all `weights` whose shapes fit (not the embedding layers of a net without `scale_shift`, no clock where there was none)."""
    own = net.state_dict()
    fitting = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    net.load_state_dict({**own, **fitting})
    print(f"--init: {len(fitting)} of {len(own)} tensors taken over")


@dataclass(frozen=True)
class Batch:
    """z: b f 4 h w fp32; ids: b n; things: bool b 2 f h w; wordless: bool b, whose captions are empty; times: b f, when
    each frame is by its clip's clock; nan where that is not known."""

    z: Tensor
    ids: Tensor
    things: np.ndarray
    wordless: np.ndarray
    times: Tensor


def pick(rng: np.random.Generator, data: Latents, batch: int, tokenizer: Tokenizer, no_text: float | np.ndarray = NO_TEXT) -> Batch:
    """Random entries with one of their captions each, or with none in `no_text` of them."""
    index = torch.from_numpy(rng.integers(0, len(data), batch))
    wording = torch.from_numpy(rng.integers(0, WORDINGS, batch))
    ids = data.ids[index, wording].long()
    wordless = rng.random(batch) < no_text
    ids[torch.from_numpy(wordless)] = torch.tensor(tokenizer.pad([], ids.shape[1]))
    return Batch(data.z[index].float(), ids, data.things[index].numpy(), wordless, data.times[index])


def one_frame(rng: np.random.Generator, batch: Batch) -> tuple[Batch, Tensor]:
    """One frame of each clip of a batch, and another of the same clip (b 4 h w)"""
    here, there = rng.integers(0, batch.z.shape[1], (2, len(batch.z)))
    each = np.arange(len(batch.z))
    frame = Batch(batch.z[each, here][:, None], batch.ids, batch.things[each, :, here][:, :, None], batch.wordless,
                  batch.times[each, here][:, None])
    return frame, batch.z[each, there]


def joined(a: Batch, b: Batch) -> Batch:
    return Batch(torch.cat([a.z, b.z]), torch.cat([a.ids, b.ids]), np.concatenate([a.things, b.things]),
                 np.concatenate([a.wordless, b.wordless]), torch.cat([a.times, b.times]))


class Timed(nn.Module):
    """The image model, and the clock that tells frames of clips when they are; the video stage takes over both.

    What the clock knows of places is another stage's (`where.py`), and stays as it is.
    """

    def __init__(self, net: UNet):
        super().__init__()
        self.net, self.clock = net, Clock(net.config.pooled_dim, net.time_embed[2].out_features)  # type: ignore[arg-type]
        self.clock.where.requires_grad_(False)

    def forward(self, x: Tensor, t: Tensor, context: Tensor, y: Tensor, time: Tensor) -> Tensor:
        """time: b, as `Batch` has it; nan says nothing"""
        told, heard = ~time.isnan(), clock(time.nan_to_num())  # b, b CHANNELS
        shown = self.clock.shown(heard, y, (x.shape[2], x.shape[3])) * told[:, None, None, None]
        x = torch.cat([x[:, :GIVEN.start], x[:, GIVEN] + shown], dim=1)
        return self.net(x, t, context, y, self.clock(heard, y) * told[:, None])


def untimed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of the weights of a `Timed`, or of an image model without a clock: those of the image model."""
    return {name.removeprefix("net."): value for name, value in weights.items() if not name.startswith("clock.")}


def named_timed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The other way: those of a `Timed`, or of an image model without a clock, by the names of a `Timed`."""
    return {name if name.startswith(("net.", "clock.")) else f"net.{name}": value for name, value in weights.items()}


def weight_on_things(things: np.ndarray, on_things: float) -> Tensor:
    """bool b t f h w -> (b f) 1 h w with mean 1, `on_things` times larger where a thing is than elsewhere"""
    where = rearrange(torch.from_numpy(things.any(1)).float(), "b f h w -> (b f) 1 h w")
    weight = 1 + (on_things - 1) * where
    return weight / weight.mean()


@torch.no_grad()
def samples(net: UNet, text: TextEncoder, ids: Tensor, empty: Tensor, size: int = 16, seed: int = 0, cfg: float = 4.0,
            steps: int = 24) -> Tensor:
    """Latents b 4 size size for captions `ids` (b n), `empty` (1 n) being the empty caption's ids."""
    noise = torch.randn(len(ids), 4, size, size, generator=torch.Generator().manual_seed(seed))
    nothing = torch.zeros_like(noise)
    context, y = text(ids)
    context0, y0 = (t.expand(len(ids), *t.shape[1:]) for t in text(empty))

    def predict(context: Tensor, y: Tensor):
        return lambda x, t: net(model_input(x, nothing, nothing[:, :1]), t, context, y)

    return sample(guided(predict(context, y), predict(context0, y0), cfg), noise, steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--decay", type=int, default=600)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--init", type=Path, help="start from the averaged weights of this state.pt of another run")
    parser.add_argument("--data", type=Path, default=Path("runs/frames.pt"), help="cache of encoded frames, made if missing")
    parser.add_argument("--scenes", type=int, default=44000, help="frames in that cache")
    parser.add_argument("--objects", type=int, default=64, help="how many of the world's objects to learn")
    parser.add_argument("--clips", type=Path, help="cache of encoded clips: most of each batch are frames of these")
    parser.add_argument("--where", type=Path, default=Path("runs/where/state.pt"), help="what the clock knows of places")
    parser.add_argument("--compile", action="store_true", help="torch.compile: a few minutes first, then about a quarter faster")
    parser.add_argument("--out", type=Path, default=Path("runs/image"))
    args = parser.parse_args()

    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="bf16")
    torch.manual_seed(args.seed)
    clips = Latents.load(args.clips) if args.clips else None
    data, (text, tokenizer) = ensure(args.data, args.scenes, "frames", args.objects, 10), load_text()
    layout = torch.channels_last if args.compile else torch.contiguous_format  # torch's own group norm is slow in channels_last
    net = UNet(MODEL).to(memory_format=layout)  # type: ignore[call-overload]
    timed = Timed(net)
    if args.init:
        init(timed, named_timed(averaged(args.init)))
    load_where(timed.clock, args.where)
    if not timed.clock.show.weight.any():
        timed.clock.show.weight.data.copy_(torch.tensor(FIRST_SHOWN)[:, None, None, None])
    learning = [p for p in timed.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, args.lr, betas=(0.9, 0.99), weight_decay=0.01)
    run = Run(args.out, timed, optimizer, Schedule(args.steps, args.lr, decay=args.decay), main=accelerator.is_main_process)
    if args.resume:
        run.resume()
    model, optimizer = accelerator.prepare(timed, optimizer)
    if args.compile:
        model = torch.compile(model)
    bars = alphas_bar()
    while run.running:
        rng = run.rng(args.seed)
        tasks = draw_tasks(rng, IMAGE_TASKS, args.batch)
        remember = np.array([task in REMEMBER[1] for task in tasks]) & (rng.random(args.batch) < REMEMBER[0])
        no_text = np.where(remember, NO_TEXT_REMEMBERED, NO_TEXT)
        of_clips = int(OF_CLIPS * args.batch) if clips else 0
        batch = pick(rng, data, args.batch - of_clips, tokenizer, no_text[of_clips:])
        memory = shifted(batch.z[:, 0], rng)
        if clips:
            frames, others = one_frame(rng, pick(rng, clips, of_clips, tokenizer, no_text[:of_clips]))
            batch, memory = joined(frames, batch), torch.cat([others, memory])
        memory *= torch.from_numpy(remember)[:, None, None, None]
        z = batch.z[:, 0]
        with torch.no_grad():
            context, y = text(batch.ids)
        t = torch.from_numpy((TIMESTEPS * rng.random(args.batch) ** NOISY).astype(np.int64))
        bar = bars[t][:, None, None, None]
        noise = torch.from_numpy(rng.standard_normal(z.shape, dtype=np.float32))
        keep = keep_batch(rng, tasks, 1, *z.shape[-2:], things=batch.things, wordless=batch.wordless)
        untold = keep.amax(dim=(1, 2, 3)) + memory.abs().amax(dim=(1, 2, 3)) + torch.from_numpy(rng.random(args.batch) < NO_CLOCK)
        time = torch.where(untold > 0, torch.nan, batch.times[:, 0])
        x = model_input(add_noise(z, noise, bar), z, keep, memory).to(memory_format=layout)
        with accelerator.autocast():
            output = model(x, t, context, y, time)
        weight = weight_on_things(batch.things, ON_THINGS if run.step < args.steps - args.decay else 1.0)
        loss = ((output.float() - velocity(z, noise, bar)).square() * weight).mean()
        accelerator.backward(loss)
        run.update(loss)
        if accelerator.is_main_process and run.step % 500 == 0:
            sheet(timed, run, text, tokenizer, args.out / f"sheet_{run.step:06d}.png")
    run.save()


def sheet(timed: Timed, run: Run, text: TextEncoder, tokenizer: Tokenizer, path: Path) -> None:
    """Two samples of each of SHEET_PROMPTS with the averaged weights."""
    net = timed.net
    live = {k: p.detach().clone() for k, p in timed.named_parameters()}
    run.ema.copy_to(timed)
    length = net.config.text_tokens
    ids = torch.tensor([tokenizer.pad(tokenizer.encode(p), length) for p in SHEET_PROMPTS for _ in range(2)])
    with torch.autocast("cpu", torch.bfloat16):
        z = samples(net, text, ids, torch.tensor([tokenizer.pad([], length)]))
        frames = load_autoencoder().decode(z.float())
    save_sheet(path, frames.float(), 8, [p[:24] for p in SHEET_PROMPTS for _ in range(2)])
    with torch.no_grad():
        for name, p in timed.named_parameters():
            p.copy_(live[name])


if __name__ == "__main__":
    main()
