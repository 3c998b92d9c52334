"""How much the coder loses when a note has its evidence in another form than the phrasebook: a qualifier behind a comma
("bronchitis, acute"), or abbreviated words ("hx of asthma").

    python benchmarks/forms.py
    python benchmarks/forms.py --rows 400 --json

The test notes with a piece of evidence that can be rewritten so, as they are and with all such pieces rewritten: share of exact
answers of the whole system, answered directly. The abbreviations are those of the task `title-variants`, not the coder's own.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

_QUALIFIERS = (
    "acute allergic atypical bacterial benign bilateral chronic congenital controlled diabetic essential generalized left "
    "localized major mild moderate morbid paroxysmal permanent persistent primary recurrent right secondary severe simple "
    "stable subacute uncontrolled unilateral unstable viral"
)
QUALIFIERS = frozenset(_QUALIFIERS.split())


def inverted(phrase: str) -> str:
    """The phrase with its first word behind a comma, if that is a qualifier; else as it is."""
    first, _, rest = phrase.partition(" ")
    return f"{rest}, {first.lower()}" if rest and first.lower() in QUALIFIERS and "," not in phrase else phrase


def rewritten(row: dict[str, Any], change: Callable[[str], str]) -> str | None:
    """The narrative of a prepared row with its evidence changed; None where it cannot be."""
    narrative: str = row["messages"][1]["content"]
    text = narrative
    for item in sorted(row["_metadata"]["evidence"], key=lambda one: -int(one["start"])):
        start, end = item["start"], item["end"]
        new = change(text[start:end])
        if new != text[start:end]:
            behind = "," if "," in new and re.match(r"\s*\w", text[end:]) else ""
            text = text[:start] + new + behind + text[end:]
    return text if text != narrative else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/stage3")
    parser.add_argument("--coder", default="models/coder")
    parser.add_argument("--rows", type=int, default=800, help="rows of a set that are read")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    from thce.coder.coder import Coder
    from thce.codes.book import open as open_book
    from thce.evaluation.tasks import abbreviations

    coder = Coder.load(args.model, open_book("data/codes"), args.coder)
    found = []
    for name in ("known", "unseen_phrase", "multi", "unseen_multi"):
        with open(f"data/prepared/test_{name}.jsonl", encoding="utf-8") as stream:
            rows = [json.loads(line) for line in islice(stream, args.rows)]
        for title, change in (("qualifier behind a comma", inverted), ("abbreviated", abbreviations)):
            some = [(row, text) for row in rows if (text := rewritten(row, change)) is not None]
            result: dict[str, Any] = {"set": name, "form": title, "notes": len(some)}
            for kind, texts in (
                ("as it is", [row["messages"][1]["content"] for row, _ in some]),
                ("rewritten", [text for _, text in some]),
            ):
                right = sum(
                    {(code.code_type, code.code) for code in one.codes}
                    == {(code["code_type"], code["code"]) for code in row["_metadata"]["codes"]}
                    for one, (row, _) in zip(coder.code(texts, think=False), some, strict=True)
                )
                result[kind] = round(right / len(some), 4) if some else None
            found.append(result)
    if args.json:
        print(json.dumps(found, indent=1))
        return
    print("| set | form | notes | as it is | rewritten |\n|---|---|---|---|---|")
    for row in found:
        shares = ("-" if row[kind] is None else f"{row[kind]:.1%}" for kind in ("as it is", "rewritten"))
        print(f"| {row['set']} | {row['form']} | {row['notes']} | {' | '.join(shares)} |")


if __name__ == "__main__":
    from thce.errors import UserError

    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
