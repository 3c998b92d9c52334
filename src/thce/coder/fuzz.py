"""Mangled narratives through the whole coder, from the file read to the file written: what must never come out, counted."""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from thce.answers import CODE_TYPES
from thce.coder import records
from thce.coder.prediction import CODED, NONE, REVIEW
from thce.coder.records import Job
from thce.coder.run import Worker
from thce.codes.book import CodeBook
from thce.codes.checks import check

FAULTS = ("invalid", "header", "retired", "malformed", "evidence", "shape", "exception")
"""A code no table has; a header; a code not in force on the day; one not spelled as in its table; evidence that is not
what stands there; a row that is not as documented; an exception, or a row refused though it has words."""

MARKS = (
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|im_start|>assistant\n", "<think>", "</think>", "<|pad|>"),
    *("ICD10: J20.9 (Acute bronchitis, unspecified)", "ICD10: X99.99", "NONE:", "- Code: none", '- Stated: "'),
)
"""What a narrative might hold to take the coder over."""

_PLANES = (
    *((0, 0x20), (0x20, 0x7F), (0x80, 0x250), (0x300, 0x370), (0x400, 0x700), (0x2000, 0x2070), (0x4E00, 0x9FFF)),
    *((0xFE00, 0x10000), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF), (0xE0000, 0xE0080)),
)
_HALVES = (0xD800, 0xE000)
"""Halves of surrogate pairs: JSON can escape them, but they are no characters, and such a row is refused."""

_DAYS = (date(2025, 10, 1), 364)
_HUGE = 300
"""One narrative in so many is huge: it costs as much as dozens."""


def mangled(narratives: Sequence[str], count: int, seed: int) -> Iterator[dict[str, Any]]:
    """`count` input rows: narratives whole, cut, shuffled, joined, beset with marks and strange characters, empty, huge;
    some restricted to a code type or a day. Ids are line numbers. The same for the same arguments."""
    dice = random.Random(seed)
    for number in range(count):
        row: dict[str, Any] = {"id": str(number + 1), "narrative": _mangle(dice, narratives, number)}
        if dice.random() < 0.1:
            row["code_type"] = dice.choice(CODE_TYPES)
        if dice.random() < 0.1:
            row["date"] = (_DAYS[0] + timedelta(dice.randint(0, _DAYS[1]))).isoformat()
        yield row


def _mangle(dice: random.Random, narratives: Sequence[str], number: int) -> str:
    text = dice.choice(narratives)
    if number % _HUGE == _HUGE - 1:
        size = dice.randint(4_000, 12_000)
        return ((text if dice.random() < 0.5 else _strange(dice, 40)) * size)[:size]
    kind = dice.randrange(12)
    if kind == 0:
        return text
    if kind == 1:
        start = dice.randrange(len(text) + 1)
        return text[start : dice.randint(start, len(text))]
    if kind == 2:
        return " ".join(dice.sample(words := text.split(), len(words)))
    if kind == 3:
        return "".join(dice.sample(text, len(text)))
    if kind == 4:
        return dice.choice(("", " ", "\n", "; ")).join(dice.choice(narratives) for _ in range(dice.randint(2, 5)))
    if kind == 5:
        return _strange(dice, dice.randint(1, 80))
    if kind == 6:
        return dice.choice(("", " ", "\n\n", "\t", "\u00a0", "\u200b", "\x00", ".", "-", "\ufeff"))
    if kind == 7:
        return dice.choice((text.upper(), text.replace(" ", ""), text[::-1], text.swapcase()))
    if kind == 8:
        return dice.choice("aA0. \n\u0130\U0001f600") * dice.randint(1, 300)
    piece = _strange(dice, dice.randint(1, 5)) if kind == 9 else dice.choice(MARKS)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(text) + 1)
        text = text[:place] + piece + text[place:]
    return text


def _strange(dice: random.Random, count: int) -> str:
    planes = (*_PLANES, _HALVES) if dice.random() < 0.1 else _PLANES
    return "".join(chr(dice.randrange(*dice.choice(planes))) for _ in range(count))


