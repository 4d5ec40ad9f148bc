"""Rendered and encoded once, read every epoch: the caches that the image and the video stage train from."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from stunet_core.mini.autoencoder import SCALE, Autoencoder
from stunet_core.mini.config import MiniConfig
from stunet_core.mini.text import TextEncoder
from stunet_core.mini.tokenizer import Tokenizer

from ..world import MOTIONS, Clip, Scene, caption, render, sample_scene, vocabulary
from .data import FRAMES, SIZE, first_objects, to_tensor, told_times
from .run_state import averaged

WORDINGS = 4  # captions per scene
FRAME_MOTIONS = (*MOTIONS, *("still",) * 7)  # of single frames: a pose that the caption tells teaches a silhouette soonest


@dataclass(frozen=True)
class Latents:
    """z: n f 4 h w (f = 1 for single frames), fp16; ids: n WORDINGS tokens; things: n 2 f h w, where each is, in cells; times: n f, when
    each is by its clip's clock (`told_times`), in frames from the middle; nan for single frames."""

    z: Tensor
    ids: Tensor
    things: Tensor
    times: Tensor

    @classmethod
    def load(cls, path: Path) -> "Latents":
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return cls(state["z"], state["ids"], state["things"], state["times"])

    def __len__(self) -> int:
        return self.z.shape[0]


def load_text(path: Path = Path("runs/text/state.pt")) -> tuple[TextEncoder, Tokenizer]:
    """The frozen encoder of stage 1 (its EMA) and its tokenizer."""
    tokenizer = Tokenizer(vocabulary())
    encoder = TextEncoder(MiniConfig(), len(tokenizer))
    weights = averaged(path)
    encoder.load_state_dict({k.removeprefix("encoder."): v for k, v in weights.items() if k.startswith("encoder.")})
    return encoder.eval().requires_grad_(False), tokenizer


def load_autoencoder(path: Path = Path("runs/autoencoder/autoencoder.pt")) -> Autoencoder:
    """The frozen autoencoder of stage 2."""
    model = Autoencoder()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def single(scene: Scene, rng: np.random.Generator) -> Clip:
    """One random frame of a clip"""
    return render(scene, only=[int(rng.integers(FRAMES))], size=SIZE)


def clip(scene: Scene, rng: np.random.Generator) -> Clip:
    """The whole clip, 80 frames"""
    return render(scene, frames=FRAMES, size=SIZE)


def cells(masks: np.ndarray) -> np.ndarray:
    """bool t f h w in pixels, one or two things -> 2 f h/8 w/8: the latent cells of which a thing covers some eighth"""
    covered = rearrange(masks, "t f (h a) (w b) -> t f h w (a b)", a=SCALE, b=SCALE).mean(-1) > 0.12
    return np.concatenate([covered, np.zeros((2 - len(covered), *covered.shape[1:]), bool)])


@torch.inference_mode()
def build(path: Path, count: int, kind: str, objects: tuple[str, ...], seed: int) -> None:
    """Render, caption and encode `count` scenes of `kind` ("frames" or "clips"); written in one file, when all is done."""
    draw, group = (single, 64) if kind == "frames" else (clip, 1)
    model, tokenizer = load_autoencoder(), Tokenizer(vocabulary())
    length = MiniConfig().text_tokens
    z, ids, things, times = [], [], [], []
    for start in range(0, count, group):
        rng = np.random.default_rng([seed, start])
        scenes = [sample_scene(rng, objects, motions=FRAME_MOTIONS if kind == "frames" else MOTIONS) for _ in range(group)]
        drawn = [draw(scene, rng) for scene in scenes]
        frames = np.stack([d.frames for d in drawn])  # n f h w 3
        things += [torch.from_numpy(cells(d.masks)) for d in drawn]
        with torch.autocast("cpu", torch.bfloat16):
            latents = model.encode(to_tensor(frames.reshape(-1, *frames.shape[2:])).to(memory_format=torch.channels_last))
        z.append(latents.unflatten(0, frames.shape[:2]).half().contiguous())
        ids += [[tokenizer.pad(tokenizer.encode(caption(s, rng)), length) for _ in range(WORDINGS)] for s in scenes]
        times += [told_times(scene, np.arange(FRAMES)) if kind == "clips" else np.array([np.nan]) for scene in scenes]
        if (start // group) % 50 == 0:
            print(f"{kind}: {start + group} of {count}", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save({"z": torch.cat(z)[:count], "ids": torch.tensor(ids, dtype=torch.int16)[:count],
                "things": torch.stack(things)[:count], "times": torch.from_numpy(np.stack(times)[:count]).float()}, part)
    part.replace(path)


def ensure(path: Path, count: int, kind: str, objects: int, seed: int) -> Latents:
    """The cache at `path`, built first if it is not there."""
    if not path.exists():
        build(path, count, kind, first_objects(objects), seed)
    return Latents.load(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["frames", "clips"])
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--objects", type=int, default=64)
    parser.add_argument("--seed", type=int, default=10)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    build(args.out or Path(f"runs/{args.kind}.pt"), args.count, args.kind, first_objects(args.objects), args.seed)


if __name__ == "__main__":
    main()
