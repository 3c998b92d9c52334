"""Narratives from anywhere in one row shape: every source is read as a stream and every row checked as it passes.

A source yields `Record`s, codes spelled as it spells them. `accept` turns a record into a narrative row or says why
not: a code that is unknown, retired or not billable is dropped and named, and a row left without a valid principal code
is dropped whole, never turned into a row without codes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from thce import codes
from thce.codes.book import CodeBook
from thce.errors import UserError
from thce.narratives import preprocess
from thce.seeds import derive

Row = dict[str, Any]
Pair = tuple[str, str]
Reject = Callable[[str, str, str], None]
"""Told of everything left out: place (`file:line`), what (`row`, `code E11.8`, `evidence`), reason."""

SIDES = ("train", "val", "test")
LABELS = ("gold", "given", "billed", "silver", "generated")
"""Where a row's codes come from: read against the text by a coder, as the file gives them, billed for the whole stay,
proposed by matching words, written by a model. Only `gold` may be called a reference standard."""

_STATUS = {
    "valid_header": "is a header, too unspecific to bill",
    "retired": "is retired",
    "not_yet_effective": "is not in force yet",
    "unknown": "is not in the table",
    "bad_format": "has not the form of one code",
    "excluded_cdt": "is a dental code (CDT), not in the table",
    "unlicensed_unknown": "is not in the CPT demo table",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One note as a source holds it.

    `codes` are (code type or "", code as spelled), most important first; `evidence` has offsets into `narrative`;
    `family` is what must stay on one side of a split (a patient, a report, else the note itself); `template` is for
    a source whose rows have one already.
    """

    id: str
    narrative: str
    codes: tuple[Pair, ...]
    place: str
    evidence: tuple[dict[str, Any], ...] = ()
    family: str = ""
    template: str = ""
    kind: str = "note"
    label: str = "given"
    group: str | None = None
    none_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """What every source has; the classes in `sources_config` add their own keys."""

    name: str
    """Stands in `source` and before every id; must differ between sources."""
    limit: int | None = None
    """At most this many rows."""
    sample: float = 1.0
    """Share of the records that is read, drawn by a hash of seed, source and id, so that a limit takes not only the
    first."""
    max_per_code: int | None = None
    """At most this many rows with the same principal code."""
    max_words: int | None = None
    """Longer narratives are left out (never cut)."""
    in_scope: bool = True
    """Whether codes outside the scope of the tables are left out."""
    date_of_service: str | None = None
    """Day on which a code must be in force, e.g. `2026-01-15`; without it the release of the tables decides."""
    clean: bool = True
    """Whether white space and Unicode are put in order and identifiers replaced (`preprocess.clean`)."""
    side: str | None = None
    """`train`, `val` or `test` for a source that is split already; without it a hash of each row's family decides."""
    sections: tuple[str, ...] = ()
    """Keep only these sections of a note, e.g. `discharge diagnosis`; empty: all of it."""


def ignore(place: str, what: str, reason: str) -> None:
    """A `Reject` that keeps nothing."""


def rows(config: SourceConfig, book: CodeBook, seed: int = 0, reject: Reject = ignore) -> Iterator[Row]:
    """The narrative rows of one source, one at a time, in the order of the source.

    Raises `UserError` when a file is absent (with how to get it) or not what the configuration says it is.
    """
    from thce.narratives.sources_config import records  # each source loads its own libraries only when it is used

    scope = frozenset((entry.code_type, entry.code) for entry in book.scope) if config.in_scope else None
    day = date.fromisoformat(config.date_of_service) if config.date_of_service else None
    per_code: Counter[Pair] = Counter()
    seen: set[str] = set()
    kept = 0
    for record in records(config, book, reject):
        if config.limit is not None and kept >= config.limit:
            return
        if record.id in seen:
            reject(record.place, "row", "has an id that came before")
            continue
        seen.add(record.id)
        if config.sample < 1.0 and derive(seed, config.name, record.id) >= config.sample * 2**63:
            continue
        row = accept(record, config.name, book, scope, day, reject)
        row = _shaped(row, config, record.place, reject) if row is not None else None
        if row is None:
            continue
        first = (row["codes"][0]["code_type"], row["codes"][0]["code"]) if row["codes"] else ("", "")
        per_code[first] += 1
        if config.max_per_code is not None and per_code[first] > config.max_per_code:
            reject(record.place, "row", f"is beyond max_per_code: {config.max_per_code} for one principal code")
            continue
        kept += 1
        yield row


