"""Check a data set before it is trained on: shape, codes, evidence, reasoning, duplicates, identifiers, balance,
leaks."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thce import answers, codes
from thce.codes.book import CodeBook
from thce.narratives import preprocess_identifiers, quality_rows
from thce.narratives.phrasebook import key
from thce.narratives.quality_rows import Example, Pair
from thce.narratives.splits import PhraseIndex

if TYPE_CHECKING:  # numpy is loaded only when near duplicates are looked for
    from thce.narratives.quality_duplicates import Index

ERROR, WARNING, NOTE = "error", "warning", "note"
RULES: dict[str, tuple[str, str]] = {
    "schema": (ERROR, "not in the shape of its format"),
    "code": (ERROR, "unknown, retired or not billable"),
    "scope": (NOTE, "valid, but outside the scope of the tables"),
    "description": (ERROR, "description is not the official one"),
    "metadata": (ERROR, "metadata and answer disagree"),
    "answer": (ERROR, "answer cannot be read"),
    "evidence": (ERROR, "evidence does not stand in the text"),
    "reasoning": (ERROR, "reasoning is missing or does not hold"),
    "pair": (ERROR, "preference pair teaches nothing"),
    "identifier": (ERROR, "text may identify a patient"),
    "conflict": (ERROR, "same text with other codes"),
    "duplicate": (WARNING, "same text twice"),
    "near_duplicate": (WARNING, "nearly the same text twice"),
    "length": (WARNING, "unusually long or short"),
    "balance": (WARNING, "codes are unevenly represented"),
    "leak_text": (ERROR, "text stands in the other split"),
    "leak_near": (WARNING, "nearly the same text stands in the other split"),
    "leak_phrase": (ERROR, "held-out phrase stands in the other split"),
    "leak_template": (ERROR, "template or patient is in the other split"),
}
"""Rule -> severity and what it means."""

NEAR = 0.8
"""Share of word triples two texts have in common from which they count as near duplicates."""
SHOWN = 20
"""Findings kept per rule; all are counted."""
FENCE = 3.0
"""Interquartile ranges beyond the quartiles from which a length is an outlier (Tukey's far-out fence)."""
UNEVEN = 10
"""How many times the median count the most frequent code may have."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: where (`line` 0: the whole file), which rule, what. Quotes codes, descriptions and phrases, never a
    narrative."""

    file: str
    line: int
    rule: str
    message: str

    @property
    def severity(self) -> str:
        """`error`, `warning` or `note`, by the rule."""
        return RULES[self.rule][0]


@dataclass(slots=True)
class Report:
    """What a check found. `statistics` holds per file counts, lengths in words and the balance of labels."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    statistics: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, file: str, line: int, rule: str, message: str) -> None:
        """Count a finding; of each rule the first few are kept with their words."""
        self.counts[rule] += 1
        if self.counts[rule] <= SHOWN:
            self.findings.append(Finding(file, line, rule, message))

    def total(self, severity: str) -> int:
        """How many findings have this severity."""
        return sum(count for rule, count in self.counts.items() if RULES[rule][0] == severity)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON."""
        order = [rule for rule in RULES if self.counts[rule]]
        return {
            "errors": self.total(ERROR),
            "warnings": self.total(WARNING),
            "notes": self.total(NOTE),
            "counts": {rule: self.counts[rule] for rule in order},
            "findings": [
                {
                    "file": item.file,
                    "line": item.line,
                    "rule": item.rule,
                    "severity": item.severity,
                    "message": item.message,
                }
                for item in sorted(self.findings, key=lambda item: (order.index(item.rule), item.file, item.line))
            ],
            "statistics": self.statistics,
        }


@dataclass(slots=True)
class _Texts:
    """What is kept of a file's rows once they are checked: enough for duplicates, lengths, balance and leaks."""

    file: str
    lines: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    codes: list[tuple[Pair, ...]] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)
    templates: dict[str, int] = field(default_factory=dict)
    phrases: dict[str, int] = field(default_factory=dict)

    def add(self, example: Example) -> None:
        self.lines.append(example.line)
        self.keys.append(key(example.narrative))
        self.words.append(len(example.narrative.split()))
        self.codes.append(example.codes or ())
        self.groups.append(example.group)
        for piece in example.template.split("+") if example.template else ():
            self.templates.setdefault(piece, example.line)
        for item in example.evidence:
            self.phrases.setdefault(key(str(item.get("phrase") or item["text"])), example.line)


