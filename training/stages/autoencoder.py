"""Stage 1: the autoencoder, on crops of single frames of rendered clips.

L1 + L1 of image gradients + MSE. Crops of 128 px cost a quarter of a frame, and the model is convolutional. Noise on the latents keeps
their space smooth; in some steps the latents are turned before they are decoded and the picture is asked to have turned with them (EQ-VAE,
2502.09509), which also helps pictures to be drawn anywhere; other colours and negatives let pictures pass that are not of the world. A
step whose loss leaps is skipped: at twice the learning rate the loss once ran away. When done, the latents' mean and deviation become
part of the model.
"""

import argparse
from collections import deque
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from stunet_core.mini.autoencoder import Autoencoder

from ..common.data import frame_batch, to_tensor
from ..common.load import load_autoencoder
from ..common.run_state import accelerate, add_arguments, start
from ..common.sheets import save_sheet, to_uint8

CROP = 128
LATENT_NOISE = 0.25  # at most
TURNED = 0.3         # share of steps with turned latents
OTHER_COLOURS = 0.12
LEAP = 4.0           # times the recent loss
SIGMA = 0.02         # how strongly the latents' deviation is drawn to 1


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """b 3 h w each, in [-1, 1]"""
    error = output - target
    edges = (error[..., 1:, :] - error[..., :-1, :]).abs().mean() + (error[..., :, 1:] - error[..., :, :-1]).abs().mean()
    return error.abs().mean() + 0.7 * edges + 0.5 * error.square().mean()


class Reconstruction(nn.Module):
    """The autoencoder's loss; a module, so that several processes share its gradients."""

    def __init__(self, model: Autoencoder):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, quarters: int) -> tuple[Tensor, Tensor, Tensor]:
        """x: b 3 h w -> loss, what is decoded, and what should be: turned by so many quarters of a circle."""
        z = self.model.encoder(x).float()
        shown = torch.rot90(z, quarters, (2, 3))
        level = torch.rand(len(z), 1, 1, 1, device=z.device) * LATENT_NOISE
        y, wanted = self.model.decoder(shown + torch.randn_like(shown) * level).float(), torch.rot90(x, quarters, (2, 3))
        size = 1e-3 * (z.square().mean() - 1).abs() + 5e-4 * z.mean((0, 2, 3)).square().mean()
        spread = SIGMA * (z.var((0, 2, 3)) - 1).square().mean()
        return reconstruction_loss(y, wanted) + size + spread, y, wanted


def crops(rng: np.random.Generator, frames: np.ndarray, count: int) -> Tensor:
    """Random crops of uint8 n H W 3, some mirrored, some in other colours: count 3 CROP CROP in [-1, 1]"""
    some = []
    for index in rng.integers(0, len(frames), count):
        y, x = (int(rng.integers(0, side - CROP + 1)) for side in frames.shape[1:3])
        crop = frames[index, y:y + CROP, x:x + CROP]
        some.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    return other_colours(rng, to_tensor(np.stack(some)))


def other_colours(rng: np.random.Generator, x: Tensor) -> Tensor:
    """Some of the pictures with their colours exchanged, turned into negatives, paler and tinted."""
    x = x.clone()
    for index in np.flatnonzero(rng.random(len(x)) < OTHER_COLOURS):
        channels = x[int(index)][torch.from_numpy(rng.permutation(3))]
        sign = torch.from_numpy(np.where(rng.random((3, 1, 1)) < 0.3, -1.0, 1.0).astype(np.float32))
        tint = torch.from_numpy(rng.standard_normal((3, 1, 1), dtype=np.float32)) * 0.3
        x[int(index)] = (channels * sign * float(rng.uniform(0.5, 1.1)) + tint).clamp(-1, 1)
    return x


def rendered(path: Path, count: int, seed: int) -> np.ndarray:
    """uint8 count 256 256 3, drawn once and kept in a file."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = []
        for start_at in range(0, count, 100):
            frames.append(to_uint8(frame_batch(np.random.default_rng([seed, start_at]), min(100, count - start_at))[0]))
            print(f"rendered {start_at + len(frames[-1])} of {count}", flush=True)
        np.save(path, np.concatenate(frames))
    return np.load(path, mmap_mode="r")


@torch.no_grad()
def measure_latents(model: Autoencoder, frames: np.ndarray) -> None:
    """Store the latents' mean and deviation over some frames in the model."""
    model.mean.zero_()
    model.std.fill_(1.0)
    device = model.mean.device
    z = torch.cat([model.encode(to_tensor(part).to(device)) for part in np.array_split(frames[:512], 32)])  # type: ignore[arg-type]
    model.mean.copy_(z.mean((0, 2, 3)))
    model.std.copy_(z.std((0, 2, 3)))


@torch.no_grad()
def psnr(model: Autoencoder, frames: Tensor) -> float:
    """The mean over pictures n 3 h w, in dB."""
    device = model.mean.device
    out = torch.cat([model.decode(model.encode(part.to(device))).clamp(-1, 1).cpu() for part in frames.split(16)])  # type: ignore[arg-type]
    return float((-10 * ((out - frames) / 2).square().mean((1, 2, 3)).log10()).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, "autoencoder", steps=8000, learning_rate=4e-4, batch=24, batch_gpu=128)
    parser.add_argument("--frames", type=int, default=16000, help="rendered frames to learn from (default: %(default)s)")
    parser.add_argument("--init", type=Path, help="begin with the autoencoder of this file (state.pt, .safetensors, the trial's ae2.pt)")
    args = parser.parse_args()

    accelerator = accelerate()
    torch.manual_seed(args.seed)
    frames = rendered(args.out / f"frames_{args.frames}.npy", args.frames, args.seed)
    tested, _ = frame_batch(np.random.default_rng([args.seed, 1 << 30]), 128, held_out=True)
    model = Autoencoder()
    if args.init:
        model.load_state_dict(load_autoencoder(args.init).state_dict())
    model = model.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), args.lr, betas=(0.9, 0.99), weight_decay=1e-4)
    run = start(args, accelerator, model, optimizer, ema_decay=0.998)
    learning = accelerator.prepare_model(Reconstruction(model))
    recent: deque[float] = deque(maxlen=50)
    while run.running:
        rng = run.rng(args.seed)
        torch.manual_seed(int(rng.integers(1 << 31)))
        x = crops(rng, frames, args.batch).to(accelerator.device, memory_format=torch.channels_last)
        with accelerator.autocast():
            loss, y, x = learning(x, int(rng.integers(1, 4)) if rng.random() < TURNED else 0)
        now = float(accelerator.reduce(loss.detach(), "mean"))
        if len(recent) == recent.maxlen and not now < LEAP * np.mean(recent):
            run.skip()
            continue
        recent.append(now)
        accelerator.backward(loss)
        run.update(loss)
        if run.main and run.step % 500 == 0:
            save_sheet(args.out / "sheet.png", torch.cat([x[:8], y[:8].float()]), columns=8)
    run.ema.copy_to(model)
    measure_latents(model, frames)
    print(f"PSNR on held-out frames: {psnr(model, tested):.2f} dB")
    run.save()


if __name__ == "__main__":
    main()
