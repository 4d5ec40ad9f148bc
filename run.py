#!/usr/bin/env python3
"""The one command of this repository: it makes what it needs, then does one thing. `run.py --help` lists them."""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):
    sys.exit(f"run.py needs Python 3.11 or later; this is Python {sys.version.split()[0]} ({sys.executable}).")

import argparse
import os
import signal
import subprocess
from pathlib import Path

from launch import browser, demo, environment, whole_files
from launch.environment import ROOT, SetupError
from launch.server import BASE, Server, models_config

STAGES = {
    "autoencoder": "the autoencoder: 256x256 frames to 16x16x8 latents and back",
    "text": "the text encoder: what captions say, motion words included",
    "image": "the image model: single frames from captions, pictures of things and drafts (needs autoencoder and text)",
    "poses": "the pose head alone: where things are when, on scenes that nobody draws (needs image)",
    "video": "the space-time skeleton on the frozen image model: whole clips, all tasks mixed (needs image)",
    "judges": "the classifiers that only measure: what a clip shows, and how it moves (no other stage needs them)",
    "export": "no training: writes weights/ from the checkpoints in runs/",
    "own": "not the mini model: temporal layers for your own checkpoint, on your own videos (docs/training.md)",
}
ELSEWHERE = {"own": "training.finetune.train"}  # all others are in training/stages


PROCESSES = 4  # that run tests, at most: each holds a ComfyUI


EXAMPLES = """examples:
  run.py demo                                  a clip of the model's own example, with its progress, in output/
  run.py demo "a cartoon whale jumping"        a clip of yours
  run.py demo "a red car" --seed 3 --steps 4   another one, in half the time
  run.py serve                                 ComfyUI with the pack, at http://127.0.0.1:8188
  run.py serve --comfyui ~/ComfyUI --port 0    yours, with your models, on a free port
  run.py test -k masks                         part of the suite
  run.py train image --help                    the options of one stage
  run.py bench speed                           a table of what is how fast here"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="run.py",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="STUNet for ComfyUI. The first run of a command makes .venv and .comfyui; later runs skip that.",
        epilog=EXAMPLES,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser(
        "demo", help="make a clip from a prompt, in a real ComfyUI", description=demo.__doc__, epilog=only("demo"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("prompt", nargs="?", help="what the clip shows (default: the workflow's own)")
    command.add_argument("--comfyui", type=Path, metavar="PATH", help="use this ComfyUI instead of making one")
    command.add_argument("--seed", type=int, help="another seed gives another clip (default: the workflow's)")
    command.add_argument("--steps", type=int, help="sampling steps (default: the workflow's)")
    command.add_argument("--output", type=Path, metavar="FILE", help="default: output/<prompt>.mp4")

    command = commands.add_parser(
        "serve", help="start ComfyUI with the pack, print its address, until Ctrl-C", epilog=only("serve"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--comfyui", type=Path, metavar="PATH", help="use this ComfyUI, with its models, instead")
    command.add_argument("--port", type=port, default=8188, help="0 takes a free one (default: %(default)s)")

    commands.add_parser("test", help="run the whole suite; arguments go to pytest (-n 0: in one process)", add_help=False)

    command = commands.add_parser(
        "train",
        help="train the mini model stage by stage, or on your own videos",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train the mini model on the procedural world of training/world. The stages, in this order:\n\n"
        + "\n".join(f"  {stage:12} {what}" for stage, what in STAGES.items())
        + "\n\nEvery stage saves a checkpoint every five minutes in runs/STAGE, with its learning curve (log.json) and contact sheets; "
        "with\n--resume it goes on exactly there, with --resume --decay STEPS it lets the learning rate fall from there and ends. A GPU is "
        "used if\nthere is one. `run.py train STAGE --help` lists the options of a stage.",
        add_help=False,
    )
    command.add_argument("stage", choices=STAGES, nargs="?")
    command.add_argument("-h", "--help", action="store_true", help="show the stages, or the options of one stage")

    command = commands.add_parser("bench", help="measure the shipped weights and print a table")
    command.add_argument("name", choices=benchmarks(), help="the result is also written to output/bench/NAME.json")
    return top


def only(command: str) -> str:
    """The examples of one command."""
    first, *lines = EXAMPLES.splitlines()
    return "\n".join([first, *(line for line in lines if line.split()[1] == command)])


def port(text: str) -> int:
    """A port's number, from 0 to 65535."""
    if not (text.isascii() and text.isdigit() and int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"{text}: must be a number from 0 to 65535")
    return int(text)


