"""What `run.py demo` does around ComfyUI: the workflow it submits, the file it writes, what it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from launch import demo


def test_the_workflow_gets_prompt_seed_and_steps() -> None:
    nodes = demo.workflow("a flat cat", seed=7, steps=3)
    texts = [node["inputs"]["text"] for node in nodes.values() if node["class_type"] == "CLIPTextEncode"]
    assert texts.count("a flat cat") == 1
    samplers = [node["inputs"] for node in nodes.values() if "steps" in node["inputs"]]
    assert samplers
    assert all(inputs["steps"] == 3 for inputs in samplers)
    assert any(inputs.get("seed", inputs.get("noise_seed")) == 7 for inputs in samplers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompt": "  "}, "prompt is empty"),
        ({"prompt": "a cat", "steps": 0}, "--steps 0"),
        ({"prompt": "a cat", "seed": -1}, "--seed -1"),
    ],
)
def test_bad_input_is_told_before_any_set_up(arguments: dict, message: str) -> None:
    with pytest.raises(demo.DemoError, match=message):
        demo.workflow(**arguments)


def test_without_a_positive_prompt_the_error_says_so() -> None:
    with pytest.raises(demo.DemoError, match="titled positive"):
        demo.set_prompt({"1": {"class_type": "CLIPTextEncode", "inputs": {}, "_meta": {"title": "Negative"}}}, "a cat")


def test_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    assert demo.target("A 3D rocket, flying up!", None) == tmp_path / "output" / "a-3d-rocket-flying-up.mp4"
    assert demo.target("///", None).name == "clip.mp4"
    assert len(demo.slug("word " * 2000)) <= 60
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "clip.mp4").touch()
    assert demo.target("?", None).name == "clip-2.mp4"
    assert demo.target("cat", tmp_path / "mine.mp4") == tmp_path / "mine.mp4"
    assert demo.target("cat", tmp_path / "clips") == tmp_path / "clips" / "cat.mp4"


def test_progress_prints_nodes_and_steps() -> None:
    lines: list[str] = []
    nodes = {"3": {"class_type": "KSampler", "inputs": {}, "_meta": {"title": "Sample"}}}
    progress = demo.Progress(nodes, lines.append)
    progress.live = False
    progress({"type": "executing", "data": {"node": "3"}})
    progress({"type": "progress", "data": {"value": 2, "max": 24}})
    progress({"type": "executing", "data": {"node": None}})
    assert [line.strip() for line in lines] == ["Sample", "step 2 of 24"]


def test_progress_says_how_long_it_will_take(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    progress = demo.Progress({}, lines.append)
    progress.live = False
    progress({"type": "executing", "data": {"node": "3"}})
    for step, clock in ((1, 10.0), (2, 13.0), (3, 16.0), (4, 19.0)):
        monkeypatch.setattr(demo.time, "monotonic", lambda now=clock: now)
        progress({"type": "progress", "data": {"value": step, "max": 4}})
    left = ["", ", about 6 s left", ", about 3 s left", ""]
    assert [line.strip() for line in lines[1:]] == [f"step {n} of 4{text}" for n, text in enumerate(left, start=1)]


def test_without_a_prompt_it_is_the_workflows_own() -> None:
    assert demo.workflow(demo.own_prompt()) == json.loads(demo.WORKFLOW.read_text(encoding="utf-8"))


def test_what_the_nodes_said_is_told_once(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    log.write_text("got prompt\nSTUNet: not known: playing\nSTUNet: not known: playing\n[INFO] STUNet: wolf is drawn as dog\n")
    assert demo.told(log) == ["not known: playing", "wolf is drawn as dog"]
    assert demo.told(tmp_path / "none.log") == []


@pytest.mark.parametrize(("command", "words"), [
    ([], ["run.py demo ", "run.py serve --comfyui", "run.py bench speed"]), (["demo"], ["run.py demo "]), (["serve"], ["--port 0"]),
])
def test_help_has_examples_that_run(command: list[str], words: list[str]) -> None:
    asked = [sys.executable, str(demo.ROOT / "run.py"), *command, "--help"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert all(word in told for word in words)
    assert "run.py train" not in told or not command
