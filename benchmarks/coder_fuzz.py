"""Mangled narratives through the whole coder: nothing invalid may come out, and nothing may fail.

    python benchmarks/coder_fuzz.py                   # 10,000, from data/prepared/test_known.jsonl and its neighbours
    python benchmarks/coder_fuzz.py --rows 500 --seed 3

The real test narratives are cut, shuffled, joined, beset with control tokens and characters of every plane, emptied,
blown up; written to a file, coded as `thce code --input` does, and every written row is judged against the code tables and
its narrative. Exit code 1 when anything that must be 0 is not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "20000")


def narratives(folder: Path) -> list[str]:
    """The narratives of all prepared test sets."""
    found = []
    for path in sorted(folder.glob("test_*.jsonl")):
        with path.open(encoding="utf-8") as stream:
            found += [json.loads(line)["messages"][1]["content"] for line in stream]
    if not found:
        raise SystemExit(f"{folder}: no test sets here; run `dvc repro prepare`")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/stage3")
    parser.add_argument("--coder", default="models/coder")
    parser.add_argument("--codes", default="data/codes")
    parser.add_argument("--input", default="data/prepared", help="folder of the test sets")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--no-think", action="store_true", help="answers without reasoning")
    args = parser.parse_args()

    from thce.coder import fuzz
    from thce.coder.run import CHUNK, Setup, Worker

    worker = Worker(Setup(args.model, args.coder, args.codes, False if args.no_think else None, audit=True))
    texts = narratives(Path(args.input))
    size = worker.coder.options.batch_size * CHUNK
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = fuzz.run(worker, texts, args.rows, args.seed, size, Path(folder))
    seconds = time.perf_counter() - began
    print(f"{args.rows:,} mangled narratives, seed {args.seed}: {args.rows / seconds:.1f} a second")
    for status in ("coded", "review", "none", "error"):
        print(f"  {status:10} {report.counts[status]:7,}" + ("   (empty, or no characters)" if status == "error" else ""))
    print("must be 0:")
    for kind in fuzz.FAULTS:
        print(f"  {kind:10} {report.counts[kind]:7,}")
        for example in report.examples.get(kind, ()):
            print(f"      {example}")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
