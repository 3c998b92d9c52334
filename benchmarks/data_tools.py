"""How fast the data tools are, and how much memory they take, on synthetic narratives.

    python benchmarks/data_tools.py --rows 20000

Each tool runs in a process of its own, as a person would start it; rows per second include its start. Needs the code
tables (`dvc repro codes`). Figures depend on the machine: nothing here is tracked or tested. Memory is read from /proc,
so it runs on Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from thce import codes, params  # noqa: E402 - the path must be set first
from thce.files import write_jsonl  # noqa: E402
from thce.narratives import examples, synthetic  # noqa: E402
from thce.settings.narratives import NarrativesParams  # noqa: E402


def write_sets(folder: Path, rows: int) -> dict[str, Path]:
    """Narratives in the sizes asked for: training rows, the same with reasoning, and the test sets."""
    from dataclasses import replace

    book = codes.open(ROOT / "data/codes")
    stuff = synthetic.material(book, ROOT / "data/phrasebook", ROOT / "data/grammar", 17)
    settings = replace(params.load(NarrativesParams, ROOT / "params.yaml"), train=rows)
    made = synthetic.build(stuff, settings, 17)
    paths = {name: folder / f"{name}.jsonl" for name in (*made, "stage2")}
    for name, group in made.items():
        write_jsonl(paths[name], group)
    built = (one for row in made["train"] if (one := examples.stage2(row, book, "Think.", 17)) is not None)
    write_jsonl(paths["stage2"], islice(built, max(1, rows // 4)))
    return paths


def measure(name: str, rows: int, arguments: list[str]) -> dict[str, object]:
    """Run `thce data ...` and report seconds (wall and processor), rows per second and peak memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    code = f"""
import sys
from thce.cli import main
code = main(["data", *{arguments!r}])
# ru_maxrss would include the parent's memory, which a child has until it calls exec
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
sys.exit(code)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "tool": name,
        "rows": rows,
        "exit": done.returncode,
        "wall_s": round(wall, 2),
        "processor_s": round(busy, 2),
        "rows_per_processor_s": round(rows / busy),
        "peak_mib": round(int(done.stderr.split()[-1]) / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="training narratives (default: 20000)")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_sets(folder, rows)
        train, tests = str(paths["train"]), [str(path) for key, path in paths.items() if key.startswith("test")]
        held = sum(Path(path).read_text(encoding="utf-8").count("\n") for path in tests)
        config = {
            "seed": 17,
            "val": 0.05,
            "test": 0.1,
            "sources": [{"source": "rows", "name": "own", "path": train}],
            "sets": {"stage1": {"split": "train", "count": rows // 2, "mix": {"own": 1.0}}},
        }
        (folder / "collect.yaml").write_text(json.dumps(config))  # JSON is YAML
        runs = [
            ("check", rows, ["check", train, "--json"]),
            ("check, no near duplicates", rows, ["check", train, "--no-near", "--json"]),
            ("check, reasoning verified", max(1, rows // 4), ["check", str(paths["stage2"]), "--no-near", "--json"]),
            ("check tests against train", rows + held, ["check", *tests, "--against", train, "--json"]),
            ("preprocess", rows, ["preprocess", train, "--output", str(folder / "clean.jsonl")]),
            (
                "collect",
                rows,
                ["collect", "--config", str(folder / "collect.yaml"), "--output-dir", str(folder / "out")],
            ),
        ]
        for label, count, arguments in runs:
            print(json.dumps(measure(label, count, arguments)), flush=True)


if __name__ == "__main__":
    main()
