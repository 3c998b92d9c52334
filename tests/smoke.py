"""The pipeline at smoke size in clones of this checkout, run as a user runs it.

`make smoke` runs this file: the whole pipeline in a temporary clone, then with nothing to do, with seconds and memory.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

STAGES = (
    "codes",
    "narratives",
    "prepare",
    "base",
    "stage1",
    "stage2",
    "pairs",
    "stage3",
    "calibrate",
    "baselines",
    "evaluate",
    "report",
)


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody; returns what it printed."""
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def clone(target: Path, profile: str = "smoke") -> Path:
    """A repository with the files of this checkout that Git tracks or would track, with a profile as its parameters."""
    for name in filter(None, git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    shutil.copyfile(ROOT / "configs" / f"{profile}.yaml", target / "params.yaml")
    git(target, "init", "-q")
    git(target, "add", "-A")
    git(target, "commit", "-qm", "clone")
    return target


def again(run: Path, target: Path) -> Path:
    """A fresh clone of a clone: the same code, even if this checkout has been edited since."""
    target.parent.mkdir(parents=True, exist_ok=True)
    git(run, "clone", "-q", str(run), str(target))
    return target


def environment(**more: str) -> dict[str, str]:
    """This process's environment with this interpreter first on the path, as an activated .venv has it."""
    found = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for name in ("PYTHONPATH", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
        found.pop(name, None)
    return {**found, **more}


def dvc(folder: Path, *arguments: str, code: int = 0, before: Sequence[str] = (), **more: str) -> str:
    """Run dvc, behind the command `before` if one is given; returns what it printed."""
    command = [*before, sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment(**more), capture_output=True, text=True)
    assert done.returncode == code, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def results(folder: Path) -> Mapping[str, bytes]:
    """What a run leaves for comparison: dvc.lock (which holds a hash of every model and data file) and all of metrics/."""
    paths = [folder / "dvc.lock", *sorted(path for path in (folder / "metrics").rglob("*") if path.is_file())]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def main() -> int:
    """Time `dvc repro` from nothing, `dvc repro` with nothing to do, and `dvc status`."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    with tempfile.TemporaryDirectory(prefix="smoke-") as temporary:
        folder = clone(Path(temporary) / "clone")
        for what, arguments in (("from nothing", ["repro"]), ("nothing to do", ["repro"]), ("", ["status"])):
            begin, before = time.monotonic(), used()
            subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=folder, env=environment(), check=True)
            seconds, processor = time.monotonic() - begin, used() - before
            name = f"dvc {' '.join(arguments)} {what}".rstrip()
            print(f"== {name}: {seconds:.1f} s, processor {processor:.1f} s", flush=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f"== largest process: {peak:.1f} GiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
