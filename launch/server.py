"""A headless ComfyUI with this pack in it: started on a free port, awaited, stopped cleanly."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from . import whole_files
from .client import Client
from .environment import COMFYUI, ROOT, VENV, SetupError

ATTENDED = Path(__file__).with_name("attended.py")
BASE = ROOT / ".comfyui" / "base"
PACK_NAME = "stunet"
NOT_PART_OF_THE_PACK = (".git", ".venv", ".comfyui", "output", "runs", "__pycache__")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """True when nothing listens on `port` of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def prepare_base(base: Path, settings: Mapping[str, object] | None = None) -> None:
    """Make `base` a ComfyUI base directory whose only custom node is this pack.

    An existing ComfyUI is used with a base directory of ours, so that nothing is written into the user's folder.
    What the templates load is put into its input folder; what an earlier version of the pack put there is replaced.
    `settings` become the frontend's settings (`user/default/comfy.settings.json`).
    """
    for folder in ("custom_nodes", "user/default", "input", "output", "models"):
        (base / folder).mkdir(parents=True, exist_ok=True)
    for picture in sorted((ROOT / "workflows" / "input").glob("*")):
        place = base / "input" / picture.name
        if not place.exists() or place.read_bytes() != picture.read_bytes():
            whole_files.copy(picture, place)
    link_pack(base / "custom_nodes" / PACK_NAME)
    if settings is not None:
        whole_files.write_json(base / "user/default/comfy.settings.json", settings)


def link_pack(place: Path) -> None:
    """Put the pack at `place`: a symlink, else a junction (Windows without the right to symlink), else a copy."""
    if place.is_dir() and place.resolve() == ROOT:
        return
    if place.is_symlink():
        place.unlink()
    elif place.exists():
        shutil.rmtree(place)  # an earlier copy: made anew, since the pack may have changed
    try:
        place.symlink_to(ROOT, target_is_directory=True)
        return
    except OSError:
        pass
    try:
        import _winapi

        _winapi.CreateJunction(str(ROOT), str(place))  # type: ignore[attr-defined,unused-ignore]
    except (ImportError, AttributeError, OSError):
        shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*NOT_PART_OF_THE_PACK))


def models_config(comfyui: Path, base: Path) -> Path:
    """An extra_model_paths file (JSON is YAML) under `base` that names every model folder of an existing ComfyUI."""
    models = comfyui / "models"
    folders = sorted(f.name for f in models.iterdir() if f.is_dir()) if models.is_dir() else []
    path = base / "models_of_comfyui.yaml"
    content = {"existing_comfyui": {"base_path": str(models.resolve()), **{name: name for name in folders}}}
    whole_files.write_json(path, content)
    return path


def has_accelerator(python: Path) -> bool:
    """True when the torch of `python` can use an accelerator: ComfyUI has to be told when it can't."""
    places = ("lib/python*/site-packages", "Lib/site-packages")
    if VENV in python.parents and any(next(VENV.glob(f"{place}/torch-*+cpu.dist-info"), None) for place in places):
        return False  # no need to import torch (seconds) to know
    code = (
        "import torch; xpu = getattr(torch, 'xpu', None);"
        "print(torch.cuda.is_available() or torch.backends.mps.is_available() or bool(xpu and xpu.is_available()))"
    )
    result = subprocess.run([python, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    return result.stdout.strip() == "True"


class Server:
    """Context manager: `with Server(python) as server: server.client.submit(workflow)`.

    Args:
        python: the Python that has ComfyUI's packages.
        comfyui: ComfyUI's folder.
        base: base directory, see `prepare_base`; made here.
        port: 0 takes a free one; one that is taken is a SetupError.
        settings: settings of the frontend, written before the start.
        arguments: further arguments for ComfyUI's main.py.
        log: file for what ComfyUI prints; None lets it print to the terminal.
        timeout: seconds to wait until it answers.

    Raises SetupError, with the end of the log, when ComfyUI ends or does not answer in time.
    """

    def __init__(
        self,
        python: Path,
        *,
        comfyui: Path = COMFYUI,
        base: Path = BASE,
        port: int = 0,
        settings: Mapping[str, object] | None = None,
        arguments: Sequence[str] = (),
        log: Path | None = None,
        timeout: float = 600.0,
    ) -> None:
        if port and not is_free(port):
            raise SetupError(f"port {port} is in use, perhaps by another ComfyUI: choose another, or 0 for a free one")
        prepare_base(base, settings)
        self.log, self.timeout = log, timeout
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = Client(self.url)
        self.base, self.comfyui = base, comfyui
        command = [str(python), "-W", "ignore", str(ATTENDED), "main.py", "--listen", "127.0.0.1", "--port", str(self.port)]
        command += ["--base-directory", str(base)]
        known = (comfyui / "comfy" / "cli_args.py").read_text(encoding="utf-8")
        for name, values in (("--database-url", ["sqlite:///:memory:"]), ("--disable-api-nodes", [])):
            if name in known:  # older and newer ComfyUIs differ here
                command += [name, *values]
        if not has_accelerator(python):
            command.append("--cpu")
        self.command = [*command, *arguments]
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        environment.pop("PYTHONPATH", None)
        new_group = subprocess.CREATE_NEW_PROCESS_GROUP if os.name == "nt" else 0  # type: ignore[attr-defined,unused-ignore]
        output = self.log.open("wb") if self.log else None
        try:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.comfyui,
                env=environment,
                stdin=subprocess.PIPE,  # it ends when this closes, which it does however we end
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=os.name != "nt",  # Ctrl-C reaches us first; we stop the server
                creationflags=new_group,
            )
        finally:
            if output:
                output.close()
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self) -> None:
        assert self.process
        end = time.monotonic() + self.timeout
        while time.monotonic() < end:
            if (code := self.process.poll()) is not None:
                raise SetupError(f"ComfyUI ended while starting (exit status {code}).\n{self.log_tail()}")
            try:
                self.client.json("/system_stats", timeout=5)
                return
            except OSError:
                time.sleep(0.2)
        raise SetupError(f"ComfyUI did not answer within {self.timeout:.0f} s.\n{self.log_tail()}")

    def log_tail(self, lines: int = 30) -> str:
        """The last lines that ComfyUI printed."""
        if not self.log or not self.log.exists():
            return ""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])

    def wait(self) -> int:
        """Wait until ComfyUI ends by itself; returns its exit status."""
        assert self.process
        return self.process.wait()

    def stop(self) -> None:
        """Ask ComfyUI to end as Ctrl-C does; then less and less politely, every 10 s."""
        process, self.process = self.process, None
        if process is None:
            return
        try:
            self._end(process)
        finally:
            if process.stdin:
                process.stdin.close()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is not None:
            return
        polite = signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGINT  # type: ignore[attr-defined,unused-ignore]
        # The second is for a server that inherited "ignore Ctrl-C", as everything does that a shell starts with "&".
        for ask in (lambda: process.send_signal(polite), process.terminate, process.kill):
            ask()
            try:
                process.wait(10)
                return
            except subprocess.TimeoutExpired:
                continue
