"""`make reproduce`: does a fresh clone give the same bytes? Runs the pipeline in clones of HEAD and prints the verdict.

    python tests/reproduce.py                        one clone against the committed dvc.lock and metrics
    python tests/reproduce.py --clones 2             two clones against each other
    python tests/reproduce.py --params configs/smoke.yaml --clones 2      a minute or two each

The last clone runs in other surroundings (hash seed, time zone, locale, home, umask, one core where `taskset` is there), which
must not matter. Where bytes differ, the first stage that differs is named, and by how much the metrics do: on another family
of processors sums have other last bits, and that number is then the result.
Exit code: 0 the same bytes, 1 not, 2 wrong use.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Numbers = dict[str, float | str | None]


def surroundings(home: Path) -> tuple[list[str], dict[str, str]]:
    """A command to put before another, and environment variables: everything a machine may have otherwise than this one."""
    before = ["sh", "-c", 'umask 077; exec "$@"', "sh"]
    if shutil.which("taskset") and hasattr(os, "sched_getaffinity"):
        before += ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
    return before, {
        "PYTHONHASHSEED": "4711",
        "TZ": "Pacific/Auckland",
        "LC_ALL": "C",
        "LANG": "C",
        "HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "RAYON_NUM_THREADS": "1",
    }


def run(folder: Path, other: bool = False) -> float:
    """`dvc repro` in a clone, in other surroundings if asked; returns the seconds it took. Raises SystemExit if it fails."""
    before, more = surroundings(folder.parent) if other else ([], {})
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **more}
    environment.pop("PYTHONPATH", None)
    begin = time.monotonic()
    done = subprocess.run([*before, sys.executable, "-m", "dvc", "repro"], cwd=folder, env=environment)
    if done.returncode:
        raise SystemExit(f"dvc repro failed in {folder}, which is kept")
    return time.monotonic() - begin


def outputs(lock: Path) -> dict[str, str]:
    """`stage: path` -> hash, for everything dvc.lock says a stage wrote, in the order of the lock."""
    stages: dict[str, Any] = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]
    return {f"{stage}: {out['path']}": out["md5"] for stage, entry in stages.items() for out in entry.get("outs", [])}


def numbers(folder: Path) -> Numbers:
    """`file: key.key` -> value, of every metrics file."""

    def walk(value: Any, place: str) -> Iterator[tuple[str, float | str | None]]:
        if isinstance(value, dict):
            for name, item in value.items():
                yield from walk(item, f"{place}.{name}")
        elif isinstance(value, list):
            for number, item in enumerate(value):
                yield from walk(item, f"{place}[{number}]")
        else:
            yield place, value

    found: Numbers = {}
    for path in sorted((folder / "metrics").glob("*.json")):
        found.update(walk(json.loads(path.read_text(encoding="utf-8")), path.name))
    return found


def verdict(one: Path, two: Path) -> list[str]:
    """What differs between two folders in which the pipeline has run; empty: nothing does."""
    first, second = outputs(one / "dvc.lock"), outputs(two / "dvc.lock")
    lines = [f"differs: {name}" for name in {**first, **second} if first.get(name) != second.get(name)]
    if (one / "dvc.lock").read_bytes() != (two / "dvc.lock").read_bytes() and not lines:
        lines.append("differs: dvc.lock, though no output does")
    left, right = numbers(one), numbers(two)
    apart = {
        key: abs(a - b)
        for key in left.keys() & right.keys()
        if isinstance(a := left[key], int | float) and isinstance(b := right[key], int | float) and a != b
    }
    if apart:
        worst = max(sorted(apart), key=lambda key: apart[key])
        lines.append(f"{len(apart)} of {len(left)} metrics differ, most {worst}: {left[worst]} and {right[worst]}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=Path(__file__).resolve().parent.parent, help="the repository")
    parser.add_argument(
        "--params", type=Path, help="a profile to run at (default: the committed params.yaml); needs two clones"
    )
    parser.add_argument("--clones", type=int, choices=(1, 2), default=1)
    options = parser.parse_args()
    if options.params and options.clones == 1:
        parser.error("the committed lock belongs to the committed params.yaml: --params needs --clones 2")

    work = Path(tempfile.mkdtemp(prefix="reproduce-"))
    reference = work / "committed"
    names = ["committed", "one", "two"][: options.clones + 1]
    for name in names:
        subprocess.run(["git", "clone", "-q", str(options.source), str(work / name)], check=True)
        if options.params:
            shutil.copyfile(options.params, work / name / "params.yaml")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=reference, capture_output=True, text=True)
    for name in names[1:]:
        other = name == names[-1]
        print(f"== commit {commit.stdout.strip()}, clone {name}" + (", other surroundings" if other else ""), flush=True)
        print(f"== {run(work / name, other):.0f} s", flush=True)
    one, two = (work / names[-2], work / names[-1])
    lines = verdict(one, two)
    for line in lines:
        print(line)
    count = len(outputs(two / "dvc.lock"))
    what = "the committed run" if options.clones == 1 else "each other"
    if lines:
        print(f"NOT REPRODUCED: compared with {what}; the clones are kept in {work}")
        return 1
    print(f"REPRODUCED: dvc.lock, {count} outputs and {len(numbers(two))} metrics are the same bytes as in {what}")
    shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
