"""Numbers as text, CSV, Markdown or JSON for the command line, and the result files that `thce compare` reads."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from thce.errors import UserError
from thce.evaluation import score
from thce.evaluation.data import Item, Prediction
from thce.evaluation.intervals import LEVEL, paired
from thce.evaluation.score import Scoring
from thce.files import read_json, rounded

FORMATS = ("text", "csv", "markdown", "json")


def result(name: str, items: Sequence[Item], predictions: Sequence[Prediction], use: Scoring) -> dict[str, Any]:
    """What `thce evaluate` and `thce metrics` write: the numbers per test set, and every row, so that it can be compared.

    `right` says exactly right or not; `missing` counts rows without a prediction, which are wrong.
    """
    hits = score.right(items, predictions)
    sets = list(dict.fromkeys(item.test_set for item in items))
    numbers: dict[str, Any] = {}
    for test in sets:
        chosen = [number for number, item in enumerate(items) if item.test_set == test]
        numbers[test] = score.score_set([items[i] for i in chosen], [predictions[i] for i in chosen], use)
    found: dict[str, Any] = {
        "name": name,
        "missing": sum(prediction.mode == "missing" for prediction in predictions),
        "metrics": numbers,
        "no_code": score.no_code(items, predictions),
        "calibration": score.calibrated(items, predictions, use),
        "rows": [
            {
                "id": item.id,
                "test_set": item.test_set,
                "cluster": item.cluster,
                "right": hit,
                "gold": _codes(item.gold),
                "answered": None if prediction.answer is None else _codes(prediction.answer),
            }
            for item, prediction, hit in zip(items, predictions, hits, strict=True)
        ],
    }
    cut: dict[str, Any] = rounded(found)
    return cut


def _codes(codes: Sequence[Any]) -> list[str]:
    return [f"{code.code_type} {code.code}" for code in codes]


def flat(numbers: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float | int | str]]:
    """(dotted name, value) of every number in a nested mapping."""
    rows: list[tuple[str, float | int | str]] = []
    for key, value in numbers.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, Mapping):
            rows += flat(value, name)
        elif isinstance(value, int | float | str) and not isinstance(value, bool):
            rows.append((name, value))
    return rows


def summary_rows(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per number of a result: test set, metric, value, and interval and n where it has them."""
    rows: list[dict[str, Any]] = []
    parts = [*found["metrics"].items(), ("all", {"no_code": found["no_code"], "calibration": found["calibration"]})]
    for test, numbers in parts:
        values = dict(flat(numbers))
        for name, value in values.items():
            stem, _, last = name.rpartition(".")
            interval = f"{stem}.low" in values
            if interval and last in ("low", "high", "n"):
                continue
            row: dict[str, Any] = {"test_set": test, "metric": stem if interval else name, "value": value}
            rows.append(row | {part: values[f"{stem}.{part}"] if interval else "" for part in ("low", "high", "n")})
    return rows


def compare(paths: Sequence[Path | str], seed: int, resamples: int) -> list[dict[str, Any]]:
    """Every result file against the first, paired row by row, per test set. `UserError` when they share no row."""
    results = [_read_result(path) for path in paths]
    first, rows = results[0], []
    for other in results[1:]:
        sets = list(dict.fromkeys(row["test_set"] for row in first["rows"]))
        theirs = {(row["test_set"], row["id"]): row for row in other["rows"]}
        shared = 0
        for test in sets:
            both = [row for row in first["rows"] if row["test_set"] == test and (test, row["id"]) in theirs]
            if not both:
                continue
            for row in both:
                if row["gold"] != theirs[test, row["id"]]["gold"]:
                    raise UserError(
                        f"{test} {row['id']}", "has another gold in the two files", "evaluate on the same test file"
                    )
            shared += len(both)
            a = [bool(row["right"]) for row in both]
            b = [bool(theirs[test, row["id"]]["right"]) for row in both]
            found = paired(b, a, [row["cluster"] for row in both], seed, resamples)
            numbers: dict[str, Any] = rounded(found._asdict())
            accuracy = {"exact": sum(b) / len(b), "first": sum(a) / len(a)}
            rows.append({"test_set": test, "system": other["name"], "against": first["name"]} | rounded(accuracy) | numbers)
        if not shared:
            raise UserError(f"{paths[0]} and {other['path']}", "have no row in common", "evaluate both on the same test file")
    return rows


def _read_result(path: Path | str) -> dict[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict) or not {"name", "rows", "metrics"} <= found.keys():
        raise UserError(str(path), "is no result file", "write one with `thce evaluate` or `thce metrics --output`")
    return found | {"path": str(path)}


def render(rows: Sequence[Mapping[str, Any]], form: str) -> str:
    """Rows with equal keys in one of `FORMATS`."""
    if form == "json":
        return json.dumps(rounded(list(rows)), indent=2, ensure_ascii=False)
    names = list(rows[0]) if rows else []
    body = [[_shown(row[name]) for name in names] for row in rows]
    if form == "csv":
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows([names, *body])
        return stream.getvalue().rstrip("\n")
    if form == "markdown":
        lines = [names, ["---"] * len(names), *([cell.replace("|", "\\|") for cell in line] for line in body)]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    widths = [max(len(line[place]) for line in [names, *body]) for place in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in [names, *body]
    )


def _shown(value: Any) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


NOTE = f"Intervals: {LEVEL:.0%} bootstrap; rows with one wording are resampled together."
