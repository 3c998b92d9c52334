"""What the coder makes of diagnoses that are not in the code set: how often it answers the nearest code it has without asking
for review, and how often it says which code is missing.

    python benchmarks/outside.py
    THCE_REFERENCE=/path/to/reference python benchmarks/outside.py      # also phrases of the Alphabetic Index

Notes are made of official titles out of scope, which the check knows by heart, and, if the reference data are there, of index
phrases that nobody here wrote, out of scope (codes that are billed often) and in scope. Each with the check
(`thce.coder.outside`) and without.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

OFTEN = 4_000
"""Rank below which a code counts as billed often."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="models/stage3")
    parser.add_argument("--coder", default="models/coder")
    parser.add_argument("--rows", type=int, default=600, help="notes of each kind")
    args = parser.parse_args()

    from thce.coder.coder import Coder
    from thce.codes.book import open as open_book
    from thce.errors import UserError

    book = open_book("data/codes")
    coder = Coder.load(args.model, book, args.coder)
    beyond = coder.beyond
    draw = random.Random(1)
    scope = {entry.code for entry in book.scope if entry.code_type == "ICD10"}
    entries = [entry for code in book.table("ICD10") if code not in scope and (entry := book.find("ICD10", code))]
    some = draw.sample([entry for entry in entries if entry.billable and len(entry.title.split()) <= 9], args.rows)
    kinds = {"official titles, out of scope": [(f"Assessment: {entry.title}.", entry.code) for entry in some]}
    if folder := os.environ.get("THCE_REFERENCE"):
        path = Path(folder) / "dev" / "icd10cm_index_open.jsonl.gz"
        if not path.is_file():
            raise UserError(str(path), "is not there", "set THCE_REFERENCE to a folder that holds it, or leave it unset")
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream]
        own = [row for row in rows if row["codes"][0] in scope]
        out = [row for row in rows if row["codes"][0] not in scope and row["freq_rank"] and row["freq_rank"] < OFTEN]
        for name, part in (("index phrases, out of scope", out), ("index phrases, in scope", own)):
            kinds[name] = [(row["narrative"], row["codes"][0]) for row in draw.sample(part, min(args.rows, len(part)))]

    print("| notes | | right | answered alone | of these right | code named as missing |\n|---|---|---|---|---|---|")
    for name, notes in kinds.items():
        for title, check in (("without the check", None), ("with it", beyond)):
            coder.beyond = check
            found = coder.code([text for text, _ in notes], think=False)
            right = [[item.code for item in one.codes] == [code] for one, (_, code) in zip(found, notes, strict=True)]
            alone = [good for one, good in zip(found, right, strict=True) if one.status == "coded"]
            named = sum(
                any(code in finding.codes for finding in one.findings) for one, (_, code) in zip(found, notes, strict=True)
            )
            shares = (sum(right) / len(notes), len(alone) / len(notes), sum(alone) / max(1, len(alone)), named / len(notes))
            print(f"| {name} ({len(notes)}) | {title} | " + " | ".join(f"{share:.1%}" for share in shares) + " |")


if __name__ == "__main__":
    from thce.errors import UserError

    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
