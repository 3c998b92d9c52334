"""ICD-10-CM files of NCHS and CMS: order, codes, addenda, conversion table, POA-exempt list and tabular XML."""

from __future__ import annotations

import gzip
import re
from bisect import bisect
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from thce.codes.icd10cm import dotted, read_tabular, undotted
from thce.codes.importers_source import Parsed, Source, counted, decode, sheet_rows, table
from thce.errors import UserError

BILLABLE = {
    2016: 69_823, 2017: 71_486, 2018: 71_704, 2019: 71_932, 2020: 72_184, 2021: 72_621,
    2022: 72_750, 2023: 73_674, 2024: 74_044, 2025: 74_260, 2026: 74_719,
}  # fmt: skip
"""Billable codes per fiscal year, counted in the official files (with the year's updates)."""

_CODE = re.compile(r"[A-Z][0-9A-Z]{2,6}")
_DOTTED = re.compile(r"[A-Z][0-9A-Z]{2}(?:\.[0-9A-Z]{1,4})?")
_ACTIONS = ("Add:", "Delete:", "Revise from:", "Revise to:")


class OrderRow(NamedTuple):
    """One line of an order file: the code with its dot, whether it is billable, short (60) and long description."""

    code: str
    billable: bool
    short: str
    long: str


class Change(NamedTuple):
    """One line of an order addenda: `add`, `delete`, `from` (the row before a revision) or `to` (after it)."""

    action: str
    row: OrderRow


def expected_billable(year: int | None) -> tuple[int, int]:
    """How many billable codes a release may have: within 0.1 % of the official count, or a plausible growth since.

    Releases after the last one counted here may shrink a little (0.2 %) and grow by 3 % a year; with no year,
    anything that ICD-10-CM has ever been passes.
    """
    if year is None:
        return 69_000, 110_000
    if year in BILLABLE:
        slack = BILLABLE[year] // 1000
        return BILLABLE[year] - slack, BILLABLE[year] + slack
    last = max(BILLABLE)
    return int(BILLABLE[last] * 0.998), int(BILLABLE[last] * 1.03 ** max(1, year - last))


def read_order(source: Source) -> list[OrderRow]:
    """The rows of `icd10cm_order_YYYY.txt`, in its order (columns: 1-5 number, 7-13 code, 15 flag, 17-76 short, 78-
    long).

    Raises `UserError` with the line for a line of another shape, a gap in the numbers, a code that stands there
    twice, or a flag that contradicts the hierarchy (a header has codes below it, a billable code has none): signs of
    a damaged file.
    """
    rows = []
    text = decode(source)
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{source.place}:{number}"
        code, flag = line[6:13].rstrip(), line[14:15]
        row = OrderRow(dotted(code), flag == "1", line[16:76].strip(), line[77:].strip())
        blanks = line[5:6] + line[13:14] + line[15:16] + line[76:77]
        if not _CODE.fullmatch(code) or flag not in ("0", "1") or blanks.strip() or not row.short or not row.long:
            raise UserError(place, "is not a line of an ICD-10-CM order file", "use icd10cm_order_YYYY.txt as published")
        if line[:5] != f"{number:05d}":
            raise UserError(place, f"has the number {line[:5]}, not {number:05d}: lines are missing", "download the file again")
        rows.append(row)
    if rows and not text.endswith("\n"):
        raise UserError(source.place, "ends in the middle of a line", "it is cut short; download it again")
    _check_rows(rows, source.place)
    return rows


def read_codes(source: Source) -> list[OrderRow]:
    """The rows of `icd10cm_codes_YYYY.txt` (1-7 code, 9- long description): billable codes only, in official order.

    Raises `UserError` for a line of another form or one that is cut short.
    """
    rows = []
    text = decode(source)
    for number, line in enumerate(text.splitlines(), 1):
        code = line[:7].rstrip()
        if not _CODE.fullmatch(code) or line[7:8] != " " or not line[8:].strip():
            raise UserError(
                f"{source.place}:{number}", "is not a line of an ICD-10-CM codes file", "use icd10cm_codes_YYYY.txt"
            )
        rows.append(OrderRow(dotted(code), True, "", line[8:].strip()))
    if rows and not text.endswith("\n"):
        raise UserError(source.place, "ends in the middle of a line", "it is cut short; download it again")
    _check_rows(rows, source.place)
    return rows


