"""What the moving preview costs: its share of the time that sampling takes, inside ComfyUI, with the bundled weights.

    python run.py bench preview         # 80 frames, 8 steps; a minute or two on two cores

All in one run: the time of each preview (frames to colours, one JPEG, handing it to the server) against that of the sampling around them.
Prints a table and writes output/bench/preview.json.
"""

import argparse
import cProfile
import importlib
import json
import pstats
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from benchmarks.speed.inside import load

ROOT = Path(__file__).resolve().parents[2]
WANTED = {"share": "at most 0.02", "first_step": "at most 2"}


class Watched:
    """A server with one tab that looks; what is sent to it is kept."""

    client_id = "tab"

    def __init__(self) -> None:
        self.prompt_queue, self.sent = SimpleNamespace(currently_running={}), list[Any]()

    def send_sync(self, event: str, data: Any, sid: str) -> None:
        json.dumps(data)  # as the socket would have it
        self.sent.append(data)


def seconds_in(profile: cProfile.Profile, file: str, *names: str) -> float:
    """Seconds that functions of a file took, with all that they called."""
    calls: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    found = {name: times[3] for (path, _, name), times in calls.items() if Path(path).name == file and name in names}
    if found.keys() != set(names):
        raise RuntimeError(f"{file}: of {', '.join(names)} only {', '.join(found) or 'none'} ran: what was timed is no preview")
    return sum(found.values())


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "bench" / "preview.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        host = load(Path(folder))
        told = importlib.import_module("comfy.cli_args")
        told.args.preview_method = told.LatentPreviewMethod.Auto
        cache = host("runtime.weight_cache").WeightCache()
        mini, clip, _ = host("mini.model").load_mini(cache, ROOT / "weights" / "mini.safetensors")
        model = host("walk.apply").apply_skeleton(cache, mini, ROOT / "weights" / "mini_stunet.safetensors")
        server = Watched()
        sys.modules["server"] = ModuleType("server")
        sys.modules["server"].PromptServer = SimpleNamespace(instance=server)  # type: ignore[attr-defined]
        encode = importlib.import_module("nodes").CLIPTextEncode().encode
        conds = [encode(clip, text)[0] for text in ("a 3d style rocket flying up on a purple background", "")]
        profile = cProfile.Profile()
        start = time.perf_counter()
        with importlib.import_module("comfy_execution.utils").CurrentNodeContext("prompt", "1"):
            profile.runcall(host("walk.sample").sample, model, {"samples": torch.zeros(args.frames, 8, 16, 16)}, *conds, seed=1,
                            steps=args.steps, cfg=1.5, sampler="euler", scheduler="simple", denoise=1.0)
        whole = time.perf_counter() - start
        shown = seconds_in(profile, "clip_preview.py", "strip") + seconds_in(profile, "preview_target.py", "send")
    figures = {"share": shown / whole, "first_step": server.sent[0]["step"], "previews": len(server.sent),
               "preview_ms": 1000 * shown / len(server.sent), "kilobytes": len(server.sent[0]["image"]) / 1000,
               "frames": args.frames, "steps": args.steps}
    for name, value in figures.items():
        print(f"{name:<12}{value:>10.4f}  {WANTED.get(name, '')}".rstrip())
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
