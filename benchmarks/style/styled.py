"""Clips in the style of a picture, made by the pack's own nodes in a real ComfyUI."""

import io
import itertools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from launch.client import Client, Workflow
from training.common.sampling import DIFFERENCE, STEADY

REFERENCE = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "levels": "all", "fit": "crop", "weights": ""}
FIT = {"rank": 8, "learning_rate": 0.002, "seed": 0, "layers": "attention and convolutions", "size": 256, "fit": "crop", "name": "bench"}
WORDS = {"steps": 40, "learning_rate": 0.02, "seed": 0, "size": 256, "fit": "crop"}
PALETTE_UNTIL = 0.5  # of sampling, beside words: longer, and the palette recolours the thing
TIMEOUT = 3600.0  # seconds for one clip


@dataclass(frozen=True)
class StyledSettings:
    """How clips are made: frames, sampling steps, guidance; the reference's mode, and the steps of a fit."""

    frames: int
    steps: int
    cfg: float
    mode: str
    fit_steps: int


def upload(client: Client, name: str, picture: np.ndarray) -> str:
    """Put a picture [H, W, 3] uint8 into ComfyUI's input folder; -> its name for LoadImage."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return client.upload(name, buffer.getvalue())


def workflow(how: StyledSettings, text: str, seed: int, style: str = "none", picture: str = "", caption: str = "") -> Workflow:
    """text to video, with `style` "none", "reference", "words", "words and palette" or "fit" of a picture whose caption names no style."""
    nodes: dict[str, tuple[str, dict[str, Any]]] = {
        "mini": ("STUNetLoadMini", {"weights": "mini.safetensors"}),
        "positive": ("CLIPTextEncode", {"text": text, "clip": ["mini", 1]}),
        "negative": ("CLIPTextEncode", {"text": "", "clip": ["mini", 1]}),
        "clip": ("STUNetEmptyClip", {"width": 256, "height": 256, "seconds": how.frames / 16, "fps": 16.0}),
    }
    image = {"image": ["picture", 0]}
    if style != "none":
        nodes["picture"] = ("LoadImage", {"image": picture})
    positive = "worded" if style.startswith("words") else "positive"
    if positive == "worded":
        nodes["words"] = ("STUNetFitWords", {"model": ["mini", 0], "clip": ["mini", 1], "vae": ["mini", 2], "caption": caption}
                          | image | WORDS)
        nodes["worded"] = ("STUNetAddWords", {"conditioning": ["positive", 0], "words": ["words", 0], "strength": 1.0})
    if style == "words and palette":
        nodes["style"] = ("STUNetStyleReference", {"model": ["mini", 0], "vae": ["mini", 2], "mode": "statistics"} | image | REFERENCE
                          | {"end_percent": PALETTE_UNTIL})
    elif style == "reference":
        nodes["style"] = ("STUNetStyleReference", {"model": ["mini", 0], "vae": ["mini", 2], "mode": how.mode} | image | REFERENCE)
    elif style == "fit":
        nodes["style"] = ("STUNetFitStyle", {"model": ["mini", 0], "clip": ["mini", 1], "vae": ["mini", 2], "caption": caption,
                                             "steps": how.fit_steps} | image | FIT)
    nodes["model"] = ("STUNetApply", {"model": ["style" if "style" in nodes else "mini", 0], "weights": "mini_stunet.safetensors",
                                      "strength": 1.0, "loop": False})
    nodes["steady"] = ("STUNetSteady", {"model": ["model", 0], "frames": STEADY, "difference": DIFFERENCE, "start_percent": 0.0,
                                        "end_percent": 1.0})
    nodes["sample"] = ("STUNetSampler", {
        "model": ["steady", 0], "positive": [positive, 0], "negative": ["negative", 0], "latent": ["clip", 0], "seed": seed,
        "steps": how.steps, "cfg": how.cfg, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0, "vae": ["mini", 2]})
    nodes["save"] = ("SaveImage", {"images": ["sample", 1], "filename_prefix": f"bench/{style}"})
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def make(client: Client, nodes: Workflow) -> tuple[np.ndarray, dict[str, float]]:
    """Run a workflow: -> the clip [F, H, W, 3] uint8, and the seconds that each of its nodes took."""
    began: list[tuple[str, float]] = []

    def watch(event: dict[str, Any]) -> None:
        if event.get("type") == "executing":
            began.append((event.get("data", {}).get("node") or "", time.monotonic()))

    run = client.submit(nodes, watch, TIMEOUT)
    frames = [np.asarray(Image.open(io.BytesIO(client.download(file))).convert("RGB")) for file in run.files("save")]
    return np.stack(frames), {node: then - now for (node, now), (_, then) in itertools.pairwise(began)}
