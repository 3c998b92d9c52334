"""The table of results in README.md, from `metrics/`: a test holds it against them, and after a run this writes it.

python tests/readme.py              print the table
python tests/readme.py --write      put it into README.md
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ORDER = ("known", "unseen_phrase", "contrast", "no_code", "multi", "unseen_multi", "distractors", "visits")
HEAD = "| exact answers, % (95 % interval) |"

_MODES = (("constrained", "under the code table"), ("direct", "without reasoning"), ("free", "free"))
SYSTEMS = (
    ("system", "fused", "**whole system** (model, prior, known wordings)"),
    ("retriever", "retriever", "lexical prior alone"),
    *((stage, mode, f"{stage} alone, {words}") for stage in ("stage3", "stage2", "stage1") for mode, words in _MODES),
)
BASELINES = {
    "svm": "TF-IDF + linear SVM",
    "bm25": "BM25",
    "neighbour": "TF-IDF nearest neighbour",
    "longest_phrase": "longest phrase",
    "every_phrase": "every phrase",
    "majority": "majority",
}


def table(metrics: Path = ROOT / "metrics") -> list[str]:
    """The lines of the table: systems and modes that were evaluated, then the baselines."""
    found, floors = (json.loads((metrics / f"{name}.json").read_text(encoding="utf-8")) for name in ("evaluate", "baselines"))
    evaluate, baselines = found["systems"], floors["systems"]
    sets = sorted(found["setup"]["rows"], key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    rows = [(label, evaluate[name][mode]) for name, mode, label in SYSTEMS if mode in evaluate.get(name, {})]
    rows += [(f"baseline: {label}", baselines[name]) for name, label in BASELINES.items() if name in baselines]
    cells = [[label, *(_cell(part.get(name)) for name in sets)] for label, part in rows]
    return [f"{HEAD} {' | '.join(sets)} |", f"|{'---|' * (len(sets) + 1)}", *(f"| {' | '.join(line)} |" for line in cells)]


def _cell(part: dict[str, Any] | None) -> str:
    if part is None:
        return "-"
    value, low, high = (100 * part["exact"][key] for key in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f}-{high:.1f})"


def shown(text: str) -> list[str]:
    """The lines of the table as they stand in the text of README.md."""
    lines = text.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(HEAD))
    length = next(n for n, line in enumerate([*lines[start:], ""]) if not line.startswith("|"))
    return lines[start : start + length]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    lines = table()
    if parser.parse_args().write:
        path = ROOT / "README.md"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("\n".join(shown(text)), "\n".join(lines)), encoding="utf-8")
    else:
        print("\n".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
