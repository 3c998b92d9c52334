"""What a new release changes, and what that touches here: the work of every 1 October, done by a command."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from thce.codes.icd10cm import Item, undotted
from thce.files import read_json, read_jsonl, read_text

HEADINGS = ("chapter", "block", "section")


class CodeRow(NamedTuple):
    """Whether a code can be billed in this release, and its title."""

    billable: bool
    title: str


@dataclass(frozen=True)
class CodeSet:
    """The codes of one release; `rows` is in its order and holds no chapters, blocks or sections.

    `successors` are the codes this release itself names for ended ones (HCPCS cross references, conversion table).
    """

    code_type: str
    label: str
    rows: dict[str, CodeRow]
    successors: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @staticmethod
    def of_items(code_type: str, label: str, items: Iterable[Item]) -> CodeSet:
        """The codes of a release from table items; chapters and other headings are left out."""
        rows = {item.code: CodeRow(item.billable, item.title) for item in items if item.level not in HEADINGS}
        return CodeSet(code_type, label, rows)


@dataclass(frozen=True)
class Diff:
    """How `new` differs from `old`. A code stands in one of the lists at most, except that a retitled one may be
    demoted.

    `demoted` codes were billable and are headers now, `promoted` the other way round. `successors` has the retired and
    demoted codes that something is known for: billable codes of the new release.
    """

    code_type: str
    old: str
    new_label: str
    new: tuple[str, ...]
    new_headers: tuple[str, ...]
    retired: tuple[str, ...]
    retired_headers: tuple[str, ...]
    demoted: tuple[str, ...]
    promoted: tuple[str, ...]
    retitled: dict[str, tuple[str, str]]
    successors: dict[str, tuple[str, ...]]

    @property
    def changed(self) -> tuple[str, ...]:
        """The codes of the old release that mean or do something else now: retired, demoted or retitled."""
        return tuple(dict.fromkeys([*self.retired, *self.demoted, *self.retitled]))


@dataclass(frozen=True)
class Touched:
    """Changed codes that this project uses: in scope, in the phrasebook (`file:line`), in the narratives (rows per
    file)."""

    scope: tuple[str, ...]
    phrasebook: dict[str, tuple[str, ...]]
    narratives: dict[str, dict[str, int]]

    def __bool__(self) -> bool:
        return bool(self.scope or self.phrasebook or self.narratives)


def diff(old: CodeSet, new: CodeSet, successors: Mapping[str, tuple[str, ...]] | None = None) -> Diff:
    """Compare two releases of one system. Titles that differ only in case, accents or blanks count as equal.

    `successors` (the conversion table read in reverse) adds to what the releases themselves name; a demoted ICD-10-CM
    code is followed by the billable codes below it.
    """
    named = {**old.successors, **new.successors, **(successors or {})}
    retired: list[str] = []
    demoted: list[str] = []
    gone_headers: list[str] = []
    promoted: list[str] = []
    retitled: dict[str, tuple[str, str]] = {}
    for code, row in old.rows.items():
        now = new.rows.get(code)
        if now is None:
            (retired if row.billable else gone_headers).append(code)
            continue
        if row.billable != now.billable:
            (demoted if row.billable else promoted).append(code)
        if _plain(row.title) != _plain(now.title):
            retitled[code] = (row.title, now.title)
    added = [code for code in new.rows if code not in old.rows]
    follow: dict[str, tuple[str, ...]] = {}
    below = _billable_below(new, demoted)
    for code in [*retired, *demoted]:
        known = tuple(after for after in named.get(code, ()) if (row_ := new.rows.get(after)) is None or row_.billable)
        if after := below.get(code) or known:
            follow[code] = after
    return Diff(
        old.code_type,
        old.label,
        new.label,
        tuple(code for code in added if new.rows[code].billable),
        tuple(code for code in added if not new.rows[code].billable),
        tuple(retired),
        tuple(gone_headers),
        tuple(demoted),
        tuple(promoted),
        retitled,
        follow,
    )


def _plain(title: str) -> str:
    bare = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return " ".join(bare.casefold().split())


def _billable_below(new: CodeSet, headers: Iterable[str]) -> dict[str, tuple[str, ...]]:
    stems = {undotted(code): code for code in headers}
    found: dict[str, list[str]] = {}
    for code, row in new.rows.items() if stems else ():
        bare = undotted(code)
        for length in range(3, len(bare)) if row.billable else ():
            if bare[:length] in stems:
                found.setdefault(stems[bare[:length]], []).append(code)
    return {code: tuple(below) for code, below in found.items()}


def touched(
    change: Diff,
    database: Path | str = "data/code_databases",
    phrasebook: Path | str = "data/phrasebook",
    narratives: Path | str = "data/narratives",
) -> Touched:
    """Which changed codes stand in the scope files, the phrasebook and the narratives; what is not there is passed
    over."""
    changed = set(change.changed)
    scope: list[str] = []
    path = Path(database) / f"{change.code_type.lower()}_codes.json"
    if path.is_file():
        scope = [row["code"] for row in read_json(path)["codes"] if row["code"] in changed]
    places: dict[str, list[str]] = {}
    for file in sorted(Path(phrasebook).glob("*.txt")):
        for number, line in enumerate(read_text(file).splitlines(), 1):
            words = line.split(maxsplit=2)
            if line[:1].strip() and words[0] == change.code_type and len(words) > 1 and words[1] in changed:
                places.setdefault(words[1], []).append(f"{file.as_posix()}:{number}")
    rows: dict[str, dict[str, int]] = {}
    for file in sorted(Path(narratives).glob("*.jsonl")):
        for row in read_jsonl(file):
            for code in _codes_of(row, change.code_type) & changed:
                files = rows.setdefault(code, {})
                files[file.name] = files.get(file.name, 0) + 1
    by_code = {code: rows[code] for code in sorted(rows)}
    return Touched(tuple(sorted(scope)), {code: tuple(places[code]) for code in sorted(places)}, by_code)


def _codes_of(row: Mapping[str, Any], code_type: str) -> set[str]:
    return {code["code"] for code in row.get("codes", ()) if code.get("code_type") == code_type}


def to_dict(change: Diff, found: Touched | None) -> dict[str, Any]:
    """Plain values for JSON."""
    result: dict[str, Any] = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(change).items()}
    result["retitled"] = {code: {"old": old, "new": new} for code, (old, new) in change.retitled.items()}
    result["successors"] = {code: list(after) for code, after in change.successors.items()}
    if found is not None:
        result["touched"] = json.loads(json.dumps(vars(found)))
    return result
