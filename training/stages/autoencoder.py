"""Stage 2: the autoencoder, on single frames of rendered clips.

L1 + MSE + L1 of image gradients, counted more on the things than on the background: a background is easy and large. Most
steps see crops of a quarter frame on a thing, the last ones whole frames: the model is convolutional, and a crop costs a
quarter. A little noise on the latents keeps their space smooth. In some steps the latents are turned and shrunk before they
are decoded, and the picture is asked to have turned and shrunk with them (EQ-VAE, 2502.09509): such a space is easier to
learn to draw in. When done, the latents' mean and deviation become part of the model.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor

from stunet_core.mini.autoencoder import SCALE, Autoencoder

from ..common.data import frame_batch
from ..common.run_state import Run, Schedule
from ..common.sheets import save_sheet

LATENT_NOISE = 0.03
ON_THINGS = 4.0  # weight of a pixel on a thing against one of background
CROP = 64        # pixels
EQUIVARIANT = 0.35  # share of the steps with turned and shrunk latents
WHOLE = 0.12     # share of the steps, at the end, that see whole frames


def reconstruction_loss(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """output, target: b 3 h w in [-1, 1]; weight: b 1 h w, mean about 1"""
    error = output - target
    dx = error[..., :, 1:] - error[..., :, :-1]
    dy = error[..., 1:, :] - error[..., :-1, :]
    return ((error.abs() + 2 * error.square()) * weight).mean() + \
        (dx.abs() * weight[..., 1:]).mean() + (dy.abs() * weight[..., 1:, :]).mean()


def crop(frames: Tensor, things: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A CROP x CROP window of each frame, around a random pixel of a thing if there is one."""
    out = []
    for frame, thing in zip(frames, things, strict=True):
        size = frame.shape[-1]
        on = thing[0].nonzero()
        at = on[int(rng.integers(len(on)))].numpy() if len(on) else rng.integers(0, size, 2)
        y, x = np.clip(at - CROP // 2 + rng.integers(-CROP // 3, CROP // 3 + 1, 2), 0, size - CROP)
        out.append((frame[:, y:y + CROP, x:x + CROP], thing[:, y:y + CROP, x:x + CROP]))
    return torch.stack([f for f, _ in out]), torch.stack([t for _, t in out])


def turn_and_shrink(x: Tensor, quarters: int, side: int) -> Tensor:
    """Turned by `quarters` of a circle and resampled to `side` x `side`."""
    return F.interpolate(torch.rot90(x, quarters, (-2, -1)), size=(side, side), mode="bilinear", antialias=True)


@torch.no_grad()
def finish(model: Autoencoder, seed: int) -> None:
    """Measure the latents' mean and deviation over the world and store them in the model."""
    frames, _ = frame_batch(np.random.default_rng([seed, 1 << 29]), 256)
    model.mean.zero_()
    model.std.fill_(1.0)
    z = torch.cat([model.encode(part) for part in frames.split(32)])
    model.mean.copy_(z.mean((0, 2, 3)))
    model.std.copy_(z.std((0, 2, 3)))


@torch.no_grad()
def psnr(model: Autoencoder, seed: int, count: int = 128) -> float:
    frames, _ = frame_batch(np.random.default_rng([seed, 1 << 30]), count, held_out=True)
    out = torch.cat([model.decode(model.encode(part)).clamp(-1, 1) for part in frames.split(32)])
    mse = ((out - frames) / 2).square().mean((1, 2, 3))
    return float((-10 * mse.log10()).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("runs/autoencoder"))
    args = parser.parse_args()

    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="bf16")
    torch.manual_seed(args.seed)
    model = Autoencoder().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), args.lr, weight_decay=0.0)
    run = Run(args.out, model, optimizer, Schedule(args.steps, args.lr, decay=args.steps // 3),
              main=accelerator.is_main_process)
    if args.resume:
        run.resume()
    model, optimizer = accelerator.prepare(model, optimizer)
    while run.running:
        rng = run.rng(args.seed)
        whole = run.step >= args.steps * (1 - WHOLE)
        frames, things = frame_batch(rng, args.batch // 2 if whole else args.batch)
        if not whole:
            frames, things = crop(frames, things, rng)
        weight = 1 + (ON_THINGS - 1) * things
        weight = weight / weight.mean()
        with accelerator.autocast():
            z = model.encode(frames.to(memory_format=torch.channels_last))
            if rng.random() < EQUIVARIANT:
                quarters, side = int(rng.integers(4)), int(rng.integers(z.shape[-1] // 2, z.shape[-1] + 1))
                z = turn_and_shrink(z.float(), quarters, side)
                frames, weight = (turn_and_shrink(x, quarters, side * SCALE) for x in (frames, weight))
            output = model.decode(z + torch.randn_like(z) * LATENT_NOISE)
        loss = reconstruction_loss(output.float(), frames, weight) + 1e-4 * z.float().square().mean()
        accelerator.backward(loss)
        run.update(loss)
        if run.step % 500 == 0:
            save_sheet(args.out / "sheet.png", torch.cat([frames[:8], output[:8].float()]), columns=8)
    run.ema.copy_to(model)
    finish(model, args.seed)
    print(f"PSNR on held-out frames: {psnr(model, args.seed):.2f} dB")
    torch.save(model.state_dict(), args.out / "autoencoder.pt")
    run.save()


if __name__ == "__main__":
    main()
