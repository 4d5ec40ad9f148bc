"""The set-up, killed at any moment, works when it is run again; and no ComfyUI outlives whoever started it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launch import environment, server, whole_files
from launch.environment import ROOT

MAKE_VENV = """
import sys
from pathlib import Path
from launch import environment as e
e.VENV = Path(sys.argv[1]); e.STAMP = e.VENV / "steps.json"; e.MADE = e.VENV / "made"
e.make_venv()
print("made")
"""
SERVE = """
import sys, time
from pathlib import Path
from launch.server import Server
with Server(Path(sys.executable), comfyui=Path(sys.argv[1]), base=Path(sys.argv[2]), timeout=60) as server:
    print(server.process.pid, server.port, flush=True)
    time.sleep(600)
"""
FAKE_COMFYUI = """
import sys, json
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(json.dumps(sys.argv).encode())
    def log_message(self, *args): pass
if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


def test_a_virtual_environment_that_was_killed_while_it_was_made_is_made_anew(tmp_path: Path) -> None:
    place = tmp_path / "venv"
    command = [sys.executable, "-c", MAKE_VENV, str(place)]
    killed = 0
    for seconds in (0.4, 1.2, 3.0):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=os.name != "nt")
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            if os.name == "nt":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
    assert killed
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout.splitlines()[-1] == "made", result.stderr
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    assert subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "set-up" not in again.stdout, "now it is there"


def test_a_virtual_environment_without_pip_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is when it was cut off between Python and pip."""
    made: list[bool] = []
    for name, place in (("VENV", tmp_path), ("STAMP", tmp_path / "steps.json"), ("MADE", tmp_path / "made")):
        monkeypatch.setattr(environment, name, place)
    monkeypatch.setattr(environment.venv, "create", lambda place, clear, with_pip: made.append(clear))
    python = environment.venv_python()
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    environment.make_venv()
    assert made == [True]
    environment.make_venv()
    assert made == [True], "now it is whole"


def test_packages_that_were_cut_off_are_installed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    for name, there in (("whole", True), ("cut", False)):
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "RECORD").write_text(f"{name}.py,sha256=x,3\n{name}-1.0.dist-info/RECORD,,\n__pycache__/{name}.cpython-311.pyc,,\n")
        if there:
            (site / f"{name}.py").touch()
    (site / "empty-1.0.dist-info").mkdir()
    monkeypatch.setattr(environment, "VENV", tmp_path)
    environment.forget_broken()
    assert [info.name for info in site.glob("*.dist-info")] == ["whole-1.0.dist-info"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\0" * 20])
def test_a_record_that_was_cut_off_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    installed: list[str] = []
    stamp = tmp_path / "stunet-steps.json"
    stamp.write_text(content)
    monkeypatch.setattr(environment, "STAMP", stamp)
    for name in ("make_venv", "unpack_comfyui", "forget_broken"):
        monkeypatch.setattr(environment, name, lambda: None)
    monkeypatch.setattr(environment, "install", lambda step: installed.append(step.name))
    environment.prepare()
    assert installed == list(json.loads(stamp.read_text()))


def test_a_step_that_was_killed_is_done_again_from_what_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    monkeypatch.setattr(environment, "STAMP", tmp_path / "steps.json")
    for name in ("make_venv", "unpack_comfyui"):
        monkeypatch.setattr(environment, name, lambda: None)
    monkeypatch.setattr(environment, "forget_broken", lambda: looked.append(1))
    monkeypatch.setattr(environment, "install", lambda step: None)
    environment.prepare()
    environment.prepare()
    assert len(looked) == 1, "the first time"

    def killed(step: environment.Step) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "install", killed)
    with pytest.raises(KeyboardInterrupt):
        environment.prepare(("train",))
    monkeypatch.setattr(environment, "install", lambda step: None)
    environment.prepare(("train",))
    assert len(looked) == 2


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clip.mp4"
    whole_files.write_bytes(path, b"old")

    def cut_off(source: Path, target: Path) -> None:
        Path(target).write_bytes(b"n")
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfile", cut_off)
    with pytest.raises(KeyboardInterrupt):
        whole_files.copy(path, tmp_path / "copy.mp4")
    assert not (tmp_path / "copy.mp4").exists()
    with pytest.raises(KeyboardInterrupt):
        server.prepare_base(tmp_path / "base")
    assert not [f.name for f in (tmp_path / "base" / "input").iterdir() if not f.name.startswith(".")], "half a picture would stay for ever"


def test_sound_packages_for_another_torch_do_without_their_compiled_part(tmp_path: Path) -> None:
    package = tmp_path / "torchaudio"
    (package / "lib").mkdir(parents=True)
    (package / "lib" / "_torchaudio.abi3.so").touch()
    code = "import pathlib\nif list((pathlib.Path(__file__).parent / 'lib').glob('_*')):\n    raise OSError\n"
    (package / "__init__.py").write_text(code)
    for name in ("functional", "transforms"):
        (package / f"{name}.py").touch()
    command = [sys.executable, "-c", environment.SOUND]
    result = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert not list((package / "lib").iterdir())


def test_inputs_of_an_earlier_version_are_replaced_and_a_users_own_stay(tmp_path: Path) -> None:
    """The templates' pictures got another size with the second mini model; old ones would be scaled up, or not fit their masks."""
    inputs = tmp_path / "input"
    inputs.mkdir()
    (inputs / "stunet_rocket.png").write_bytes(b"of an earlier version")
    (inputs / "mine.png").write_bytes(b"a user's")
    server.prepare_base(tmp_path)
    ours = ROOT / "workflows" / "input"
    assert {path.name: path.read_bytes() for path in inputs.iterdir()} == {
        **{path.name: path.read_bytes() for path in ours.iterdir()}, "mine.png": b"a user's"}


@pytest.mark.parametrize("port", ["70000", "-1", "x"])
def test_a_port_that_is_none_is_said(port: str) -> None:
    command = [sys.executable, str(ROOT / "run.py"), "serve", f"--port={port}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert f"--port: {port}: must be a number from 0 to 65535" in result.stderr and "Traceback" not in result.stderr


def test_a_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    comfyui = tmp_path / "ComfyUI"
    (comfyui / "comfy").mkdir(parents=True)
    (comfyui / "main.py").write_text(FAKE_COMFYUI)
    (comfyui / "comfy" / "cli_args.py").touch()
    command = [sys.executable, "-c", SERVE, str(comfyui), str(tmp_path / "base")]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    port = int(parent.stdout.readline().split()[1])
    assert not server.is_free(port)
    assert "main.py" in server.Client(f"http://127.0.0.1:{port}").json("/")[0]
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while not server.is_free(port) and time.monotonic() < end:
        time.sleep(0.1)
    assert server.is_free(port), "the server still runs"
