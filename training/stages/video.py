"""Stage 5: the temporal skeleton, on clips, with the image model frozen (Lumiere, 2401.12945, sec. 3.1).

All tasks are mixed from the start. Each step sees whole clips or cuts of them (`--frames`), which hear when their frames are where nothing
is given. Part of the noise is shared by all frames of a clip (2305.10474).
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from stunet_core.checkpoints.weights import load_skeleton as load_file
from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.mini.frame_time import with_time
from stunet_core.mini.host import forward_clip
from stunet_core.mini.inputs import beside_clip
from stunet_core.mini.noise import TRAINED, clip_noise
from stunet_core.mini.schedule import add_noise, alphas_bar, velocity
from stunet_core.model.precision import half
from stunet_core.model.skeleton import Skeleton
from stunet_core.model.walk import Clip

from ..common.batches import VIDEO_SHARES, Batch, draw_batch, tokenised, told
from ..common.cache import ensure
from ..common.conditions import VIDEO_TASKS
from ..common.load import SHIPPED, load_autoencoder, load_mini, load_skeleton
from ..common.losses import draw_timesteps
from ..common.mini import Mini, new_skeleton
from ..common.muon import Muon
from ..common.prompts import sheet_prompts
from ..common.run_state import Run, accelerate, add_arguments, start
from ..common.sampling import STEADY, Asked, sample_clips
from ..common.sheets import save_sheet

ON_THINGS = 3.0  # weight of a cell on a thing against one of background, until the learning rate falls
CHANGE = 2.0  # weight of how an error changes from frame to frame, which is what flickers, against the error itself


class Inflated(nn.Module):
    """Only the skeleton is a parameter; the image model is held outside of `parameters()` and never trained."""

    def __init__(self, mini: Mini, skeleton: Skeleton):
        super().__init__()
        self.skeleton = skeleton
        self._mini = [mini]

    def forward(self, batch: Batch, t: Tensor, noise: Tensor, bar: Tensor, on_things: float) -> dict[str, Tensor]:
        """t: b; noise: b f 8 h w; bar: b 1 1 1 1 -> `loss`; `mse` and `change`, which are not weighted.

        Of a guess v the mean of what may be right is best by the error's square, and by that of any linear map of it: to weigh its change
        over time more teaches the same, but what flickers first.
        """
        wrong = self.wrong(batch, t, noise, bar)
        weight = batch.weight(on_things)
        square, change = wrong.square(), (wrong[:, 1:] - wrong[:, :-1]).square() / 2
        return {"loss": (square * weight).mean() + CHANGE * (change * weight[:, 1:]).mean(), "mse": square.detach().mean(),
                "change": change.detach().mean()}

    def wrong(self, batch: Batch, t: Tensor, noise: Tensor, bar: Tensor) -> Tensor:
        """t: b; noise: b f 8 h w; bar broadcasts -> b f 8 h w, what the guess has too much of v"""
        mini, (b, f) = self._mini[0], batch.z.shape[:2]
        with torch.no_grad():
            context, pooled, _, _ = told(mini, batch)
            y = with_time(pooled.repeat_interleave(f, dim=0), batch.times.flatten())
            rest = beside_clip(1 - batch.keep.flatten(0, 1), batch.given.flatten(0, 1), f, batch.drafts.flatten(0, 1))
            x = torch.cat([add_noise(batch.z, noise, bar).flatten(0, 1), rest], dim=1)
        v = forward_clip(mini.unet, self.skeleton, x, t, context, y, Clip(b, f)).float().unflatten(0, (b, f))
        return v - velocity(batch.z, noise, bar)


def optimizer_of(skeleton: Skeleton, learning_rate: float) -> Muon:
    """Muon for matrices and kernels, AdamW for what hears the embedding and all that is small."""
    named = list(skeleton.named_parameters())
    inner = [p for name, p in named if p.ndim >= 2 and not name.startswith("cond")]
    return Muon([{"params": inner, "muon": True}, {"params": [p for name, p in named if p.ndim < 2 or name.startswith("cond")]}],
                learning_rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, "video", steps=4000, learning_rate=1e-3, batch=2, batch_gpu=16)
    parser.add_argument("--frames", type=int, nargs="+", default=[80, 40],
                        help="frames of a clip seen at once: one of these in each step; of shorter cuts as many more (default: 80 40)")
    parser.add_argument("--init", type=Path, help="begin with the temporal layers of this file (state.pt, .safetensors)")
    parser.add_argument("--image", type=Path, default=Path("runs/image/state.pt"), help="stage 3 or 4, or any file with an image model")
    parser.add_argument("--autoencoder", type=Path, default=Path("runs/autoencoder/state.pt"), help="stage 1, or any file with one")
    parser.add_argument("--data", type=Path, default=Path("runs/clips.pt"), help="cache of encoded clips, made if missing")
    parser.add_argument("--scenes", type=int, default=3000, help="clips in that cache (default: %(default)s)")
    parser.add_argument("--shared", type=float, default=TRAINED,
                        help="of the noise's variance the same in all frames of a clip, 0 to 1 (default: %(default)s)")
    parser.add_argument("--sheets", type=int, default=400, help="steps from one contact sheet to the next")
    args = parser.parse_args()

    accelerator = accelerate()
    torch.manual_seed(args.seed)
    autoencoder, mini = load_autoencoder(args.autoencoder).to(accelerator.device), load_mini(args.image).to(accelerator.device)
    with accelerator.main_process_first():
        cache = ensure(args.data, args.scenes, "clips", seed=20, autoencoder=autoencoder)
    skeleton = new_skeleton(mini.unet)
    if args.init:
        begun = load_file(args.init) if args.init.suffix == SHIPPED else load_skeleton(args.init, mini.unet)
        skeleton.load_state_dict(begun.state_dict())
    skeleton = skeleton.to(accelerator.device)
    run = start(args, accelerator, skeleton, optimizer_of(skeleton, args.lr), ema_decay=0.998)
    model = accelerator.prepare_model(Inflated(mini, skeleton))
    ids, empty = tokenised(cache, mini.tokenizer, mini.config.text_tokens), mini.ids([""])[0]
    bars = alphas_bar().to(accelerator.device)
    while run.running:
        rng = run.rng(args.seed)
        frames = int(rng.choice(args.frames))
        count = args.batch * max(args.frames) // frames
        batch = draw_batch(rng, cache, ids, empty, count, frames, VIDEO_TASKS, VIDEO_SHARES)
        t = draw_timesteps(rng, count).to(accelerator.device)
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
        noise = clip_noise(count, frames, batch.z.shape[2:], generator, shared=args.shared).to(accelerator.device)
        on_things = 1 + (ON_THINGS - 1) * run.schedule.left(run.step)
        with accelerator.autocast():
            out = model(batch.to(accelerator.device), t, noise, bars[t][:, None, None, None, None], on_things)
        accelerator.backward(out["loss"])
        run.update(out["loss"], log_every=20, mse=float(out["mse"]), change=float(out["change"]))
        if run.main and run.step % args.sheets == 0:
            sheet(run, mini, skeleton, autoencoder, args.out / f"sheet_{run.step:06d}.png", max(args.frames))
    run.save()


def sheet(run: Run, mini: Mini, skeleton: Skeleton, autoencoder: Autoencoder, path: Path, frames: int) -> None:
    """Eight frames of one clip of each prompt of the sheet, with the averaged weights."""
    told = sheet_prompts(mini, autoencoder)
    some = torch.linspace(0, frames - 1, 8).round().long()
    rows = []
    with run.averaged(), half(run.device):
        for k in range(len(told)):
            clip = sample_clips(mini, skeleton, autoencoder, told.part(k, 1), frames, Asked(steps=12, seed=k, averaged=STEADY))
            rows.append(autoencoder.decode(clip[some.to(clip.device)]).float())
    save_sheet(path, torch.cat(rows), len(some))


if __name__ == "__main__":
    main()
