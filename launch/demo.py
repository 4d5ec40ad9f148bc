"""Make a clip from a prompt: submit workflows/api/text_to_video.json to a ComfyUI and fetch the MP4 it saves."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .client import Client, Workflow, WorkflowFailed, WorkflowRejected
from .environment import ROOT

NOTICE = "STUNet: "  # what the nodes' notices begin with in ComfyUI's log
WORKFLOW = ROOT / "workflows" / "api" / "text_to_video.json"


class DemoError(RuntimeError):
    """The demo could not be made; the message says why."""


def own_prompt() -> str:
    """The workflow's own prompt, for a demo without one."""
    nodes: Workflow = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    return str(positive(nodes)["text"])


def workflow(prompt: str, *, seed: int | None = None, steps: int | None = None) -> Workflow:
    """The text-to-video workflow with this prompt, and seed and steps where they are given."""
    if not prompt.strip():
        raise DemoError('the prompt is empty; say what to show, for example "a cartoon whale jumping in the sea"')
    if steps is not None and steps < 1:
        raise DemoError(f"--steps {steps}: must be 1 or more")
    if seed is not None and not 0 <= seed < 2**64:
        raise DemoError(f"--seed {seed}: must be from 0 to 2^64 - 1")
    nodes: Workflow = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    set_prompt(nodes, prompt)
    for name, value in (("seed", seed), ("noise_seed", seed), ("steps", steps)):
        for node in nodes.values():
            if value is not None and isinstance(node["inputs"].get(name), int):
                node["inputs"][name] = value
    return nodes


def set_prompt(nodes: Workflow, prompt: str) -> None:
    """Put `prompt` into the CLIPTextEncode node that is titled positive."""
    positive(nodes)["text"] = prompt


def positive(nodes: Workflow) -> dict[str, Any]:
    """The inputs of the CLIPTextEncode node that is titled positive."""
    for node in nodes.values():
        if node["class_type"] == "CLIPTextEncode" and "positive" in node.get("_meta", {}).get("title", "").lower():
            return node["inputs"]
    raise DemoError(f"{WORKFLOW.name} has no CLIPTextEncode node titled positive")


def target(prompt: str, output: Path | None) -> Path:
    """Where the clip goes: `output`, or output/<the prompt's words>.mp4 with a number when that exists."""
    if output is not None:
        output = output.expanduser().resolve()
        return output if output.suffix.lower() == ".mp4" else output / f"{slug(prompt)}.mp4"
    first = path = ROOT / "output" / f"{slug(prompt)}.mp4"
    number = 2
    while path.exists():
        path = first.with_stem(f"{first.stem}-{number}")
        number += 1
    return path


def slug(prompt: str) -> str:
    """The prompt as a file name: lower-case letters, digits and dashes, at most 60 of them."""
    return re.sub(r"\W+", "-", prompt.lower()).strip("-_")[:60].rstrip("-") or "clip"


def render(client: Client, nodes: Workflow, say: Callable[[str], None]) -> bytes:
    """Run the workflow with its progress on the terminal; returns the MP4."""
    try:
        run = client.submit(nodes, Progress(nodes, say))
    except (WorkflowRejected, WorkflowFailed, TimeoutError) as error:
        raise DemoError(f"ComfyUI did not make the clip: {error}") from error
    except OSError as error:
        raise DemoError(f"the connection to ComfyUI was lost ({error}); its log is .comfyui/base/demo.log") from error
    for file in run.files():
        if file.filename.lower().endswith(".mp4"):
            return client.download(file)
    raise DemoError(f"{WORKFLOW.name} saved no MP4 (it saved {[f.filename for f in run.files()] or 'nothing'})")


def told(log: Path) -> list[str]:
    """What the pack's nodes had to say while they ran (words of the prompt that the model does not know, and the like), each once."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    said = (line.partition(NOTICE)[2].strip() for line in lines if NOTICE in line)
    return list(dict.fromkeys(said))


class Progress:
    """Prints which node runs, how far it is and how long it will take: one moving line on a terminal, plain lines elsewhere."""

    def __init__(self, nodes: Workflow, say: Callable[[str], None]) -> None:
        self.names = {name: node.get("_meta", {}).get("title") or node["class_type"] for name, node in nodes.items()}
        self.say = say
        self.live = sys.stdout.isatty()
        self.open = False  # a moving line is on the terminal and not yet ended
        self.begun = 0.0, 0  # when the first step of the node that runs was done, and its number

    def __call__(self, event: dict[str, Any]) -> None:
        data = event["data"]
        if event["type"] == "executing":
            self.end_line()
            self.begun = 0.0, 0
            if data.get("node") is not None:
                self.say(f"  {self.names.get(data['node'], data['node'])}")
        elif event["type"] == "progress":
            line = f"    step {data['value']} of {data['max']}{self.left(data['value'], data['max'])}"
            if self.live:
                print(f"\r{line:60}", end="", flush=True)
                self.open = True
            else:
                self.say(line)

    def left(self, done: int, steps: int) -> str:
        """", about N s left", as soon as two steps have been timed."""
        now, (since, first) = time.monotonic(), self.begun
        if not since:
            self.begun = now, done
        if not since or done <= first or done >= steps:
            return ""
        return f", about {(now - since) / (done - first) * (steps - done):.0f} s left"

    def end_line(self) -> None:
        if self.open:
            print(flush=True)
            self.open = False
