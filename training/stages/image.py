"""Stage 3: the image model, on single frames of clips: text and picture encoders, pose head and U-Net together.

Plain v-loss at zero terminal SNR, counted more on the things than on the background until the learning rate falls. Matrices of the U-Net
learn with Muon, all else with AdamW (`common/muon.py`). Frames come from the middle of motions and are told when they are: the video stage
freezes this net, and motion is decided in pure noise, where nothing but time and words says where a thing is. In some rows something is
given, or remembered of another time, as in the video stage's tasks.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.mini.frame_time import with_time
from stunet_core.mini.inputs import beside
from stunet_core.mini.schedule import add_noise, alphas_bar, velocity
from stunet_core.model.precision import half

from ..common.batches import IMAGE_SHARES, Batch, draw_batch, tokenised, told
from ..common.cache import ensure
from ..common.conditions import IMAGE_TASKS
from ..common.load import load_autoencoder, load_mini
from ..common.losses import LabelHeads, draw_timesteps, pose_loss
from ..common.mini import Mini, fill_grown
from ..common.muon import Muon
from ..common.prompts import sheet_prompts
from ..common.run_state import Run, accelerate, add_arguments, averaged, read_state, start
from ..common.sampling import Asked, sample_images
from ..common.sheets import save_sheet
from ..world import KINDS, vocabulary

ON_THINGS = 3.0  # weight of a cell on a thing against one of background, until the learning rate falls
POSES, LABELS = 0.3, 0.01  # weights of what the pose head guesses and of what the pooled text says
TEXT_SLOWER = 0.3          # of the learning rate
ADAM = ("input_blocks.0.", "out.", "time_embed", "label_emb")  # of the U-Net


class ImageTrainer(nn.Module):
    """The image model and its loss. `frozen_words`: text encoder and pose head stay as they are."""

    def __init__(self, mini: Mini, frozen_words: bool = False):
        super().__init__()
        self.mini = mini
        self.heads = LabelHeads(mini.config.pooled_dim, tuple(map(len, KINDS.values())))
        for part in (mini.text, mini.pose_head, self.heads):
            part.requires_grad_(not frozen_words)

    def forward(self, batch: Batch, t: Tensor, noise: Tensor, bar: Tensor, on_things: float) -> dict[str, Tensor]:
        """t: b; noise: b 1 8 h w; bar: b 1 1 1 -> `loss`, and of it `mse` (not weighted) and `pose`"""
        context, pooled, guess, words = told(self.mini, batch)
        z, noise = batch.z[:, 0], noise[:, 0]
        rest = beside(1 - batch.keep[:, 0], batch.given[:, 0], batch.drafts[:, 0])
        x = torch.cat([add_noise(z, noise, bar), rest], dim=1)
        v = self.mini.unet(x, t, context, with_time(pooled, batch.times[:, 0])).float()
        error = (v - velocity(z, noise, bar)).square()
        spoken = batch.alone & ~batch.wordless
        pose = pose_loss(guess[spoken], batch.poses[spoken]) if bool(spoken.any()) else guess.sum() * 0
        labels = self.heads(words, torch.where(batch.wordless[:, None], -1, batch.labels))
        loss = (error * batch.weight(on_things)[:, 0]).mean() + POSES * pose + LABELS * labels
        return {"loss": loss, "mse": error.detach().mean(), "pose": pose.detach()}


def optimizer_of(trainer: ImageTrainer, learning_rate: float) -> Muon:
    """Muon for the matrices inside of the U-Net, AdamW for its ends, for pictures and poses, and slower for text."""
    unet = list(trainer.mini.unet.named_parameters())
    inner = [p for name, p in unet if p.ndim >= 2 and not name.startswith(ADAM)]
    ends = [p for name, p in unet if p.ndim < 2 or name.startswith(ADAM)]
    return Muon([
        {"params": inner, "muon": True},
        {"params": [*ends, *trainer.mini.pictures.parameters(), *trainer.mini.pose_head.parameters()]},
        {"params": [*trainer.mini.text.parameters(), *trainer.heads.parameters()], "scale": TEXT_SLOWER},
    ], learning_rate)


def new_trainer(init: Path | None, text: Path, frozen_words: bool) -> ImageTrainer:
    """The image model at its start: all of `init`, with the words it has and those the world has since; or only stage 2's text."""
    words = list(vocabulary())
    if init:
        old = load_mini(init)
        words = [*old.tokenizer.words, *sorted(set(words) - set(old.tokenizer.words))]
        trainer = ImageTrainer(Mini(words, old.config), frozen_words)
        grown = fill_grown(trainer.mini, old.state_dict())
        print(f"--init {init}: " + ("new, or grown: " + ", ".join(grown) if grown else "all weights are taken over"))
    else:
        state = read_state(text)
        trainer = ImageTrainer(Mini(state["words"]), frozen_words)
        weights = averaged(state)
        for name, module in (("text.", trainer.mini.text), ("heads.", trainer.heads)):
            module.load_state_dict({key.removeprefix(name): value for key, value in weights.items() if key.startswith(name)})
    return trainer.train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, "image", steps=10000, learning_rate=2e-3, batch=64, batch_gpu=256)
    parser.add_argument("--init", type=Path, help="begin with the image model of this file (state.pt, .safetensors, the trial's k.pt)")
    parser.add_argument("--frozen-words", action="store_true", help="text encoder and pose head stay as --init has them")
    parser.add_argument("--text", type=Path, default=Path("runs/text/state.pt"), help="stage 2, where there is no --init")
    parser.add_argument("--autoencoder", type=Path, default=Path("runs/autoencoder/state.pt"), help="stage 1, or any file with one")
    parser.add_argument("--data", type=Path, default=Path("runs/frames.pt"), help="cache of encoded frames, made if missing")
    parser.add_argument("--scenes", type=int, default=100000, help="frames in that cache (default: %(default)s)")
    parser.add_argument("--sheets", type=int, default=1000, help="steps from one contact sheet to the next")
    parser.add_argument("--compile", action="store_true", help="torch.compile: a few minutes first, then some percent faster")
    args = parser.parse_args()

    accelerator = accelerate()
    torch.manual_seed(args.seed)
    autoencoder = load_autoencoder(args.autoencoder).to(accelerator.device)
    with accelerator.main_process_first():
        cache = ensure(args.data, args.scenes, "frames", seed=10, autoencoder=autoencoder)
    before = read_state(args.out / "state.pt") if args.resume else {}
    words, frozen = before.get("words"), before.get("frozen_words", args.frozen_words)
    trainer = (ImageTrainer(Mini(words), frozen) if words else new_trainer(args.init, args.text, frozen)).to(accelerator.device)
    mini = trainer.mini
    extra = {"words": list(mini.tokenizer.words), "frozen_words": frozen}
    run = start(args, accelerator, trainer, optimizer_of(trainer, args.lr), extra=extra)
    model = accelerator.prepare_model(trainer)
    model = torch.compile(model) if args.compile else model
    ids, empty = tokenised(cache, mini.tokenizer, mini.config.text_tokens), mini.ids([""])[0]
    bars = alphas_bar().to(accelerator.device)
    while run.running:
        rng = run.rng(args.seed)
        batch = draw_batch(rng, cache, ids, empty, args.batch, 1, IMAGE_TASKS, IMAGE_SHARES)
        t = draw_timesteps(rng, args.batch).to(accelerator.device)
        noise = torch.from_numpy(rng.standard_normal(batch.z.shape, dtype="float32")).to(accelerator.device)
        on_things = 1 + (ON_THINGS - 1) * run.schedule.left(run.step)
        with accelerator.autocast():
            out = model(batch.to(accelerator.device), t, noise, bars[t][:, None, None, None], on_things)
        accelerator.backward(out["loss"])
        run.update(out["loss"], mse=float(out["mse"]), pose=float(out["pose"]))
        if run.main and run.step % args.sheets == 0:
            sheet(run, mini, autoencoder, args.out / f"sheet_{run.step:06d}.png")
    run.save()


def sheet(run: Run, mini: Mini, autoencoder: Autoencoder, path: Path) -> None:
    """Two samples of each prompt of the sheet with the averaged weights."""
    told = sheet_prompts(mini, autoencoder)
    with run.averaged(), half(run.device):
        frames = [autoencoder.decode(sample_images(mini, autoencoder, told, Asked(seed=seed))).float() for seed in (0, 1)]
    save_sheet(path, torch.cat(frames), len(told))


if __name__ == "__main__":
    main()
