"""From the runs' checkpoints to the files users get: `weights/mini.safetensors` and `weights/mini_stunet.safetensors`."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stunet_core.checkpoints.weights import save_skeleton
from stunet_core.mini.checkpoint import colours, save_checkpoint
from stunet_core.model.skeleton import Skeleton

from ..common.data import frame_batch
from ..common.latents import load_autoencoder, load_text
from ..common.run_state import averaged
from .video import load_unet, new_skeleton

LICENCES = "Trained only on frames rendered from openly licensed emoji art (MIT, Apache-2.0): training/world/sprites/LICENSES.md"


def stage(folder: Path) -> dict[str, Any]:
    """What a run's checkpoint says of its length."""
    state = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
    return {"steps": state["step"], "hours": round(state["hours"], 2)}


def load_skeleton_run(folder: Path) -> Skeleton:
    """The skeleton of stage 4 (its EMA)."""
    skeleton = new_skeleton(load_unet(Path("runs/image/state.pt")))
    skeleton.load_state_dict(averaged(folder / "state.pt"))
    return skeleton


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("weights"))
    parser.add_argument("--objects", type=int, default=64, help="objects the image stage learned")
    args = parser.parse_args()

    runs = Path("runs")
    (text, tokenizer), autoencoder, unet = load_text(), load_autoencoder(), load_unet(runs / "image" / "state.pt")
    frames, _ = frame_batch(np.random.default_rng(0), 64)
    with torch.no_grad():
        rgb = colours(autoencoder.encode(frames), frames)
    record = {"objects": args.objects, "text": stage(runs / "text"), "autoencoder": stage(runs / "autoencoder"),
              "image": stage(runs / "image"), "data": LICENCES, "recipe": "training/RUNS.md"}
    args.out.mkdir(exist_ok=True)
    save_checkpoint(args.out / "mini.safetensors", unet.config, tokenizer, text, autoencoder, unet, latent_rgb=rgb,
                    record=record)
    if (runs / "video" / "state.pt").exists():
        save_skeleton(args.out / "mini_stunet.safetensors", load_skeleton_run(runs / "video"),
                      {"objects": args.objects, "where": stage(runs / "where"),
                       "video": stage(runs / "video"), "data": LICENCES, "recipe": "training/RUNS.md"})
    for path in sorted(args.out.glob("*.safetensors")):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
