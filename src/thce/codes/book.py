"""The tables of `data/codes/`, loaded when they are first asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from thce.errors import UserError
from thce.files import read_json, read_text

TABLES = {"ICD10": "icd10.tsv", "CPT": "cpt.tsv", "HCPCS": "hcpcs.tsv"}
TITLE_LIMIT = 80
SCANS = 16
"""Look-ups that are answered by scanning a table's bytes before the table is split into rows."""
ICD10_START = "2015-10-01"
"""ICD-10-CM is in force for services from this day on (FY2016, 45 CFR 162.1002)."""


class Entry(NamedTuple):
    """One item of a table.

    `level` is chapter, block, category, subcategory or code for ICD-10-CM (a category of three characters may itself be
    billable, e.g. I10), section or code for CPT and HCPCS. `parent` is the code of the item above, empty at the top.
    `title` is the official one (for CPT a label of our own), `short_title` its form in an answer line.
    """

    code_type: str
    code: str
    title: str
    short_title: str
    level: str
    billable: bool
    parent: str


class Note(NamedTuple):
    """A note of the tabular list and the item it stands at."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes that apply to an item: its own first, then those of the items above it, up to the chapter.

    `seven_chr_def` maps each allowed 7th character to its meaning and is the nearest definition only, given at
    `seven_chr_from`; a nearer definition replaces those above it.
    """

    includes: tuple[Note, ...] = ()
    excludes1: tuple[Note, ...] = ()
    excludes2: tuple[Note, ...] = ()
    code_first: tuple[Note, ...] = ()
    use_additional: tuple[Note, ...] = ()
    code_also: tuple[Note, ...] = ()
    note: tuple[Note, ...] = ()
    seven_chr_note: tuple[Note, ...] = ()
    seven_chr_def: Mapping[str, str] = field(default_factory=dict)
    seven_chr_from: str = ""


class Validity(NamedTuple):
    """When a code is or was billable (ISO days, empty: open), what follows it, and whether that is `official`.

    `level` is `code` for a billable code, `subcategory` for a header that a coming release adds, and `deleted` or
    `demoted` for what a coming release does to a code of this one.
    """

    level: str
    first: str
    last: str
    successors: tuple[str, ...]
    source: str
    title: str


def short_title(title: str, limit: int = TITLE_LIMIT) -> str:
    """The title, or, when longer than `limit`, its beginning up to the last `;`, `,`, `(` or blank before that."""
    if len(title) <= limit:
        return title
    end = limit + 1
    cut = max(title.rfind(" ", 0, end), title.rfind(",", 0, end), title.rfind(";", 0, end), title.rfind("(", 0, end))
    return (title[:cut] if cut > 0 else title[:limit]).rstrip(" ;,(-")


def open(folder: Path | str = "data/codes") -> CodeBook:
    """The code book in `folder`; raises `UserError` when the stage `codes` has not built it."""
    folder = Path(folder)
    if not (folder / "manifest.json").is_file():
        raise UserError(str(folder), "no code tables", "run `dvc repro codes` to build them")
    return CodeBook(folder)


