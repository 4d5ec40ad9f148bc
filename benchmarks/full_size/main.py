"""A checkpoint of SD1.5's full size in a real ComfyUI: 80 frames in one pass, how long a step takes and how much memory it needs.

    python run.py bench full_size                          # 80 frames at 256x256, 2 steps: about a quarter of an hour on two cores
    python run.py bench full_size --frames 16 --steps 1    # to see that it runs

Load Checkpoint, Apply STUNet with motion modules of full size and time strides `lumiere`, core's KSampler with guidance: all weights
are random (bf16), so only cost is measured. Prints a table and writes output/bench/full_size.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from launch.server import Server

ROOT = Path(__file__).resolve().parents[2]
MOST = 12.0  # GiB of resident memory


def workflow(frames: int, size: int, steps: int) -> dict:
    """The API form; the latents are saved, not decoded: the VAE's cost is not the question."""
    def text(words: str) -> dict:
        return {"class_type": "CLIPTextEncode", "inputs": {"text": words, "clip": ["1", 1]}}

    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "full_size.safetensors"}},
        "2": {"class_type": "STUNetApply", "inputs": {
            "model": ["1", 0], "weights": "full_size.safetensors", "strength": 1.0, "loop": False}},
        "3": text("a rocket flying up"), "4": text(""),
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": size, "height": size, "batch_size": frames}},
        "6": {"class_type": "KSampler", "inputs": {
            "model": ["2", 0], "positive": ["3", 0], "negative": ["4", 0], "latent_image": ["5", 0], "seed": 1, "steps": steps, "cfg": 7.0,
            "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}},
        "7": {"class_type": "SaveLatent", "inputs": {"samples": ["6", 0], "filename_prefix": "full_size"}},
    }


class Resident(threading.Thread):
    """The highest resident memory of a process and its children, in GiB, until `end` is called."""

    def __init__(self, process: psutil.Process):
        super().__init__(daemon=True)
        self.process, self.most, self.ended = process, 0.0, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.05):
            held = sum(each.memory_info().rss for each in (self.process, *self.process.children(recursive=True)))
            self.most = max(self.most, held / 2**30)

    def end(self) -> float:
        self.ended.set()
        self.join()
        return self.most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--size", type=int, default=256, help="pixels")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "bench" / "full_size.json")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="stunet") as folder:
        base = Path(folder)
        print("writing the checkpoint", flush=True)
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.full_size.checkpoint", str(base / "models")]
        subprocess.run(command, cwd=ROOT, check=True)
        with Server(Path(sys.executable), base=base, arguments=["--bf16-unet"], log=base / "log.txt") as server:
            assert server.process is not None
            watch = Resident(psutil.Process(server.process.pid))
            watch.start()
            start = time.monotonic()
            server.client.submit(workflow(args.frames, args.size, args.steps), timeout=7200)
            seconds, memory = time.monotonic() - start, watch.end()
    figures = {"frames": args.frames, "size": args.size, "steps": args.steps, "seconds": round(seconds, 1),
               "resident_gib": round(memory, 2)}
    for name, value in figures.items():
        print(f"{name:<16}{value:>10}{f'   wanted < {MOST:g}' if name == 'resident_gib' else ''}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"written to {args.out}")


if __name__ == "__main__":
    main()
