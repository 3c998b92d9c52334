"""How fast narratives are written on one core, and how varied they are.

    python benchmarks/narratives.py [--json] [--count 20000] [--repeats 3]
    python benchmarks/narratives.py --prepare [--json]

The material (phrasebook, grammar, neighbours) is read once and timed apart; the sets are then written `repeats` times
with the settings of params.yaml but for their size, and the best time counts: a shared machine only ever adds to it.

`--prepare` runs the stages `codes`, `narratives` and `prepare` themselves, in a temporary copy of the project, for 160,000
training examples: 50,000 of stage 1, 70,000 with reasoning, 40,000 preference pairs. Peak memory is that of the largest stage.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))


def measure(count: int, repeats: int) -> dict[str, float]:
    """Seconds, narratives per second (all sets, in memory), peak memory in MiB, 4-gram ratio of training."""
    from thce import codes, params
    from thce.narratives import contamination, measures, synthetic
    from thce.settings.narratives import NarrativesParams

    settings = dataclasses.replace(params.load(NarrativesParams, ROOT / "params.yaml"), train=count)
    book = codes.open(ROOT / "data/codes")
    start = time.perf_counter()
    stuff = synthetic.material(book, ROOT / "data/phrasebook", ROOT / "data/grammar", 17)
    read = time.perf_counter() - start
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        rows = synthetic.build(stuff, settings, 17)
        times.append(time.perf_counter() - start)
    total = sum(len(group) for group in rows.values())
    start = time.perf_counter()
    leaks = contamination.check(rows, stuff.phrases).total
    checked = time.perf_counter() - start
    return {
        "narratives": total,
        "material_seconds": round(read, 3),
        "build_seconds": round(min(times), 3),
        "narratives_per_second": round(total / min(times)),
        "contamination_check_seconds": round(checked, 3),
        "leaks": leaks,
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "distinct_4gram_ratio": round(measures.distinct_ngrams([row["narrative"] for row in rows["train"]]), 4),
        "distinct_narratives_possible": measures.possible(stuff.phrases, stuff.grammar),
    }


SIZES = {"stage1": 50_000, "stage2": 70_000, "stage3": 40_000}


def measure_stages() -> dict[str, float]:
    """Seconds (wall and processor) of each stage and in all, peak memory in MiB, training examples written per stage."""
    from thce import params

    settings = params.read_yaml(ROOT / "params.yaml")
    settings["narratives"]["train"] = sum(SIZES.values())
    settings["prepare"] |= {f"{stage}_train": size for stage, size in SIZES.items()}
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("src", "stages", "data/code_databases", "data/grammar", "data/phrasebook"):
            shutil.copytree(ROOT / part, folder / part)
        (folder / "params.yaml").write_text(json.dumps(settings), encoding="utf-8")
        total = wall = 0.0
        for stage in ("codes", "narratives", "prepare"):
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run([sys.executable, f"stages/{stage}.py"], cwd=folder, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found[f"{stage}_seconds"] = round(time.perf_counter() - start, 1)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            found[f"{stage}_processor_seconds"] = round(used, 1)
            total, wall = total + used, wall + time.perf_counter() - start
        found |= {"seconds": round(wall, 1), "processor_seconds": round(total, 1)}
        found["peak_mib"] = round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
        for stage in SIZES:
            with (folder / f"data/prepared/{stage}/train.jsonl").open("rb") as lines:
                found[f"{stage}_examples"] = sum(1 for _ in lines)
        found["megabytes"] = round(sum(path.stat().st_size for path in (folder / "data/prepared").rglob("*.jsonl")) / 1e6)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--count", type=int, default=20_000, help="training narratives (default 20000)")
    parser.add_argument("--repeats", type=int, default=3, help="how often they are written (default 3)")
    parser.add_argument("--prepare", action="store_true", help="time the stages for 160,000 training examples instead")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    arguments = parser.parse_args()
    result = measure_stages() if arguments.prepare else measure(arguments.count, arguments.repeats)
    if arguments.json:
        print(json.dumps(result, sort_keys=True))
    else:
        for name, value in result.items():
            print(f"{name:32}{value:>14}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
