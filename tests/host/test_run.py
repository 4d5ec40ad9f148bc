"""`run.py` as a user types it, with a ComfyUI that is already there."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from launch.environment import COMFYUI, ROOT
from launch.server import free_port, is_free
from tests.host.video import decode

RUN = [sys.executable, "-u", str(ROOT / "run.py")]


def test_demo_writes_the_clip_says_where_and_how_far_it_is(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "rocket.mp4"
    command = [*RUN, "demo", "a flat rocket on a red background", "--steps", "2", "--output", str(target)]
    result = subprocess.run([*command, "--comfyui", str(COMFYUI)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    assert lines[-1] == str(target)
    steps = [line.strip() for line in lines if "step " in line]
    assert steps[:2] == ["step 1 of 2", "step 2 of 2"], "sampling; decoding has steps of its own after it"
    assert steps[2:] and len(set(steps[2:])) == len(steps[2:])
    assert decode(target.read_bytes()).frames.shape == (80, 256, 256, 3)


def test_serve_prints_its_address_and_stops_with_ctrl_c() -> None:
    port = free_port()
    command = [*RUN, "serve", "--comfyui", str(COMFYUI), "--port", str(port)]
    # As from a terminal: whoever runs the suite in the background makes its children ignore Ctrl-C.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert process.stdout
    printed = []
    for line in process.stdout:
        printed.append(line)
        if "ComfyUI with STUNet" in line:
            break
    assert f"http://127.0.0.1:{port}" in "".join(printed[-1:]), "".join(printed)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert is_free(port), "ComfyUI is still running"


def test_a_folder_without_comfyui_is_refused(tmp_path: Path) -> None:
    command = [*RUN, "demo", "a cat", "--comfyui", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "not a ComfyUI folder" in result.stderr
    assert "Traceback" not in result.stderr
