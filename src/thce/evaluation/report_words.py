"""How the report names things, and its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from thce.evaluation.charts import percent

TITLES = {
    "known": "known wording",
    "unseen_phrase": "unseen wording",
    "contrast": "contrast groups",
    "no_code": "no code",
    "multi": "several codes",
    "unseen_multi": "several codes, unseen wordings",
    "distractors": "distractors",
    "visits": "several codes, told one by one",
    "system": "whole system",
    "retriever": "lexical prior alone",
    "stage1": "stage 1",
    "stage2": "stage 2",
    "stage3": "stage 3",
    "svm": "TF-IDF + linear SVM",
    "bm25": "BM25",
    "neighbour": "TF-IDF neighbour",
    "longest_phrase": "longest known phrase",
    "every_phrase": "every known phrase",
    "majority": "majority code",
    "free": "unconstrained",
    "constrained": "code table",
    "fused": "code table, calibrated",
    "direct": "without reasoning",
    "code_type": "code type",
    "tier": "wording against the official title",
    "billing": "how often the code is billed",
    "training": "training narratives of the code",
    "kind": "kind of note",
    "header": "not billable",
    "out_of_scope": "out of scope",
}
ORDER = ("known", "unseen_phrase", "contrast", "no_code", "multi", "unseen_multi", "distractors", "visits")


def title_of(name: str) -> str:
    """A name as people read it."""
    return TITLES.get(name, name.replace("_", " "))


def interval(part: Mapping[str, Any], to: str = " to ") -> str:
    """`59.5 to 72.5`: `low` and `high` in percent, to the decimal of the value beside them, so that it never lies outside."""
    return to.join(percent(part[end]).removesuffix(" %") for end in ("low", "high"))


def ordered_sets(evaluate: Mapping[str, Any]) -> list[str]:
    """The test sets in the order people read them; sets of the user's own come last."""
    return sorted(evaluate["setup"]["rows"], key=lambda name: (ORDER.index(name) if name in ORDER else 99, name))


def table(head: Sequence[str], rows: Sequence[str], text: Sequence[int] = ()) -> str:
    """A table of finished rows; `head` is plain text, `text` the columns of words."""
    names = "".join(f"<th{' class=text' if place in text else ''}>{escape(name)}</th>" for place, name in enumerate(head))
    return f'<div class="wide"><table><thead><tr>{names}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def figure(chart: str, caption: str = "") -> str:
    """A chart with its caption."""
    words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{words}{chart}</figure>"


def row(cells: Sequence[str]) -> str:
    """A row of HTML cells; one that starts with `<td` is taken as it is."""
    return f"<tr>{''.join(cell if cell.startswith('<td') else f'<td>{cell}</td>' for cell in cells)}</tr>"