def check(
    files: Sequence[str],
    book: CodeBook,
    against: Sequence[str] = (),
    new_phrases: bool = False,
    near: float | None = NEAR,
    max_words: int | None = None,
    reasoning: bool = True,
) -> Report:
    """Check every file, and that none of its texts, templates (and with `new_phrases` evidence phrases) stands in
    `against`.

    `near` None leaves near duplicates out; `reasoning` False does not verify traces. Rows are read one at a time; of
    each, only its normalised text and a few numbers are kept. Raises `UserError` for a file that cannot be read at all.
    """
    report = Report()
    rows = _Rows(book, report, reasoning)
    others = _Texts("")
    for file in against:
        for example in quality_rows.examples(file, lambda line, rule, message: None):
            others.add(example)
    index = None if near is None else _other_index(others, near)
    for file in files:
        texts = _Texts(file)
        formats: Counter[str] = Counter()

        def say(line: int, rule: str, message: str, file: str = file) -> None:
            report.add(file, line, rule, message)

        for example in quality_rows.examples(file, say):
            rows.check(example)
            texts.add(example)
            formats[example.format] += 1
        if not texts.lines:
            report.add(file, 0, "schema", "has no row that can be read")
        report.statistics[file] = {"formats": dict(sorted(formats.items())), **_lengths(texts, report, max_words)}
        report.statistics[file] |= _balance(texts, report)
        _same_text(texts, report)
        if against:
            _leaks(texts, others, report, new_phrases)
        if index is not None:
            _near(texts, index, report)
    return report


def lines(report: Report) -> list[str]:
    """The report for people: statistics per file, then each rule with its findings."""
    out: list[str] = []
    for file, numbers in report.statistics.items():
        out.append(f"{file}: {numbers['rows']} rows ({', '.join(f'{n} {name}' for name, n in numbers['formats'].items())})")
        if "words" in numbers:
            words = numbers["words"]
            out.append(f"  words     {words['min']} to {words['max']}, median {words['median']:g}, 95 % below {words['p95']}")
            out.append(
                f"  codes     {numbers['distinct_codes']} distinct; {numbers['without_code']} rows without a code, "
                f"{numbers['several_codes']} with several"
            )
        if "per_code" in numbers:
            per = numbers["per_code"]
            out.append(
                f"  balance   {per['min']} to {per['max']} rows per code, median {per['median']:g}, "
                f"evenness {numbers['evenness']}"
            )
    for rule, (severity, meaning) in RULES.items():
        if report.counts[rule]:
            out.append(f"{severity:<8} {report.counts[rule]:>7}  {rule}: {meaning}")
            found = [item for item in report.findings if item.rule == rule]
            out += [
                f"    {item.file}:{item.line} {item.message}" if item.line else f"    {item.file} {item.message}"
                for item in found[:5]
            ]
    out.append(f"{report.total(ERROR)} errors, {report.total(WARNING)} warnings, {report.total(NOTE)} notes")
    return out


class _Rows:
    """Checks of a row by itself; a code is looked up once."""

    def __init__(self, book: CodeBook, report: Report, reasoning: bool) -> None:
        self.book = book
        self.report = report
        self.reasoning = reasoning
        self.scope = frozenset((entry.code_type, entry.code) for entry in book.scope)
        self.problems: dict[Pair, str] = {}

    def check(self, example: Example) -> None:
        def say(rule: str, message: str) -> None:
            self.report.add(example.file, example.line, rule, message)

        for pair in example.codes or ():
            problem = self._problem(pair)
            if problem:
                say("code", f"{pair[1]} {problem}")
            elif pair not in self.scope:
                say("scope", f"{pair[1]} is not one of the {len(self.scope)} codes in scope")
        for pair, description in zip(example.answered, example.descriptions, strict=True):
            entry = self.book.find(*pair)
            if entry is not None and entry.short_title != description:
                say("description", f"{pair[1]} is `{entry.short_title}`, not `{description}`")
        self._evidence(example, say)
        for item in preprocess_identifiers.find(example.narrative):
            say("identifier", f"{item.kind} at {item.start}-{item.end}")
        if example.completion is not None and self.reasoning:
            self._reasoning(example, say)

    def _problem(self, pair: Pair) -> str:
        problem = self.problems.get(pair)
        if problem is None:
            found = codes.check(self.book, pair[1], pair[0])
            problem = "" if found.valid else f"is {found.status.replace('_', ' ')}"
            if found.valid and found.normalised != pair[1]:
                problem = f"is spelled {found.normalised} in the table"
            self.problems[pair] = problem
        return problem

    def _evidence(self, example: Example, say: quality_rows.Say) -> None:
        for item in example.evidence:
            start, end = item["start"], item["end"]
            if not 0 <= start < end <= len(example.narrative) or example.narrative[start:end] != item["text"]:
                say("evidence", f"for {item['code']} does not stand at {start}-{end}")
            elif example.codes is not None and (item["code_type"], item["code"]) not in example.codes:
                say("evidence", f"is for {item['code']}, which is not among the codes")

    def _reasoning(self, example: Example, say: quality_rows.Say) -> None:
        if example.stage == 1 or example.completion is None:
            return
        from thce.reasoning import PARTS, verify

        verdict = verify(example.narrative, example.completion, self.book)
        if not verdict.faithful:
            failed = [part for part, holds in zip(PARTS, verdict.parts, strict=True) if not holds]
            why = next((f"{claim.kind}: {claim.reason}" for claim in verdict.claims if claim.reason), "")
            say("reasoning", f"fails in {', '.join(failed)}" + (f" ({why})" if why else ""))
        # a rejected side with other codes may well hold by itself: what it misses or adds only the gold codes tell
        rejected = answers.parse(example.rejected or "")
        if rejected.well_formed and tuple((code.code_type, code.code) for code in rejected.codes) == example.answered:
            other = verify(example.narrative, example.rejected or "", self.book)
            if example.rejected != example.completion and verdict.faithful and other.faithful:
                say("pair", "the rejected side has the same codes, and its reasoning holds as well")


