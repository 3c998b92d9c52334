"""CPT: the user's licensed AMA files, and code numbers with payment indicators from the CMS fee schedule.

The descriptors are the American Medical Association's. They are read from files the user holds a license for and
written only to the folder of licensed tables, which git does not track. From the fee schedule no text is taken.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from thce.codes.importers_source import Parsed, Source, counted, decode, sheet_rows, table
from thce.errors import UserError

PFS_COLUMNS = {
    "status": "STATUS CODE",
    "work_rvu": "WORK RVU",
    "nonfacility_total": "NON-FAC TOTAL",
    "facility_total": "FACILITY TOTAL",
    "pctc": "PCTC IND",
    "global_days": "GLOB DAYS",
    "multiple": "MULT PROC",
    "bilateral": "BILAT SURG",
    "assistant": "ASST SURG",
    "cosurgeon": "CO- SURG",
    "team": "TEAM SURG",
}
"""Our column -> words of the official heading, which may be stacked over several rows."""

ATTESTATION = "The person who ran this import stated that they hold a license from the AMA for the CPT content imported here."
_DATA = {
    "cpt_longult": re.compile(r"(\d{4}[0-9A-Z])[\t ]+(\S.*)"),
    "cpt_medu": re.compile(r"(\d{4}[0-9A-Z]) (\S.{0,47})"),
    "cpt_shortu": re.compile(r"(\d{4}[0-9A-Z]) (\S.{0,27})"),
}
_NUMBER = re.compile(r"[0-9A-Z]\d{3}[0-9A-Z]")


def read_cpt(source: Source, kind: str) -> dict[str, str]:
    """code -> descriptor of LONGULT (TAB), MEDU or SHORTU (fixed width); the license text above the data is passed
    over. Raises `UserError` for a line of another form and for a code that stands there twice."""
    found: dict[str, str] = {}
    for number, line in enumerate(decode(source).splitlines(), 1):
        match = _DATA[kind].fullmatch(line.rstrip())
        if match is None:
            if found and line.strip():
                raise UserError(f"{source.place}:{number}", "is not a code with its descriptor", "use the file as delivered")
            continue
        if match[1] in found:
            raise UserError(f"{source.place}:{number}", f"{match[1]} stands there twice", "use the file as delivered")
        found[match[1]] = match[2]
    return found


def parse_cpt(sources: Mapping[str, Source], bounds: tuple[int, int]) -> Parsed:
    """One table of code, long, medium and short descriptor; all files given must hold the same codes.

    Raises `UserError` if they do not.
    """
    texts = {kind: read_cpt(source, kind) for kind, source in sorted(sources.items())}
    codes = sorted(set().union(*texts.values()))
    for kind, found in texts.items():
        counted(sources[kind].place, "codes", len(found), *bounds)
        if missing := [code for code in codes if code not in found]:
            raise UserError(
                sources[kind].place, f"lacks {len(missing)} codes of the other file ({missing[0]})", "use one release"
            )
    columns = ("cpt_longult", "cpt_medu", "cpt_shortu")
    rows = [[code, *(texts.get(kind, {}).get(code, "") for kind in columns)] for code in codes]
    return Parsed(table(("code", "long", "medium", "short"), rows), {"rows": len(codes)}, {"attestation": ATTESTATION})


def check_untracked(folder: Path) -> None:
    """Refuse to put licensed text where git would pick it up."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        run = ["git", "-C", str(folder), "rev-parse", "--is-inside-work-tree"]
        if subprocess.run(run, capture_output=True, timeout=20).returncode != 0:
            return
        ignored = subprocess.run(["git", "-C", str(folder), "check-ignore", "-q", "cpt.tsv"], capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return  # no git here, so nothing it could pick up
    if ignored.returncode != 0:
        raise UserError(str(folder), "is not ignored by git; licensed CPT text must stay out of it", "use data/licensed")


def parse_pfs(source: Source, bounds: tuple[int, int]) -> Parsed:
    """Numbers and indicators of `PPRRVU*.csv`: one row per code and modifier. The column DESCRIPTION is never read.

    Raises `UserError` for a missing column or a row of another form.
    """
    rows = sheet_rows(source)
    top = next((i for i, row in enumerate(rows) if row and row[0].strip().upper() == "HCPCS"), None)
    if top is None:
        raise UserError(source.place, "has no column `HCPCS`", "use PPRRVU*.csv as published")
    headings = [_heading(rows, top, i) for i in range(len(rows[top]))]
    at = {name: _column(headings, words, source.place) for name, words in PFS_COLUMNS.items()}
    modifier = _column(headings, "MOD", source.place)
    cells = []
    for number, row in enumerate(rows[top + 1 :], top + 2):
        if not any(cell.strip() for cell in row):
            continue
        code = row[0].strip()
        if not _NUMBER.fullmatch(code) or len(row) <= max(at.values()):
            raise UserError(f"{source.place}:{number}", "is not a row of the fee schedule", "it is cut short?")
        cells.append([code, row[modifier].strip(), *(row[i].strip() for i in at.values())])
    codes = {row[0] for row in cells}
    counted(source.place, "codes", len(codes), *bounds)
    addon = len({row[0] for row in cells if row[2 + list(at).index("global_days")] == "ZZZ"})
    counts = {"rows": len(cells), "codes": len(codes), "add_on": addon}
    return Parsed(table(("code", "modifier", *at), cells), counts, {})


def _heading(rows: list[list[str]], top: int, column: int) -> str:
    """The heading of a column, its stacked parts joined; of the first column only the lowest (titles stand above
    it)."""
    above = rows[max(0, top - 3) : top] if column else []
    parts = [row[column].strip() for row in (*above, rows[top]) if column < len(row)]
    return " ".join(" ".join(parts).upper().split())


def _column(headings: list[str], words: str, place: str) -> int:
    spellings = {words, words.replace("CO- ", "CO-"), words.replace("- ", " "), words.replace("FACILITY", "FAC")}
    spellings |= {words.replace("NON-FAC ", "NON-FACILITY ")}
    exact = [i for i, heading in enumerate(headings) if heading in spellings]
    found = exact or [i for i, heading in enumerate(headings) if any(heading.endswith(" " + words) for words in spellings)]
    if words == "FACILITY TOTAL":
        found = [i for i in found if "NON" not in headings[i]]
    if not found:
        raise UserError(place, f"has no column `{words}`", "use PPRRVU*.csv as published")
    return found[0]