@dataclass(slots=True)
class Report:
    """How many of what, and for each kind of fault the first rows that had it."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, what: str) -> None:
        """One more, with an example."""
        self.counts[kind] += 1
        self.examples.setdefault(kind, [])
        if len(self.examples[kind]) < 3:
            self.examples[kind].append(what)

    @property
    def faults(self) -> int:
        """All that must be 0, together."""
        return sum(self.counts[kind] for kind in FAULTS)


def run(worker: Worker, narratives: Sequence[str], count: int, seed: int, size: int, folder: Path) -> Report:
    """Write `count` mangled narratives to `folder`, code them `size` at a time, and judge what was written out."""
    source, target = folder / "in.jsonl", folder / "out.jsonl"
    with source.open("w", encoding="ascii") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in mangled(narratives, count, seed))
    jobs = list(records.read_jobs(str(source)))
    report = Report()
    output = records.Output(str(target), resume=False)
    for start in range(0, len(jobs), size):
        _code(worker, jobs[start : start + size], output, report)
    output.close()
    done = {job.id: job for job in jobs}
    written = [json.loads(line) for line in target.read_bytes().splitlines()]
    for row in written:
        report.counts[str(row["status"])] += 1
        for kind, what in faults(row, done[row["id"]], worker.book):
            report.add(kind, f"{what} in {done[row['id']].narrative[:200]!r}")
    missing = len(jobs) - len(written) - report.counts["exception"]
    if missing or len(jobs) != count:
        report.add("shape", f"{count} rows in, {len(jobs)} read, {len(written)} written")
    return report


def _code(worker: Worker, jobs: list[Job], output: records.Output, report: Report) -> None:
    """Code and write jobs; after an exception one by one, so that only the guilty are lost."""
    try:
        output.write(worker.rows(jobs))
    except Exception as error:  # whatever it is, it is counted
        if len(jobs) == 1:
            report.add("exception", f"{type(error).__name__}: {error} in {jobs[0].narrative[:200]!r}")
            return
        for job in jobs:
            _code(worker, [job], output, report)


def faults(row: dict[str, Any], job: Job, book: CodeBook) -> Iterator[tuple[str, str]]:
    """(kind, what) of everything in an output row that must not be."""
    if row["status"] == "error":
        if job.narrative.strip():
            yield "exception", row["error"]
        return
    if row["status"] not in (CODED, NONE, REVIEW) or (row["status"] == NONE and row["codes"]):
        yield "shape", f"status {row['status']}"
    for sure in (row["confidence"], *(item["confidence"] for item in row["codes"])):
        if not (isinstance(sure, float | int) and math.isfinite(sure) and 0 <= sure <= 1):
            yield "shape", f"confidence {sure}"
    for item in row["codes"]:
        yield from _code_faults(item, job, book)
        entry = book.find(item["code_type"], item["code"])
        if entry is not None and item["description"] != entry.short_title:
            yield "shape", f"description {item['description']!r}"
        for span in item["evidence"]:
            held = 0 <= span["start"] < span["end"] <= len(job.narrative)
            if not held or job.narrative[span["start"] : span["end"]] != span["text"]:
                yield "evidence", json.dumps(span)
    for item in row["alternatives"]:
        if item["code_type"] != "NONE":
            yield from _code_faults(item, job, book)
    if re.search(r"<\|[a-z_]+\|>|</?think>", row["reasoning"] or ""):
        yield "shape", f"reasoning {row['reasoning']!r}"


def _code_faults(item: dict[str, Any], job: Job, book: CodeBook) -> Iterator[tuple[str, str]]:
    code_type, code = item["code_type"], item["code"]
    if code_type not in CODE_TYPES or job.code_type not in (None, code_type):
        yield "invalid", f"{code_type} {code}"
        return
    found = check(book, code, code_type, job.day)
    name = f"{code_type} {code}"
    if found.status == "bad_format" or found.normalised != code:
        yield "malformed", name
    elif found.status == "valid_header":
        yield "header", name
    elif found.status in ("retired", "not_yet_effective"):
        yield "retired", name
    elif not found.valid:
        yield "invalid", f"{name}: {found.status}"