def _lengths(texts: _Texts, report: Report, max_words: int | None) -> dict[str, Any]:
    words = texts.words
    if not words:
        return {"rows": 0}
    ordered = sorted(words)
    low, middle, high = statistics.quantiles(ordered, n=4, method="inclusive") if len(words) > 1 else (ordered[0],) * 3
    spread = max(FENCE * (high - low), middle)  # where most rows are of one length, twice that length is still usual
    for line, count in zip(texts.lines, words, strict=True):
        if max_words is not None and count > max_words:
            report.add(texts.file, line, "length", f"has {count} words, more than {max_words}")
        elif not low - spread <= count <= high + spread:
            report.add(texts.file, line, "length", f"has {count} words; half of the rows have {low:g} to {high:g}")
    return {
        "rows": len(words),
        "words": {
            "min": ordered[0],
            "median": middle,
            "p95": ordered[math.ceil(0.95 * len(ordered)) - 1],
            "max": ordered[-1],
        },
    }


def _balance(texts: _Texts, report: Report) -> dict[str, Any]:
    counts = Counter(pair for found in texts.codes for pair in found)
    systems = Counter(code_type for code_type, _ in counts.elements())
    result: dict[str, Any] = {
        "without_code": sum(not found for found in texts.codes),
        "several_codes": sum(len(found) > 1 for found in texts.codes),
        "labels": dict(sorted(systems.items())),
        "distinct_codes": len(counts),
    }
    if counts:
        total = counts.total()
        median = statistics.median(counts.values())
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        entropy = -sum(n / total * math.log(n / total) for n in counts.values())
        result |= {
            "per_code": {"min": ranked[-1][1], "median": median, "max": ranked[0][1]},
            "evenness": round(entropy / math.log(len(counts)), 4) if len(counts) > 1 else 1.0,
            "most_frequent": [{"code_type": pair[0], "code": pair[1], "rows": n} for pair, n in ranked[:5]],
        }
        if ranked[0][1] > UNEVEN * median:
            report.add(
                texts.file,
                0,
                "balance",
                f"{ranked[0][0][1]} stands in {ranked[0][1]} rows, the median code in {median:g}",
            )
    return result


def _same_text(texts: _Texts, report: Report) -> None:
    first: dict[str, int] = {}
    for number, text in enumerate(texts.keys):
        before = first.setdefault(text, number)
        if before == number:
            continue
        line = texts.lines[before]
        if set(texts.codes[before]) != set(texts.codes[number]):
            report.add(texts.file, texts.lines[number], "conflict", f"has the text of line {line} with other codes")
        else:
            report.add(texts.file, texts.lines[number], "duplicate", f"has the text of line {line}")


def _leaks(texts: _Texts, others: _Texts, report: Report, new_phrases: bool) -> None:
    known = set(others.keys)
    for line, text in zip(texts.lines, texts.keys, strict=True):
        if text in known:
            report.add(texts.file, line, "leak_text", "stands in the other split too")
    for piece, line in texts.templates.items():
        if piece in others.templates:
            report.add(texts.file, line, "leak_template", f"`{piece}` is in the other split too")
    if new_phrases:
        index = PhraseIndex(texts.phrases)
        found: Mapping[str, int] = Counter(phrase for text in others.keys for phrase in index.found(text))
        for phrase, line in texts.phrases.items():
            if phrase in found:
                report.add(texts.file, line, "leak_phrase", f"`{phrase}` stands in {found[phrase]} rows of the other split")


def _other_index(others: _Texts, threshold: float) -> Index:
    from thce.narratives.quality_duplicates import Index, hashed

    index = Index(threshold)
    for number, item in enumerate(hashed(dict.fromkeys(others.keys))):
        if index.nearest(item) is None:
            index.add(number, item)
    return index


def _near(texts: _Texts, others: Index, report: Report) -> None:
    """Near duplicates of other rows of the file and of the other split; equal texts are reported elsewhere."""
    from thce.narratives.quality_duplicates import Index, hashed

    first: dict[str, int] = {}
    for number, text in enumerate(texts.keys):
        first.setdefault(text, number)
    own = Index(others.threshold)
    for number, item in zip(first.values(), hashed(first), strict=True):
        group = texts.groups[number]
        elsewhere, here = others.nearest(item), own.nearest(item, group)
        if elsewhere is not None and others.text(elsewhere.number) != item.text:
            message = f"is {elsewhere.overlap:.0%} like a text of the other split"
            report.add(texts.file, texts.lines[number], "leak_near", message)
        if here is None:
            own.add(number, item, group)
        else:
            message = f"is {here.overlap:.0%} like line {texts.lines[here.number]}"
            report.add(texts.file, texts.lines[number], "near_duplicate", message)