def _check_rows(rows: Sequence[OrderRow], place: str) -> None:
    codes = [undotted(row.code) for row in rows]
    known = set(codes)
    if len(known) < len(codes):
        twice = next(code for i, code in enumerate(codes) if code in codes[:i])
        raise UserError(place, f"{dotted(twice)} stands there twice", "use the official file as published")
    with_below = {code[:length] for code in codes for length in range(3, len(code))} & known
    for row, code in zip(rows, codes, strict=True):
        if row.billable == (code in with_below):
            said = "is billable but has codes below it" if row.billable else "is a header without codes below it"
            raise UserError(place, f"{row.code} {said}", "it is cut short or damaged; download it again")


def order_table(rows: Iterable[OrderRow]) -> bytes:
    """The compact form: code, billable, short, long."""
    cells = [(row.code, str(int(row.billable)), row.short, row.long) for row in rows]
    return table(("code", "billable", "short", "long"), cells)


def order_rows(text: str) -> list[OrderRow]:
    """The rows back from the compact form."""
    rows = [line.split("\t") for line in text.split("\n")[1:-1]]
    return [OrderRow(code, billable == "1", short, long) for code, billable, short, long in rows]


def parse_order(source: Source, year: int | None, bounds: tuple[int, int] | None) -> Parsed:
    """The order file as a table; raises `UserError` when it has not as many billable codes as the release (or `bounds`)."""
    rows = read_order(source)
    billable = sum(row.billable for row in rows)
    counted(source.place, "billable codes", billable, *(bounds or expected_billable(year)))
    return Parsed(order_table(rows), {"rows": len(rows), "billable": billable, "headers": len(rows) - billable}, {})


def parse_codes(source: Source, year: int | None, bounds: tuple[int, int] | None) -> Parsed:
    """The codes file (billable codes only) as a table, counted as the order file is."""
    rows = read_codes(source)
    counted(source.place, "billable codes", len(rows), *(bounds or expected_billable(year)))
    return Parsed(order_table(rows), {"rows": len(rows), "billable": len(rows)}, {})


def read_addenda(source: Source) -> list[Change]:
    """The changes of `icd10cm_order_addenda_YYYY.txt`, in its order; the totals at its end must agree with them.

    Raises `UserError` otherwise.
    """
    changes: list[Change] = []
    totals: dict[str, int] = {}
    for number, line in enumerate(decode(source).splitlines(), 1):
        action = line[:13].strip()
        if action in _ACTIONS:
            code, flag = line[15:22].strip(), line[13:14]
            row = OrderRow(dotted(code), flag == "1", line[22:83].strip(), line[83:].strip())
            if not _CODE.fullmatch(code) or flag not in ("0", "1") or not row.long:
                raise UserError(f"{source.place}:{number}", "is not a line of an order addenda", "use the file as published")
            changes.append(Change({"Add:": "add", "Delete:": "delete", "Revise from:": "from"}.get(action, "to"), row))
        elif match := re.match(r"\s*([\d,]+) (additions?|deletions?|revisions?)$", line.rstrip()):
            kind = match[2].rstrip("s")
            totals[kind] = totals.get(kind, 0) + int(match[1].replace(",", ""))
    for kind, action in (("addition", "add"), ("deletion", "delete"), ("revision", "to")):
        found = sum(change.action == action for change in changes)
        if kind not in totals:
            raise UserError(source.place, f"lacks its total of {kind}s", "it is cut short or not an order addenda")
        if totals[kind] != found:
            raise UserError(source.place, f"has {found} {kind}s, but says {totals[kind]}", "it is cut short; download it again")
    return changes


def parse_addenda(source: Source) -> Parsed:
    """The addenda to an order file as a table of changes."""
    changes = read_addenda(source)
    cells = [(c.action, c.row.code, str(int(c.row.billable)), c.row.short, c.row.long) for c in changes]
    counts = {"rows": len(changes)} | {kind: sum(c.action == kind for c in changes) for kind in ("add", "delete", "to")}
    return Parsed(table(("action", "code", "billable", "short", "long"), cells), counts, {})


def change_rows(text: str) -> list[Change]:
    """The changes back from the compact form."""
    rows = [line.split("\t") for line in text.split("\n")[1:-1]]
    return [Change(action, OrderRow(code, billable == "1", short, long)) for action, code, billable, short, long in rows]


def apply_addenda(rows: Sequence[OrderRow], changes: Sequence[Change], place: str) -> list[OrderRow]:
    """The order rows after the changes; an added code stands behind the one that precedes it alphabetically.

    Raises `UserError` when a change does not fit: it deletes or revises what is not there, or adds what is.
    """
    found = {row.code: row for row in rows}
    for change in changes:
        code = change.row.code
        if change.action in ("delete", "from"):
            if code not in found or found[code].billable != change.row.billable:
                raise UserError(place, f"changes {code}, which the release before it has not so", "give the release before it")
            del found[code]
        elif code in found:
            raise UserError(place, f"adds {code}, which the release before it has already", "give the release before it")
        else:
            found[code] = change.row
    order = [row.code for row in rows if row.code in found]
    sorted_codes = sorted(order)
    for code in sorted(found.keys() - set(order)):
        at = bisect(sorted_codes, code)
        order.insert(order.index(sorted_codes[at - 1]) + 1 if at else 0, code)
        sorted_codes.insert(at, code)
    return [found[code] for code in order]


