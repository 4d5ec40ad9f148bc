"""From checkpoints to the files users get: `weights/mini.safetensors` and `weights/mini_stunet.safetensors`, in bf16.

    python -m training.stages.export                                            # of the project's runs/
    python -m training.stages.export --lab run/k.pt --lab-video run/v.pt        # of the trial's scripts

Either file is written if its checkpoint is there. The metadata say on what it was trained, for how long, and with which figures.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stunet_core.checkpoints.weights import save_skeleton
from stunet_core.mini.autoencoder import Autoencoder
from stunet_core.mini.checkpoint import Checkpoint, colours, save_checkpoint

from ..common.data import frame_batch
from ..common.lab import autoencoder_from_lab, from_lab, skeleton_from_lab
from ..common.load import image_of, load_autoencoder, load_mini, load_skeleton
from ..common.mini import Mini

LICENCES = "Trained only on frames rendered from openly licensed emoji art (MIT, Apache-2.0): training/world/sprites/LICENSES.md"
RECIPE = "training/RUNS.md"


def stage(path: Path) -> dict[str, Any]:
    """What a stage's `state.pt` says of its length; {} without one."""
    if not path.is_file():
        return {}
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return {"steps": state["step"], "samples": state["samples"], "hours": round(state["hours"], 2)}


def figures(path: Path | None) -> dict[str, float]:
    """The figures of a benchmark's JSON that are part of the record; {} without one."""
    return json.loads(path.read_text(encoding="utf-8")) if path and path.is_file() else {}


def export_image(path: Path, model: Mini, autoencoder: Autoencoder, frames: Tensor, record: dict[str, Any]) -> None:
    """Write the image model; previews show latents in the colours that fit `frames` (n 3 h w) best."""
    with torch.no_grad():
        rgb = colours(torch.cat([autoencoder.encode(part) for part in frames.split(16)]), frames)
    parts = model.config, model.tokenizer, model.text, model.pictures, model.pose_head
    save_checkpoint(path, Checkpoint(*parts, autoencoder, model.unet.state_dict(), rgb), record)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, {sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters and the "
          f"autoencoder's {sum(p.numel() for p in autoencoder.parameters()) / 1e6:.1f} M")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("weights"))
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the stages left their checkpoints (default: %(default)s)")
    parser.add_argument("--lab", type=Path, help="the trial's image model (run/k.pt) instead")
    parser.add_argument("--lab-autoencoder", type=Path, help="the trial's autoencoder (default: ae2.pt beside --lab)")
    parser.add_argument("--lab-video", type=Path, help="the trial's space-time stage, of that very image model")
    parser.add_argument("--autoencoder", type=Path, help="any file with one (default: stage 1 of --runs)")
    parser.add_argument("--live", action="store_true", help="the image stage's weights as they are, not their average, which after a "
                        "short fall of the rate is of the time before")
    parser.add_argument("--figures", type=Path, help="JSON of `run.py bench quality` to be kept in the record")
    args = parser.parse_args()
    if args.lab_video and not args.lab:
        parser.error("--lab-video: give the image model that it was trained on as --lab")

    args.out.mkdir(parents=True, exist_ok=True)
    about = {"data": LICENCES, "recipe": RECIPE, "figures": figures(args.figures)}
    if args.lab:
        model, steps = from_lab(args.lab)
        autoencoder = autoencoder_from_lab(args.lab_autoencoder or args.lab.with_name("ae2.pt"))
        record: dict[str, Any] = {"image": {"steps": steps, "from": "the trial's scripts"}}
    else:
        model = load_mini(image_of(args.runs), args.live)
        autoencoder = load_autoencoder(args.autoencoder or args.runs / "autoencoder" / "state.pt")
        record = {name: stage(args.runs / name / "state.pt") for name in ("autoencoder", "text", "image", "poses")}
    frames, _ = frame_batch(np.random.default_rng(0), 48)
    export_image(args.out / "mini.safetensors", model, autoencoder, frames, about | record)

    skeleton, trained = None, {}
    if args.lab_video:
        skeleton, steps = skeleton_from_lab(args.lab_video, model.unet)
        trained = {"steps": steps, "from": "the trial's scripts"}
    elif not args.lab and (args.runs / "video" / "state.pt").is_file():
        skeleton, trained = load_skeleton(args.runs / "video" / "state.pt", model.unet), stage(args.runs / "video" / "state.pt")
    if skeleton is not None:
        path = args.out / "mini_stunet.safetensors"
        save_skeleton(path, skeleton, about | {"video": trained})
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, {sum(p.numel() for p in skeleton.parameters()) / 1e6:.1f} M parameters")


if __name__ == "__main__":
    main()
