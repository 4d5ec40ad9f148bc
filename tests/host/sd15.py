"""`python -m tests.host.sd15 MODELS` puts a small SD1.5 checkpoint and a motion module into a ComfyUI's models folder, under the names that
templates ask for. All is random."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import torch

from launch.environment import COMFYUI
from tests.core.motion_files import published, skeleton
from tests.own import write_sd15
from tools.twins import CHECKPOINT, MOTION_MODULE

WIDTHS = (320, 320)  # of `write_sd15`'s levels


def main(models: Path) -> None:
    sys.path.insert(0, str(COMFYUI))
    importlib.import_module("comfy.cli_args").args.cpu = True
    for folder in ("checkpoints", "animatediff_models"):
        (models / folder).mkdir(parents=True, exist_ok=True)
    write_sd15(models / "checkpoints" / CHECKPOINT)
    torch.save(published(skeleton(WIDTHS, per_block=1), per_block=1), models / "animatediff_models" / MOTION_MODULE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