def read_conversion(source: Source) -> list[tuple[str, str, tuple[str, ...]]]:
    """(current code, first day, previous codes) of each row of the conversion table.

    `Effective` is a year (1 October of that year), a day for an off-cycle code, or empty. The previous codes are prose
    (`C56.1 and C56.2`, `I60.20-I60.22`, `None`): single codes are kept, of a range both ends; categories are not codes.
    Raises `UserError` for a missing column or a cell that is no code.
    """
    rows = sheet_rows(source)
    top = next((i for i, row in enumerate(rows) if row and row[0].strip().lower().startswith("current code")), None)
    if top is None:
        raise UserError(source.place, "has no column `Current code assignment`", "use the conversion table as published")
    result = []
    for number, row in enumerate(rows[top + 1 :], top + 2):
        cells = [cell.strip() for cell in row] + ["", "", ""]
        if not cells[0]:
            continue
        code = dotted(cells[0])  # one row of the FY2026 table lacks the dot
        if not _DOTTED.fullmatch(code):
            raise UserError(f"{source.place}:{number}", f"`{cells[0]}` is not a code", "use the conversion table as published")
        day = f"{cells[1]}-10-01" if re.fullmatch(r"20\d\d", cells[1]) else cells[1]
        previous = [found for found in _DOTTED.findall(cells[2]) if "." in found or cells[2] == found]
        result.append((code, day, tuple(dict.fromkeys(previous))))
    return result


def parse_conversion(source: Source, bounds: tuple[int, int]) -> Parsed:
    """The conversion table: code, day it is in force from, previous codes."""
    rows = read_conversion(source)
    counted(source.place, "rows", len(rows), *bounds)
    payload = table(("code", "from", "previous"), [(code, day, ",".join(before)) for code, day, before in rows])
    return Parsed(payload, {"rows": len(rows)}, {})


def successors(rows: Iterable[tuple[str, str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """previous code -> the codes that took over from it, read from the conversion table in reverse."""
    found: dict[str, list[str]] = {}
    for code, _, previous in rows:
        for before in previous:
            found.setdefault(before, []).append(code)
    return {code: tuple(dict.fromkeys(after)) for code, after in found.items()}


def parse_poa_exempt(source: Source, bounds: tuple[int, int]) -> Parsed:
    """Codes exempt from present-on-admission reporting (TAB-separated: order number, code, description).

    Raises `UserError` for a line of another form.
    """
    codes = []
    for number, line in enumerate(decode(source).splitlines(), 1):
        cells = line.split("\t")
        if number == 1 or not line.strip():
            if number == 1 and not any("POAexemptCode" in cell.replace(" ", "") for cell in cells):
                raise UserError(source.place, "has no column `POAexemptCode`", "use POAexemptCodesFYnn.txt as published")
            continue
        if len(cells) < 3 or not _DOTTED.fullmatch(cells[1].strip()):
            raise UserError(f"{source.place}:{number}", "is not a line of the POA-exempt list", "use the file as published")
        codes.append(cells[1].strip())
    counted(source.place, "codes", len(codes), *bounds)
    return Parsed(table(("code",), [(code,) for code in codes]), {"rows": len(codes)}, {})


def parse_tabular(source: Source, known: frozenset[str], bounds: tuple[int, int]) -> Parsed:
    """The tabular XML, kept as it is (compressed); `known` are the codes (without dot) of the release it must belong
    to. Raises `UserError` if it does not."""
    items = read_tabular(source.data, known, source.place)
    entries = {undotted(item.code) for item in items if item.level not in ("chapter", "block")}
    chapters = sum(item.level == "chapter" for item in items)
    counted(source.place, "chapters", chapters, min(22, bounds[0]), 30)
    counted(source.place, "categories and codes", len(entries), *bounds)
    if strange := sorted(entries ^ known):
        said = f"{len(strange):,} codes are only in one of it and the order file ({', '.join(strange[:4])})"
        raise UserError(source.place, said, "import the tabular and the order file of the same release together")
    noted = sum(bool(item.notes) for item in items)
    counts = {"rows": len(items), "chapters": chapters, "with_notes": noted}
    return Parsed(gzip.compress(source.data, mtime=0), counts, {})