def accept(
    record: Record, name: str, book: CodeBook, scope: frozenset[Pair] | None, day: date | None, reject: Reject = ignore
) -> Row | None:
    """The narrative row of a record, or None after telling `reject` why.

    The principal code must be valid; without it the row would teach that the second problem is the first.
    """
    if not record.narrative.strip():
        reject(record.place, "row", "has no text")
        return None
    if not _is_unicode(record.narrative):
        reject(record.place, "row", "is not valid Unicode")
        return None
    if not record.codes and record.none_reason is None:
        reject(record.place, "row", "has no codes")
        return None
    found: dict[Pair, None] = {}
    for number, (code_type, text) in enumerate(record.codes):
        pair, problem = resolve(book, code_type, text, day)
        if pair is not None and scope is not None and pair not in scope:
            problem = "is outside the scope"
        if not problem and pair is not None:
            found[pair] = None
            continue
        reject(record.place, f"code {text}", problem)
        if number == 0:
            reject(record.place, "row", "has no valid principal code")
            return None
    evidence = []
    for item in record.evidence:
        pair = (item["code_type"], item["code"])
        stands = 0 <= item["start"] < item["end"] and record.narrative[item["start"] : item["end"]] == item["text"]
        if pair in found and stands:
            evidence.append(item)
        else:
            reject(record.place, "evidence", "does not stand at its place" if pair in found else "is for a code left out")
    return {
        "id": f"{name}-{record.id}",
        "narrative": record.narrative,
        "codes": [{"code_type": code_type, "code": code} for code_type, code in found],
        "evidence": evidence,
        "template": record.template or f"{name}/{record.family or record.id}",
        "kind": record.kind,
        "source": name,
        "group": record.group,
        "none_reason": record.none_reason if not found else None,
        "label": record.label,
    }


def resolve(book: CodeBook, code_type: str, text: str, day: date | None = None) -> tuple[Pair | None, str]:
    """(code type, code) in table spelling and an empty string, or None and what is wrong with the code."""
    entry = book.find(code_type, text) if code_type else None
    if entry is not None and day is None and entry.billable and book.validity(code_type, text) is None:
        return (code_type, entry.code), ""
    checked = codes.check(book, text, code_type or None, day)
    if checked.valid and checked.system is not None:
        return (checked.system, checked.normalised), ""
    return None, _STATUS.get(checked.status, checked.status)


def _shaped(row: Row, config: SourceConfig, place: str, reject: Reject) -> Row | None:
    """The row cut to its sections, cleaned and measured."""
    if config.sections:
        row = preprocess.keep_sections_row(row, config.sections)
        if not row["narrative"]:
            reject(place, "row", "has none of the sections asked for")
            return None
    if config.clean:
        row, replaced = preprocess.clean_row(row)
        if replaced["evidence"]:
            reject(place, "evidence", "held an identifier")
        if not row["narrative"]:
            reject(place, "row", "has no text")
            return None
    if config.max_words is not None and len(row["narrative"].split()) > config.max_words:
        reject(place, "row", f"is longer than max_words: {config.max_words}")
        return None
    return row


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def need(columns: Mapping[str, str], present: object, place: str) -> None:
    """Raise `UserError` for a mapped column that a table does not have."""
    names = list(present) if isinstance(present, list | tuple | dict) else []
    for key, column in columns.items():
        if column not in names:
            raise UserError(place, f"has no column `{column}` (for `{key}`)", f"its columns are {', '.join(map(str, names))}")