def benchmarks() -> list[str]:
    """The folders of benchmarks/ that can be run by name: those with a main.py."""
    return sorted(f.parent.name for f in (ROOT / "benchmarks").glob("*/main.py"))


def main(arguments: list[str]) -> int:
    top = parser()
    options, rest = top.parse_known_args(arguments)
    if rest and options.command not in ("test", "train", "bench"):
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    if options.command == "demo":
        return make_clip(options)
    if options.command == "serve":
        return serve(options)
    if options.command == "train":
        return train(top, options, rest)
    if options.command == "bench":
        python = environment.prepare(("train",))
        return module(python, f"benchmarks.{options.name}.main", rest)
    python = environment.prepare(("train", "test"))
    os.environ[browser.VARIABLE] = str(browser.find_or_install(python))
    return module(python, "pytest", [*in_parallel(rest), *rest])


def in_parallel(arguments: list[str]) -> list[str]:
    """pytest's options for tests in several processes, of one thread each, where the whole suite or whole folders of it are run: small
    models gain nothing from a second thread. Tests of a file stay together. `-n 0` runs them one after the other."""
    named = any(Path(argument.split("::")[0]).suffix == ".py" for argument in arguments)
    told = any(argument.startswith(("-n", "-s", "--pdb", "-p", "--dist", "--collect-only", "--co")) for argument in arguments)
    count = min(os.cpu_count() or 1, PROCESSES)
    if named or told or count < 2:
        return []
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return ["-n", str(count), "--dist", "loadfile"]


def module(python: Path, name: str, arguments: list[str]) -> int:
    """Run `python -m name arguments` in the repository root. Its sums do not depend on where in memory their terms lie: what is
    resumed, or run again, gives the same."""
    os.environ.setdefault("MKL_CBWR", "AUTO")
    process = subprocess.Popen([python, "-m", name, *arguments], cwd=ROOT)
    while True:
        try:
            return process.wait()
        except Terminated:
            process.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
        except KeyboardInterrupt:
            continue  # the terminal told it as well: let it save, stop its server and end


def chosen_comfyui(path: Path | None) -> tuple[Path, Path]:
    """(Python, folder) of the ComfyUI to use: the user's when a path is given, else one made here."""
    if path is None:
        return environment.prepare(), environment.COMFYUI
    path = path.expanduser().resolve()
    python = environment.python_of(path)
    environment.check_packages(python)
    return python, path


def make_clip(options: argparse.Namespace) -> int:
    # Before any set-up, so that a mistake is told at once.
    prompt = demo.own_prompt() if options.prompt is None else options.prompt
    workflow = demo.workflow(prompt, seed=options.seed, steps=options.steps)
    target = demo.target(prompt, options.output)
    python, comfyui = chosen_comfyui(options.comfyui)
    log = BASE / "demo.log"
    BASE.mkdir(parents=True, exist_ok=True)
    environment.say(f'"{prompt}"')
    environment.say("starting ComfyUI")
    with Server(python, comfyui=comfyui, log=log) as server:
        clip = demo.render(server.client, workflow, environment.say)
    for notice in demo.told(log):
        environment.say(f"  {notice}")
    target.parent.mkdir(parents=True, exist_ok=True)
    whole_files.write_bytes(target, clip)
    environment.say(str(target))
    return 0


def serve(options: argparse.Namespace) -> int:
    python, comfyui = chosen_comfyui(options.comfyui)
    BASE.mkdir(parents=True, exist_ok=True)
    extra = ["--preview-method", "auto"]
    extra += ["--extra-model-paths-config", str(models_config(comfyui, BASE))] if options.comfyui else []
    with Server(python, comfyui=comfyui, port=options.port, arguments=extra) as server:
        environment.say(f"\nComfyUI with STUNet: {server.url}   (Ctrl-C stops it)")
        return server.wait()


def train(top: argparse.ArgumentParser, options: argparse.Namespace, rest: list[str]) -> int:
    if options.stage is None:
        commands = next(a for a in top._actions if isinstance(a, argparse._SubParsersAction))
        commands.choices["train"].print_help()
        return 0 if options.help else 2
    python = environment.prepare(("train",))
    name = ELSEWHERE.get(options.stage, f"training.stages.{options.stage}")
    return module(python, name, [*rest, *(["--help"] if options.help else [])])


class Terminated(KeyboardInterrupt):
    """`kill` was said to run.py: it stops what it started, as for Ctrl-C."""


def stop(number: int, frame: object) -> None:
    raise Terminated


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    try:
        sys.exit(main(sys.argv[1:]))
    except (SetupError, demo.DemoError) as error:
        sys.exit(f"run.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
