"""What an unconstrained completion is, before asking whether it is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from thce.answers import Code, Parsed, parse
from thce.codes.book import CodeBook
from thce.evaluation.metrics import Gold

CLASSES = ("malformed", "nonexistent", "retired", "header", "out_of_scope", "valid", "no_code")
"""Worst first. `nonexistent`: well-formed, but in no table ("fabricated"; of CPT and HCPCS only the codes in scope are known
here, so a real one beyond them counts as nonexistent); `retired`: was a code, is none in this release; `header`: exists but is
not billable; `out_of_scope`: billable, but not among the codes the model answers with."""


def classify(code: Code, book: CodeBook, scope: Collection[Code]) -> str:
    """One of `CLASSES` for a single code; `scope` must be a set for speed."""
    if code in scope:
        return "valid"
    entry = book.find(code.code_type, code.code)
    if entry is not None:
        return "out_of_scope" if entry.billable else "header"
    known = book.validity(code.code_type, code.code)
    today = book.release(code.code_type)["effective_from"]
    # a record that ends before the release began says "retired"; one that begins later is a code of a coming release
    return "retired" if known is not None and known.last and known.last < today else "nonexistent"


def classify_text(text: str, book: CodeBook, scope: Collection[Code]) -> str:
    """The class of a completion: of several codes, the worst."""
    return classify_parsed(parse(text), book, scope)


def classify_parsed(parsed: Parsed, book: CodeBook, scope: Collection[Code]) -> str:
    """As `classify_text`, for a completion already read."""
    if not parsed.well_formed:
        return "malformed"
    return min((classify(code, book, scope) for code in parsed.codes), key=CLASSES.index, default="no_code")


def shares(classes: Sequence[str]) -> dict[str, float]:
    """The share of each class, all of them, so that two files have the same keys."""
    found = Counter(classes)
    return {name: found[name] / len(classes) if classes else 0.0 for name in CLASSES}


class Agreement(NamedTuple):
    """Of the codes answered: how many carry the table's own description, and the two ways to be half right."""

    codes: int
    agree: int
    code_right_description_wrong: int
    description_right_code_wrong: int


def agreement(gold: Gold, parsed: Parsed, book: CodeBook) -> Agreement:
    """Code and description of one completion, against the tables and against the gold."""
    wanted = set(gold)
    gold_titles = {entry.short_title for code in gold if (entry := book.find(code.code_type, code.code))}
    agree = half_code = half_title = 0
    for code, description in zip(parsed.codes, parsed.descriptions, strict=True):
        entry = book.find(code.code_type, code.code)
        same = entry is not None and entry.short_title == description
        agree += same
        half_code += code in wanted and not same
        half_title += code not in wanted and description in gold_titles
    return Agreement(len(parsed.codes), agree, half_code, half_title)