class CodeBook:
    """Look-ups over all tables. Nothing is read before it is needed; what was read is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, bytes] = {}
        self._scans = 0
        self._tables: dict[str, dict[str, str]] = {}
        self._entries: dict[str, dict[str, Entry]] = {code_type: {} for code_type in TABLES}
        self._children: dict[str, dict[str, list[str]]] = {}
        self._billable_below: dict[tuple[str, str], tuple[str, ...]] = {}
        self._validities: dict[tuple[str, str], Validity] = {}

    def table(self, code_type: str) -> dict[str, str]:
        """code -> its raw row, in tabular order."""
        table = self._tables.get(code_type)
        if table is None:
            lines = self._bytes(code_type).decode("utf-8").split("\n")
            table = self._tables[code_type] = {line[: line.index("\t")]: line for line in lines[1:-1]}
            del self._files[code_type]  # the rows hold it all
        return table

    def _bytes(self, code_type: str) -> bytes:
        if code_type not in self._files:
            if code_type not in TABLES:
                raise UserError(repr(code_type), "is not a code type", f"use one of {', '.join(TABLES)}")
            path = self.folder / TABLES[code_type]
            try:
                self._files[code_type] = path.read_bytes()
            except OSError as error:
                raise UserError(str(path), f"cannot be read ({error.strerror})", "run `dvc repro codes`") from None
        return self._files[code_type]

    def _row(self, code_type: str, code: str) -> str | None:
        """The raw row of a code. The first look-ups scan the file, which is faster than splitting it into a table."""
        table = self._tables.get(code_type)
        if table is not None or self._scans >= SCANS:
            return self.table(code_type).get(code)
        data = self._bytes(code_type)
        self._scans += 1
        if "\t" in code or "\n" in code:
            return None
        start = data.find(b"\n%b\t" % code.encode("utf-8", "surrogatepass")) + 1
        return data[start : data.index(b"\n", start)].decode("utf-8") if start else None

    def find(self, code_type: str, code: str) -> Entry | None:
        """The item written exactly so (`E11.9`, `E08-E13`, chapter `4`), or None. See `check` for anything looser."""
        entry = self._entries[code_type].get(code) if code_type in self._entries else None
        if entry is None:
            row = self._row(code_type, code)
            if row is None:
                return None
            code, level, billable, parent, title = row.split("\t")
            entry = Entry(code_type, code, title, short_title(title), level, billable == "1", parent)
            self._entries[code_type][code] = entry
        return entry

    @cached_property
    def scope(self) -> tuple[Entry, ...]:
        """The codes in scope, sorted by code type and code."""
        entries = [self.find(row["code_type"], row["code"]) for row in self._scope_rows]
        return tuple(entry for entry in entries if entry is not None)

    @cached_property
    def ranks(self) -> dict[tuple[str, str], int]:
        """How often codes in scope are billed: 1 is the most frequent; codes without a known rank are absent."""
        return {(row["code_type"], row["code"]): row["rank"] for row in self._scope_rows if row["rank"]}

    @cached_property
    def _scope_rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = read_json(self.folder / "scope.json")
        return rows

    @cached_property
    def manifest(self) -> dict[str, dict[str, Any]]:
        """Table file -> release, effective dates, source and sha256."""
        manifest: dict[str, dict[str, Any]] = read_json(self.folder / "manifest.json")
        return manifest

    def release(self, code_type: str) -> dict[str, Any]:
        """The manifest's row of one table."""
        return self.manifest[TABLES[code_type]]

    @cached_property
    def release_names(self) -> dict[str, str]:
        """Code type -> name of the release its table holds."""
        return {code_type: self.manifest[name]["release"] for code_type, name in TABLES.items()}

    def path(self, code_type: str, code: str) -> tuple[Entry, ...]:
        """The items from chapter or section down to the code itself; empty for a code that is not in the table."""
        chain: list[Entry] = []
        entry = self.find(code_type, code)
        while entry is not None:
            chain.append(entry)
            entry = self.find(code_type, entry.parent) if entry.parent else None
        return tuple(reversed(chain))

    def children(self, code_type: str, code: str) -> tuple[Entry, ...]:
        """The items directly below, in tabular order; those of `""` are the chapters or sections."""
        return tuple(entry for child in self._below(code_type).get(code, ()) if (entry := self.find(code_type, child)))

    def _below(self, code_type: str) -> dict[str, list[str]]:
        below = self._children.get(code_type)
        if below is None:
            below = self._children[code_type] = {}
            for child, row in self.table(code_type).items():
                below.setdefault(row.split("\t", 4)[3], []).append(child)
        return below

    def billable_codes_below(self, code_type: str, code: str) -> tuple[str, ...]:
        """All billable codes below a header, in tabular order."""
        key = (code_type, code)
        known = self._billable_below.get(key)
        if known is None:
            table, below = self.table(code_type), self._below(code_type)
            found: list[str] = []
            for child in below.get(code, ()):
                if child in below:
                    found += self.billable_codes_below(code_type, child)
                elif table[child].split("\t", 3)[2] == "1":
                    found.append(child)
            known = self._billable_below[key] = tuple(found)
        return known

    def header_children(self, code_type: str, code: str) -> tuple[str, ...]:
        """What to use instead of a header: the billable codes below; for a block or chapter the items right below."""
        entry = self.find(code_type, code)
        if entry is not None and entry.level in ("chapter", "block", "section"):
            return tuple(self._below(code_type).get(code, ()))
        return self.billable_codes_below(code_type, code)

    @cached_property
    def _note_rows(self) -> dict[str, str]:
        start = len('{"code":"')
        lines = read_text(self.folder / "icd10_notes.jsonl").split("\n")
        return {line[start : line.index('"', start)]: line for line in lines if line}

    def own_notes(self, code_type: str, code: str) -> dict[str, Any]:
        """The notes that stand at the item itself: kind -> texts; `terms` are its inclusion terms."""
        row = self._note_rows.get(code) if code_type == "ICD10" else None
        return {key: value for key, value in json.loads(row).items() if key != "code"} if row else {}

    def terms(self, code_type: str, code: str) -> tuple[str, ...]:
        """The inclusion terms of the item itself; only ICD-10-CM has them."""
        return tuple(self.own_notes(code_type, code).get("terms", ()))

    def notes(self, code_type: str, code: str) -> Notes:
        """All notes that apply to the item, its own and those of the items above it (Guidelines I.A.10 to I.A.17)."""
        found: dict[str, list[Note]] = {}
        definition: dict[str, str] = {}
        definition_from = ""
        for entry in reversed(self.path(code_type, code)) if code_type == "ICD10" else ():
            own = self.own_notes(code_type, entry.code)
            nearest = own.pop("seven_chr_def", None)
            if nearest and not definition:
                definition, definition_from = nearest, entry.code
            own.pop("terms", None)
            for kind, texts in own.items():
                found.setdefault(kind, []).extend(Note(entry.code, text) for text in texts)
        kinds = {kind: tuple(notes) for kind, notes in found.items()}
        return Notes(seven_chr_def=definition, seven_chr_from=definition_from, **kinds)

    @cached_property
    def _history(self) -> dict[str, dict[str, str]]:
        tables: dict[str, dict[str, str]] = {code_type: {} for code_type in TABLES}
        for line in read_text(self.folder / "history.tsv").split("\n")[1:-1]:
            code_type, code, rest = line.split("\t", 2)
            tables[code_type][code] = rest
        return tables

    def validity(self, code_type: str, code: str) -> Validity | None:
        """What is known of the days a code begins and ends; None when nothing is (it did not change)."""
        row = self._history[code_type].get(code)
        if row is None:
            return None
        known = self._validities.get((code_type, code))
        if known is None:
            level, first, last, successors, source, title = row.split("\t")
            known = Validity(level, first, last, tuple(filter(None, successors.split(","))), source, title)
            self._validities[code_type, code] = known
        return known

    def valid_on(self, code_type: str, code: str, day: date) -> bool:
        """True when the code is known, billable and in force on the day of service.

        A code of the current table without a known change counts as in force on every day of its system.
        """
        entry, known = self.find(code_type, code), self.validity(code_type, code)
        iso = day.isoformat()
        if code_type == "ICD10" and iso < ICD10_START:
            return False
        if known is None:
            return entry is not None and entry.billable
        if known.level == "subcategory":
            return False
        return (known.first or iso) <= iso <= (known.last or iso)
