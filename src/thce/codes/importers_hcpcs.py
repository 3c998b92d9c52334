"""HCPCS Level II as CMS publishes it each quarter: the ANWEB text file (320 columns) or workbook (48 columns)."""

from __future__ import annotations

import re
from typing import NamedTuple

from thce.codes.importers_source import Parsed, Source, counted, decode, is_sheet, sheet_rows, table
from thce.codes.tables import HCPCS_SECTIONS
from thce.errors import UserError

COLUMNS = ("code", "kind", "added", "changed", "ended", "action", "coverage", "betos", "successors", "short", "long")
_RECORD = re.compile(r"(?: {3}[A-Z0-9]{2}|[A-Z]\d{4})\d{5}[3478]")
_PROCEDURE = re.compile(r"[A-CE-V]\d{4}")


class Hcpcs(NamedTuple):
    """One procedure code or modifier with its days (ISO, empty: none). `ended` is the last day it is valid."""

    code: str
    kind: str
    added: str
    changed: str
    ended: str
    action: str
    coverage: str
    betos: str
    successors: tuple[str, ...]
    short: str
    long: str


def read_hcpcs(source: Source) -> list[Hcpcs]:
    """All codes and modifiers in file order, ended ones included; the pieces of a long description are joined.

    D codes (CDT) and five-digit codes (CPT) are not in the public file; should a file hold them, it is refused.
    """
    records = _sheet_records(source) if is_sheet(source) else _text_records(source)
    rows: list[Hcpcs] = []
    for place, code, record, chunk, row in records:
        if record in "48":
            if not rows or rows[-1].code != code:
                raise UserError(place, f"continues {code}, which did not begin", "lines are missing; download it again")
            rows[-1] = rows[-1]._replace(long=f"{rows[-1].long} {chunk}")
        elif row is not None:
            if row.kind == "procedure" and not (_PROCEDURE.fullmatch(code) and code[0] in HCPCS_SECTIONS):
                raise UserError(place, f"{code} is not an HCPCS Level II code", "the public file holds no CPT and no D codes")
            rows.append(row)
    seen: set[tuple[str, str]] = set()
    for item in rows:
        if (item.kind, item.code) in seen:
            raise UserError(source.place, f"{item.code} stands there twice", "use the file as published")
        seen.add((item.kind, item.code))
    return [row._replace(long=" ".join(row.long.split())) for row in rows]


_Record = tuple[str, str, str, str, Hcpcs | None]
"""Place, code, record number, chunk of the long description, and on a first line the rest of the row."""


def _text_records(source: Source) -> list[_Record]:
    records: list[_Record] = []
    for number, line in enumerate(decode(source).splitlines(), 1):
        if not _RECORD.match(line):
            continue  # disclaimer lines
        place = f"{source.place}:{number}"
        code, record, chunk = line[:5].strip(), line[10], line[11:91].strip()
        row = None
        if record in "37":
            if len(line) < 293:
                raise UserError(place, f"has {len(line)} columns, not 293 or more", "it is cut short; download it again")
            crossed = tuple(filter(None, (line[at : at + 5].strip() for at in range(204, 229, 5))))
            kind = "procedure" if record == "3" else "modifier"
            added, changed, ended = (_day(line[at : at + 8], place) for at in (268, 276, 284))
            action, coverage, betos = line[292:293].strip(), line[229:230].strip(), line[256:259].strip()
            short = line[91:119].strip()
            row = Hcpcs(code, kind, added, changed, ended, action, coverage, betos, crossed, short, chunk)
        records.append((place, code, record, chunk, row))
    return records


def _sheet_records(source: Source) -> list[_Record]:
    sheet = sheet_rows(source)
    top = next((i for i, row in enumerate(sheet) if row and row[0].strip().upper() == "HCPC"), None)
    if top is None:
        raise UserError(source.place, "has no column `HCPC`", "use HCPCyyyy_ANWEB.xlsx as published")
    column = {name.strip().upper(): i for i, name in enumerate(sheet[top])}
    if "TERM DT" not in column or "RECID" not in column:
        raise UserError(source.place, "lacks the columns `RECID` and `TERM DT`", "use HCPCyyyy_ANWEB.xlsx as published")
    records: list[_Record] = []
    for number, cells in enumerate(sheet[top + 1 :], top + 2):
        get = {name: cells[i].strip() if i < len(cells) else "" for name, i in column.items()}
        code, record, place = get["HCPC"], get["RECID"], f"{source.place}:{number}"
        if not code or record not in ("3", "4", "7", "8"):
            continue
        row = None
        if record in "37":
            crossed = tuple(filter(None, (get.get(f"XREF{n}", "") for n in range(1, 6))))
            kind = "procedure" if record == "3" else "modifier"
            added, changed, ended = (_day(get[name], place) for name in ("ADD DT", "ACT EFF DT", "TERM DT"))
            action, coverage, betos = get["ACTION CD"], get["COV"], get["BETOS"]
            short, long = get["SHORT DESCRIPTION"], get["LONG DESCRIPTION"]
            row = Hcpcs(code, kind, added, changed, ended, action, coverage, betos, crossed, short, long)
        records.append((place, code, record, get["LONG DESCRIPTION"], row))
    return records


def _day(text: str, place: str) -> str:
    """`20171231` -> `2017-12-31`; blank stays empty."""
    text = text.strip()
    if not text:
        return ""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return text
    if not re.fullmatch(r"(19|20)\d\d[01]\d[0-3]\d", text):
        raise UserError(place, f"`{text}` is not a day (YYYYMMDD)", "use the file as published")
    return f"{text[:4]}-{text[4:6]}-{text[6:]}"


def parse_hcpcs(source: Source, first: str, bounds: tuple[int, int], modifiers: tuple[int, int]) -> Parsed:
    """The compact table; `first` is the first day of the release, from which ended codes are told."""
    rows = read_hcpcs(source)
    procedures = [row for row in rows if row.kind == "procedure"]
    counted(source.place, "procedure codes", len(procedures), *bounds)
    counted(source.place, "modifiers", len(rows) - len(procedures), *modifiers)
    ended = sum(bool(row.ended) and row.ended < first for row in procedures)
    counts = {
        "rows": len(rows),
        "procedures": len(procedures),
        "modifiers": len(rows) - len(procedures),
        "ended": ended,
    }
    return Parsed(table(COLUMNS, [[*row[:8], ",".join(row.successors), *row[9:]] for row in rows]), counts, {})


def hcpcs_rows(text: str) -> list[Hcpcs]:
    """The rows back from the compact table."""
    rows = []
    for line in text.split("\n")[1:-1]:
        code, kind, added, changed, ended, action, coverage, betos, crossed, short, long = line.split("\t")
        follow = tuple(filter(None, crossed.split(",")))
        rows.append(Hcpcs(code, kind, added, changed, ended, action, coverage, betos, follow, short, long))
    return rows
