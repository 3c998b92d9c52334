"""`dvc exp show` in a few columns: what each experiment changed, and what came out.

evaluate.json alone has some two thousand numbers, and DVC shows them all. Here a row has the parameters in which the
experiments differ and a handful of metrics; for everything else there is `dvc exp show`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from thce.errors import UserError

METRICS = r"systems\.system\.fused\.(\w+)\.exact\.value"
"""Exact answers of the whole system on each test set; the column is named by the group."""

Row = dict[str, Any]


def show() -> list[Any]:
    """What `dvc exp show --json` says. Raises `UserError` with its last line if it fails."""
    done = subprocess.run([sys.executable, "-m", "dvc", "exp", "show", "--json"], capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["failed"]
        raise UserError("dvc exp show", lines[-1].removeprefix("ERROR: "), "run it by itself to see more")
    found: list[Any] = json.loads(done.stdout)
    return found


def flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """`a.b.c`, value: the leaves of nested mappings; a list is one leaf."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from flat(item, f"{place}.{name}" if place else str(name))
    else:
        yield place, value


def rows(shown: list[Any], pattern: str = METRICS) -> list[Row]:
    """One row per revision: name, state, all parameters, and the metrics whose name the pattern matches whole."""
    found: list[Row] = []
    for base in shown:
        found.append(_row(base, "", pattern))
        for entry in base["experiments"] or []:
            state = (entry["executor"] or {}).get("state", "done")
            found.extend(_row(rev, state, pattern) for rev in entry["revs"])
    return found


def _row(rev: dict[str, Any], state: str, pattern: str) -> Row:
    data = rev["data"] or {}
    settings = {key: value for file in (data.get("params") or {}).values() for key, value in flat(file.get("data"))}
    metrics = {}
    if state in ("", "done", "success"):  # a queued one still carries the numbers of the run it starts from
        for file in (data.get("metrics") or {}).values():
            for key, value in flat(file.get("data")):
                if match := re.fullmatch(pattern, key):
                    metrics[match[1] if match.re.groups else key] = value
    return {
        "experiment": rev["name"] or (rev["rev"] if rev["rev"] == "workspace" else rev["rev"][:7]),
        "state": "failed" if rev["error"] else state,
        "params": settings,
        "metrics": metrics,
    }


def table(found: list[Row]) -> list[list[str]]:
    """Header and lines of text: only the parameters in which the rows differ, then the metrics."""
    keys = list(dict.fromkeys(key for row in found for key in row["params"]))
    varying = [key for key in keys if len({json.dumps(row["params"].get(key)) for row in found if row["params"]}) > 1]
    names = list(dict.fromkeys(name for row in found for name in row["metrics"]))
    lines = [["experiment", "state", *varying, *names]]
    for row in found:
        cells = [row["params"].get(key, "-") for key in varying] + [row["metrics"].get(name, "-") for name in names]
        lines.append([row["experiment"], row["state"], *map(_text, cells)])
    return lines


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
