"""How fast codes are checked, suggested and searched, beside what the package alone takes.

    python benchmarks/codes_check.py [--json] [--repeats 7]

Wall time and peak memory are those of whole processes, the median of several starts. Everything else runs in this
process on one core; the codes are drawn with a fixed seed from the tables themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))
PACKAGE = "import simple_icd_10_cm as cm; print(cm.is_leaf('E11.9'), cm.get_description('E11.9'))"
QUERIES = (
    "type 2 diabetes with kidney disease",
    "closed fracture of the distal end of the right radius, initial encounter",
    "unspecified fracture of right femur subsequent encounter with routine healing",
    "heart failure",
    "acute bronchitis",
    "low back pain with sciatica left side",
    "poisoning by antidepressants accidental",
    "walker with wheels",
    "pregnancy third trimester twins",
    "benign neoplasm of colon",
)


def process(command: list[str], repeats: int) -> tuple[float, float]:
    """Median wall time in milliseconds and peak memory in MB of a whole process."""
    times, peaks = [], []
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    for _ in range(repeats):
        start = time.perf_counter()
        child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        times.append((time.perf_counter() - start) * 1e3)
        peaks.append(usage.ru_maxrss / 1024)
        if child.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: exit code {child.returncode}")
    return statistics.median(times), max(peaks)


def rate(work: Callable[[str], object], items: list[str]) -> float:
    """Items per second of processor time."""
    start = time.process_time()
    for item in items:
        work(item)
    return len(items) / (time.process_time() - start)


def milliseconds(work: Callable[[str], object], items: list[str]) -> list[float]:
    """Sorted times per item."""
    times = []
    for item in items:
        start = time.perf_counter()
        work(item)
        times.append((time.perf_counter() - start) * 1e3)
    return sorted(times)


def misspelled(code: str, chance: random.Random) -> str:
    """A code with one character changed, dropped or added."""
    place = chance.randrange(len(code))
    letter = chance.choice("0123456789ABXZ")
    return chance.choice([code[:place] + letter + code[place + 1 :], code[:place] + code[place + 1 :], code + letter])


def measure(repeats: int) -> dict[str, float]:
    """All figures by name."""
    from thce import codes

    chance = random.Random(17)
    check_ms, check_mb = process([sys.executable, "-m", "thce", "codes", "check", "E11.9", "--type", "ICD10"], repeats)
    package_ms, package_mb = process([sys.executable, "-c", PACKAGE], max(2, repeats // 3))
    bare_ms, bare_mb = process([sys.executable, "-c", "pass"], repeats)

    book = codes.open(ROOT / "data" / "codes")
    table = book.table("ICD10")
    known = [code for code, row in table.items() if row.split("\t")[1] not in ("chapter", "block")]
    chance.shuffle(known)
    drawn = chance.choices(known, k=300_000)

    def check(code: str) -> object:
        return codes.check(book, code, "ICD10")

    first = rate(check, known)
    again = rate(check, drawn)
    day = date(2026, 3, 1)
    dated = rate(lambda code: codes.check(book, code, "ICD10", day), drawn)
    unknown = [code for code in (misspelled(code, chance) for code in known[:4000]) if code not in table][:2000]
    near = milliseconds(lambda code: codes.near_misses(book, "ICD10", code), unknown)
    mixed = rate(check, chance.sample(drawn[:2000] + unknown, k=len(unknown) + 2000))
    index = codes.SearchIndex(book)
    cold = milliseconds(index.search, list(QUERIES))
    warm = milliseconds(index.search, list(QUERIES) * 3)
    titles = [entry.title for code in known[:500] if (entry := book.find("ICD10", code))]
    for title in titles:
        index.search(title)
    whole = milliseconds(index.search, titles)
    return {
        "check_process_ms": check_ms,
        "check_process_mb": check_mb,
        "package_process_ms": package_ms,
        "package_process_mb": package_mb,
        "bare_python_ms": bare_ms,
        "bare_python_mb": bare_mb,
        "checks_per_s_each_known_code_once": first,
        "checks_per_s_known_codes_drawn": again,
        "checks_per_s_known_codes_on_a_day": dated,
        "checks_per_s_half_unknown_with_suggestions": mixed,
        "near_miss_ms_mean": statistics.mean(near),
        "near_miss_ms_worst": near[-1],
        "search_ms_first_worst": cold[-1],
        "search_ms_warm_median": statistics.median(warm),
        "search_ms_warm_worst": warm[-1],
        "search_ms_whole_titles_p95": whole[int(0.95 * len(whole))],
        "search_ms_whole_titles_worst": whole[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=7, help="starts of each process (default: 7)")
    options = parser.parse_args()
    figures = {name: round(value, 2) for name, value in measure(options.repeats).items()}
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:<46} {value:>14,.2f}")


if __name__ == "__main__":
    main()
