"""Seconds and memory of each stage of `dvc repro`, in a fresh temporary clone of this checkout.

    python benchmarks/pipeline.py                              # the profile `default`: a quarter of an hour
    python benchmarks/pipeline.py --profile smoke --no-op      # a minute, and what DVC costs with nothing to do
    python benchmarks/pipeline.py --stages stage2,pairs        # what they need runs first, without being shown
    python benchmarks/pipeline.py --set-up --json              # `make setup` in the clone as well (needs an index)

Each stage is a process of its own, `dvc repro -s STAGE`, so DVC's own time (`--no-op` measures it) is in every row. `seconds`
is the clock, `processor` the time of all its processes, `peak` the resident memory of the largest single process.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import smoke

NO_OP = (["status", "--quiet"], ["repro"])  # the first one fails if there is something to do


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one command took: seconds by the clock and of processor time, and MiB of its largest process."""

    name: str
    seconds: float
    processor: float
    peak_mib: int


def measure(name: str, command: Sequence[str], folder: Path) -> Cost:
    """Run a command to its end. Raises SystemExit with the end of what it printed if it fails.

    Linux counts the memory of the process that starts it as the command's too, so keep this one small.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as told:
        begin = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, env=smoke.environment(), stdout=told, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)  # with the processes it waited for itself
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            raise SystemExit(f"{name}: exit code {process.returncode}\n{told.read()[-4000:]}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(name, round(seconds, 2), round(usage.ru_utime + usage.ru_stime, 2), round(usage.ru_maxrss / unit))


def wanted(stages: Sequence[str], names: str) -> tuple[str, ...]:
    """The stages named, in the pipeline's order; all of them for an empty name. Raises SystemExit for one that is not there."""
    chosen = set(filter(None, names.split(",")))
    if unknown := sorted(chosen - set(stages)):
        raise SystemExit(f"--stages: no stage {', '.join(unknown)}; there are {', '.join(stages)}")
    return tuple(stage for stage in stages if stage in chosen or not chosen)


def total(costs: Sequence[Cost]) -> Cost:
    """The times summed, the largest of the peaks."""
    return Cost("all", sum(c.seconds for c in costs), sum(c.processor for c in costs), max(c.peak_mib for c in costs))


def table(costs: Sequence[Cost]) -> str:
    """One line per cost, in Markdown."""
    head = ["| | seconds | processor | peak MiB |", "|---|---|---|---|"]
    return "\n".join(head + [f"| {c.name} | {c.seconds:,.1f} | {c.processor:,.1f} | {c.peak_mib:,} |" for c in costs])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--profile", choices=("smoke", "default"), default="default", help="parameters (default: default)")
    parser.add_argument("--stages", default="", metavar="A,B", help="only these (default: all)")
    parser.add_argument("--no-op", action="store_true", help="then `dvc repro` and `dvc status` with nothing to do")
    parser.add_argument("--set-up", action="store_true", help="first `make setup` in the clone, for its time alone")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    arguments = parser.parse_args()

    stages = tuple(yaml.safe_load((smoke.ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"])  # in the order they run
    shown = wanted(stages, arguments.stages)
    dvc = [sys.executable, "-m", "dvc"]
    other: list[Cost] = []
    found: list[Cost] = []
    with tempfile.TemporaryDirectory(prefix="pipeline-") as temporary:
        folder = smoke.clone(Path(temporary) / "clone", arguments.profile)
        if arguments.set_up:
            other.append(measure("make setup", ["make", "setup"], folder))
        last = len(stages) if arguments.no_op else stages.index(shown[-1]) + 1
        for stage in stages[:last]:
            print(f"{stage} ...", file=sys.stderr, flush=True)
            cost = measure(stage, [*dvc, "repro", "-s", stage], folder)
            found += [cost] if stage in shown else []
        for words in NO_OP if arguments.no_op else ():
            best = min((measure(f"dvc {words[0]}", [*dvc, *words], folder) for _ in range(3)), key=lambda cost: cost.seconds)
            other.append(dataclasses.replace(best, name=f"{best.name}, nothing to do"))
    if arguments.json:
        rows = {"stages": list(map(dataclasses.asdict, found)), "other": list(map(dataclasses.asdict, other))}
        print(json.dumps({"profile": arguments.profile, **rows}, sort_keys=True))
    else:
        print(table([*found, *([total(found)] if len(found) > 1 else []), *other]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
