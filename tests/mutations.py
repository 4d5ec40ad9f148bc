"""Do the core's tests notice? `python -m tests.mutations` breaks one invariant of the design at a time, in a copy of the tree, and runs the
tests that guard it: each must fail. Prints a line for each; ends with 1 if one stayed green."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("stunet_core", "training", "tests", "tools", "launch", "workflows", "pyproject.toml", "__init__.py", "nodes", "benchmarks")
TESTS = "tests/core"


@dataclass(frozen=True)
class Mutation:
    """`old` becomes `new` in a file of the core; `guards` are the tests that are run on it."""

    invariant: str
    file: str
    old: str
    new: str
    guards: str


MUTATIONS = (
    Mutation("a fresh inflated net is the image model", "model/temporal_blocks.py",
             "        nn.init.zeros_(self.proj.weight)\n        nn.init.zeros_(self.proj.bias)  # type: ignore[arg-type]\n", "",
             "test_spacetime.py"),
    Mutation("time up repeats frames at the start", "model/temporal_blocks.py",
             "self.conv = TimeConv(channels).init_identity()", "self.conv = TimeConv(channels)", "test_spacetime.py test_strides.py"),
    Mutation("attention hears the order of frames", "model/temporal_blocks.py",
             "attend(rotate(q, angles), rotate(k, angles), v)", "attend(q, k, v)", "test_spacetime.py test_attention.py"),
    Mutation("padded is unpadded on the frames kept", "model/walk.py",
             "[:, : self.clip.frames].flatten(0, 1)", "[:, self.padded - self.clip.frames :].flatten(0, 1)",
             "test_spacetime.py test_strides.py"),
    Mutation("conditionings do not mix", "model/walk.py",
             "start = torch.arange(self.clip.rows, device=device) * self.clip.frames",
             "start = torch.zeros(self.clip.rows, dtype=torch.long, device=device)", "test_spacetime.py test_chunks.py"),
    Mutation("chunked is unchunked", "model/chunks.py",
             "        return t[:, part]\n", "        return t[:, : part.stop - part.start]\n", "test_chunks.py test_spacetime.py"),
    Mutation("a loop has no first frame", "model/temporal_blocks.py",
             "device=h.device) % h.shape[2]", "device=h.device).clamp(0, h.shape[2] - 1)", "test_spacetime.py"),
    Mutation("weights of windows sum to 1", "model/windows.py",
             "return index, weight / total[index]", "return index, weight / weight.max()", "test_windows.py"),
    Mutation("white is generated, black is given", "editing/keep_mask.py",
             "    keep = mask < 0.5\n", "    keep = mask >= 0.5\n", "test_tasks.py"),
    Mutation("given pixels come back bit for bit", "editing/composite.py",
             "    return torch.where(keep[..., None], given, out)[:frames]", "    return out[:frames]",
             "test_tasks.py test_joints.py test_still.py"),
    Mutation("shared noise has the variance of noise", "mini/noise.py",
             "mean * (1 + (len(noise) - 1) * shared) ** 0.5", "mean", "test_shared_noise.py"),
    Mutation("what is not given is filled from the nearest frame", "mini/nearest_given.py",
             "torch.where(at - before <= after - at, before, after)", "torch.where(at - before > after - at, before, after)",
             "test_nearest_given.py"),
    Mutation("what moves is not smeared", "guidance/deflicker.py",
             "counts = weight * torch.exp(-apart(clean, other) / difference**2)", "counts = weight * torch.ones_like(share)",
             "test_steady.py"),
    Mutation("of a style its own moments are taken", "guidance/style.py",
             "* like.deviation + like.mean", "* own.deviation + like.mean", "test_style.py"),
)


def survives(mutation: Mutation, tree: Path) -> bool:
    """Whether the tests stay green on the broken tree."""
    file = tree / "stunet_core" / mutation.file
    sound = file.read_text(encoding="utf-8")
    if sound.count(mutation.old) != 1:
        raise ValueError(f"{mutation.file}: {mutation.old!r} stands there {sound.count(mutation.old)} times; mend tests/mutations.py")
    file.write_text(sound.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        tests = [f"{TESTS}/{name}" for name in mutation.guards.split()]
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *tests], cwd=tree,
                              env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{mutation.invariant}: the tests did not run\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.returncode == 0
    finally:
        file.write_text(sound, encoding="utf-8")


def main() -> int:
    green = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "stunet"
        tree.mkdir()
        for name in COPIED:
            source = ROOT / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, tree / name)
        (tree / "weights").symlink_to(ROOT / "weights", target_is_directory=True)
        for mutation in MUTATIONS:
            alive = survives(mutation, tree)
            green += alive
            print(f"{'NOT NOTICED' if alive else 'noticed':12} {mutation.invariant} ({mutation.file}: {mutation.guards})", flush=True)
    print(f"{len(MUTATIONS) - green} of {len(MUTATIONS)} noticed")
    return 1 if green else 0


if __name__ == "__main__":
    sys.exit(main())
