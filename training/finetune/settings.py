"""What `run.py train own` can be told, and whether it makes sense; all of it is checked before anything heavy starts."""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from launch.environment import COMFYUI
from stunet_core.model.precision import multiplies_bfloat16
from stunet_core.model.strides import PRESETS

PRECISIONS = ("auto", "bf16", "fp32")
ABOUT = """Train temporal layers for your own checkpoint on your own videos; the checkpoint itself stays as it is.

  python run.py train own --checkpoint sd15.safetensors --videos my_videos --out runs/mine

`my_videos` holds clips with a .txt or .json of captions beside each, or WebDataset .tar shards. They are decoded and encoded
once, into --cache. The result, OUT/stunet.safetensors, goes into ComfyUI's models/stunet, for Apply STUNet. On several GPUs:

  .venv/bin/accelerate launch --multi_gpu -m training.finetune.train --checkpoint ...

(DDP: only the temporal layers are trained, so that they and their optimiser fit on every GPU; FSDP is not supported.)
docs/training.md says more."""


@dataclass(frozen=True)
class FinetuneSettings:
    """`batch` is of one process, and of one of the `accumulate` parts of a step."""

    checkpoint: Path
    videos: Path
    out: Path
    cache: Path
    comfyui: Path
    vae: Path | None
    init: Path | None
    strides: str | None
    size: int
    fps: float
    frames: int
    steps: int
    warmup: int
    decay: int
    lr: float
    batch: int
    accumulate: int
    ema: float
    precision: str
    lean: bool
    seed: int
    log_steps: int
    export_steps: int
    stop: int | None
    resume: bool

    @property
    def half(self) -> bool:
        """Whether to compute in bf16."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return self.precision == "bf16" or (self.precision == "auto" and multiplies_bfloat16(device))

    def __post_init__(self) -> None:
        least_of = {"frames": 2, "size": 8} | dict.fromkeys(("steps", "batch", "accumulate", "log_steps", "export_steps"), 1)
        for name, least in least_of.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name}: {getattr(self, name)}; give {least} or more")
        if self.lr <= 0:
            raise ValueError(f"lr: {self.lr:g}; give more than 0")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema: {self.ema:g}; give the share that is kept per step, such as 0.999")
        if not self.checkpoint.is_file():
            raise ValueError(f"checkpoint: there is no file {self.checkpoint}")
        if (self.out / "state.pt").exists() and not self.resume:
            raise ValueError(f"out: {self.out} holds a run already; go on with it by --resume, or choose another folder")

    @classmethod
    def read(cls, arguments: list[str] | None) -> "FinetuneSettings":
        values = vars(parser().parse_args(arguments))
        values["cache"] = values["cache"] or values["out"] / "cache"
        return cls(**{field.name: values[field.name] for field in fields(cls)})


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="run.py train own", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = top.add_argument_group("what to train on")
    what.add_argument("--checkpoint", type=Path, required=True, help="SD1.5, SD2.x, SDXL, an inpainting one of them, or the mini model")
    what.add_argument("--videos", type=Path, required=True, help="folder of videos with captions, or of .tar shards")
    what.add_argument("--vae", type=Path, help="another VAE than the checkpoint's")
    what.add_argument("--comfyui", type=Path, default=COMFYUI, help="the ComfyUI that reads the checkpoint (default: the one run.py made)")
    what.add_argument("--size", type=int, default=512, help="side of a square clip; others have as many pixels (default: %(default)s)")
    what.add_argument("--fps", type=float, default=8, help="frames per second that are trained at (default: %(default)s)")
    what.add_argument("--frames", type=int, default=16, help="frames seen at once (default: %(default)s)")
    what.add_argument("--cache", type=Path, help="where encoded clips are kept (default: OUT/cache)")

    kind = top.add_argument_group("what to train")
    kind.add_argument("--init", type=Path, help="begin with these: STUNet weights, or a motion module (AnimateDiff, HotshotXL, ...)")
    kind.add_argument("--strides", choices=PRESETS, help="how time is strided per level (default: lumiere; with --init: as it was)")

    how = top.add_argument_group("how")
    how.add_argument("--steps", type=int, default=20000)
    how.add_argument("--batch", type=int, default=1, help="clips at once per process (default: %(default)s)")
    how.add_argument("--accumulate", type=int, default=1, help="batches per step (default: %(default)s)")
    how.add_argument("--lr", type=float, default=1e-4, help="(default: %(default)s)")
    how.add_argument("--warmup", type=int, default=200, help="steps until that rate (default: %(default)s)")
    how.add_argument("--decay", type=int, default=2000, help="last steps, over which it falls to 0 (default: %(default)s)")
    how.add_argument("--ema", type=float, default=0.999, help="of the averaged weights, which are what is exported (default: %(default)s)")
    how.add_argument("--precision", choices=PRECISIONS, default="auto",
                     help="auto: bf16 where the device multiplies it natively (default: %(default)s)")
    how.add_argument("--lean", action="store_true", help="gradient checkpointing: much less memory, about a third more time")
    how.add_argument("--seed", type=int, default=0)

    run = top.add_argument_group("the run")
    run.add_argument("--out", type=Path, default=Path("runs/own"), help="checkpoints, log and result (default: %(default)s)")
    run.add_argument("--resume", action="store_true", help="go on from OUT/state.pt; the same numbers follow as without a stop")
    run.add_argument("--stop", type=int, help="save and end after this step, to go on later")
    run.add_argument("--log-steps", type=int, default=20, help="steps between lines of the log (default: %(default)s)")
    run.add_argument("--export-steps", type=int, default=1000, help="steps between exports of the weights (default: %(default)s)")
    return top
