"""Lists for edits on claims: the Medicare Code Editor (MCE), NCCI pairs (PTP) and units (MUE)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from thce.codes.icd10cm import dotted
from thce.codes.importers_source import Parsed, Release, Source, counted, decode, sheet_rows, table
from thce.errors import UserError

MCE_BOUNDS = {
    "manifestation": (300, 800),
    "unacceptable": (1_500, 5_000),
    "newborn": (20, 200),
    "pediatric": (60, 400),
    "maternity": (1_500, 5_000),
    "adult": (400, 2_000),
}
"""How many codes a list may have; v43 has 422, 2,656, 42, 125, 2,543 and 856."""

AGES = {"newborn": (0, 0), "pediatric": (0, 17), "maternity": (9, 64), "adult": (15, 124)}
"""Ages in years, both ends included, as the MCE defines them since v38; a range in a heading replaces them."""

_HEADING = re.compile(r"\s*(?:\d{1,2}\.|[A-D]\.)\s*(\S.*)")
_SECTIONS = {
    r"newborn": "newborn",
    r"pediatric": "pediatric",
    r"maternity": "maternity",
    r"adult diagnos": "adult",
    r"manifestation code as principal": "manifestation",
    r"unacceptable principal": "unacceptable",
    r"unspecified code": "unspecified",
}
_ROW = re.compile(r"\s*([A-Z]\d[0-9A-Z]{1,5})(\*?)\s*\t+\s*(\S.*)")


def read_mce(source: Source) -> dict[str, Any]:
    """The diagnosis lists of "Definitions of Medicare Code Edits": list -> codes with their dots, and `ages`.

    A list begins at its numbered or lettered heading and ends at the next one (sections that hold no list of ours,
    such as procedures, are passed over). Codes marked `*` in the list of unacceptable principal diagnoses are
    `needs_secondary`: acceptable when a secondary diagnosis is coded too.
    """
    lists: dict[str, list[str]] = {name: [] for name in (*MCE_BOUNDS, "needs_secondary", "unspecified")}
    ages = dict(AGES)
    current: str | None = None
    for line in decode(source).splitlines():
        if match := _ROW.fullmatch(line.rstrip()):
            if current:
                marked = match[2] or match[3].rstrip().endswith("*")
                name = "needs_secondary" if marked and current == "unacceptable" else current
                lists[name].append(dotted(match[1]))
        elif match := _HEADING.fullmatch(line.rstrip()):
            words = match[1].lower()
            current = next((name for pattern, name in _SECTIONS.items() if re.match(f".*{pattern}", words)), None)
            if current in ages and (years := re.search(r"ages? (\d+) (?:through|to|-) (\d+)", words)):
                ages[current] = (int(years[1]), int(years[2]))
        elif current == "unacceptable" and "secondary" in line.lower():
            lists["needs_secondary"] += re.findall(r"\b[A-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4}\b", line)
    result: dict[str, Any] = {name: sorted(set(codes)) for name, codes in lists.items()}
    result["unacceptable"] = [code for code in result["unacceptable"] if code not in result["needs_secondary"]]
    result["ages"] = {name: list(years) for name, years in ages.items()}
    return result


def parse_mce(source: Source, bounds: dict[str, tuple[int, int]] | None) -> Parsed:
    """The lists of the Medicare Code Editor as a table; a list of another size than `bounds` allow is a `UserError`."""
    lists = read_mce(source)
    for name, (low, high) in (bounds or MCE_BOUNDS).items():
        counted(source.place, f"codes in the list `{name}`", len(lists[name]), low, high)
    counts = {name: len(codes) for name, codes in lists.items() if name != "ages"}
    payload = json.dumps(lists, indent=0, sort_keys=True) + "\n"
    return Parsed(payload.encode(), {"rows": sum(counts.values()), **counts}, {})


def mce_release(names: Sequence[str]) -> Release | None:
    """`definition-mce-v44.zip` is the version of FY2027; a point release (v41.1, v411) begins on 1 April."""
    for name in names:
        match = re.search(r"v[_ ]?(\d\d)(?:[._]?([01]))?(?!\d)", name, re.IGNORECASE)
        if match:
            year = 1983 + int(match[1])
            april = match[2] == "1"
            first = f"{year}-04-01" if april else f"{year - 1}-10-01"
            return Release(f"MCE v{match[1]}" + (".1" if april else ""), first, f"{year}-09-30")
    return None


_PAIR = re.compile(r"([0-9A-Z]{5})\t([0-9A-Z]{5})\t([* ]?)\t(\d{8})\t(\d{8}|\*| *)\t([019])(?:\t.*)?")


def parse_ptp(sources: Sequence[Source], bounds: tuple[int, int]) -> Parsed:
    """NCCI procedure-to-procedure pairs, one line per column-1 code: its column-2 codes with indicator, first and
    last day.

    The notice and the wrapped heading above the data are passed over; the rationale is not kept. Pairs that were
    deleted on the day they began never applied and are dropped.
    Raises `UserError` for a line of another form.
    """
    pairs: dict[str, list[str]] = {}
    count = 0
    for source in sources:
        began = False
        for number, line in enumerate(decode(source).splitlines(), 1):
            match = _PAIR.fullmatch(line.rstrip("\r"))
            if match is None:
                if began and line.strip():
                    raise UserError(f"{source.place}:{number}", "is not a row of NCCI pairs", "it is cut short?")
                continue
            began = True
            one, two, _, first, last, indicator = match.groups()
            last = last.strip(" *")
            if first != last:
                pairs.setdefault(one, []).append(f"{two}:{indicator}:{first}:{last}")
                count += 1
    counted(sources[0].place, "pairs (all files together)", count, *bounds)
    lines = [f"{one}\t{';'.join(sorted(set(pairs[one])))}" for one in sorted(pairs)]
    return Parsed(("code\tpairs\n" + "\n".join(lines) + "\n").encode(), {"rows": len(pairs), "pairs": count}, {})


def parse_mue(source: Source, bounds: tuple[int, int]) -> Parsed:
    """Medically unlikely edits: code, units, adjudication indicator (1 line, 2 day by policy, 3 day by clinical
    data). Raises `UserError` for a missing column or a row of another form."""
    rows = sheet_rows(source)
    headings = [[" ".join(cell.upper().split()) for cell in row] for row in rows[:40]]
    top = next((i for i, names in enumerate(headings) if any("MUE VALUE" in name for name in names)), None)
    if top is None:
        raise UserError(source.place, "has no column `MUE Values`", "use the MUE table as published")
    units = next(i for i, name in enumerate(headings[top]) if "MUE VALUE" in name)
    indicator = next((i for i, name in enumerate(headings[top]) if "ADJUDICATION" in name), None)
    if indicator is None:
        raise UserError(source.place, "has no column `MUE Adjudication Indicator`", "use the MUE table as published")
    cells = []
    for number, row in enumerate(rows[top + 1 :], top + 2):
        if not any(cell.strip() for cell in row):
            continue
        row = [cell.strip() for cell in row] + [""] * 4
        if not re.fullmatch(r"[0-9A-Z]{5}", row[0]) or not row[units].isdigit() or row[indicator][:1] not in ("1", "2", "3"):
            raise UserError(f"{source.place}:{number}", "is not a row of the MUE table", "it is cut short?")
        cells.append((row[0], row[units], row[indicator][:1]))
    counted(source.place, "codes", len(cells), *bounds)
    return Parsed(table(("code", "units", "indicator"), cells), {"rows": len(cells)}, {})


def ncci_release(names: Sequence[str]) -> Release | None:
    """`ccipra-v322r0-f1.TXT` is version 32.2 (July 2026); `..._Eff_10-01-2026.csv` names its day."""
    for name in names:
        if match := re.search(r"(?<!\d)(\d\d)-(\d\d)-(20\d\d)(?!\d)", name):
            day = f"{match[3]}-{match[1]}-{match[2]}"
            return Release(day[:7], day, "")
        if match := re.search(r"v(\d\d)([0-3])r\d", name, re.IGNORECASE):
            month = ("01", "04", "07", "10")[int(match[2])]
            year = 1994 + int(match[1])
            return Release(f"{year}-{month}", f"{year}-{month}-01", "")
    return None
