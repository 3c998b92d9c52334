"""Preprocess a file of narrative rows, line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from thce.errors import UserError
from thce.files import read_jsonl, write_jsonl
from thce.narratives.preprocess import abbreviations, clean_row, keep_sections_row


def preprocess_rows(
    rows: Iterator[tuple[str, dict[str, Any]]], sections: Sequence[str], with_abbreviations: bool, counts: Counter[str]
) -> Iterator[dict[str, Any]]:
    """The rows (each with its place) cut to `sections`, cleaned, annotated; `counts` is filled on the way.

    Rows with nothing left are dropped and counted as `empty`; counts of identifiers go by their kind.
    """
    for place, row in rows:
        evidence = row.get("evidence") or []
        _need(row, evidence, place)
        if sections:
            row = keep_sections_row(row, sections)
        row, replaced = clean_row(row)
        counts.update({f"replaced_{kind}": count for kind, count in replaced.items() if kind != "evidence"})
        counts["evidence_lost"] += len(evidence) - len(row["evidence"])
        if not row["narrative"]:
            counts["empty"] += 1
            continue
        if with_abbreviations:
            found = abbreviations(row["narrative"])
            row = row | {"abbreviations": [item._asdict() for item in found]}
            counts["abbreviations"] += len(found)
        counts["rows"] += 1
        yield row


def preprocess(path: str, output: str, sections: Sequence[str] = (), with_abbreviations: bool = False) -> dict[str, Any]:
    """Preprocess `path` into `output` (written whole or not at all) and return the counts."""
    counts: Counter[str] = Counter(rows=0, empty=0, evidence_lost=0)
    lines = ((f"{path}:{number}", row) for number, row in enumerate(read_jsonl(path), 1))
    write_jsonl(output, preprocess_rows(lines, sections, with_abbreviations, counts))
    return dict(sorted(counts.items()))


def _need(row: dict[str, Any], evidence: Any, place: str) -> None:
    text = row.get("narrative")
    if not isinstance(text, str):
        raise UserError(place, "has no `narrative`", "narrative rows are needed; see docs/DATA_PREPARATION.md")
    for item in evidence:
        start, end = item.get("start"), item.get("end")
        if not isinstance(start, int) or not isinstance(end, int) or text[start:end] != item.get("text"):
            raise UserError(place, "has evidence that does not stand at its place", "see `thce data check`")
