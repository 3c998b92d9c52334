"""`thce codes import`, `diff` and `edits`: official files, releases and claims."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thce.cli_options import command, day, positive

if TYPE_CHECKING:
    from thce.codes.edits_claim import Line
    from thce.codes.findings import Finding
    from thce.codes.release_diff import Diff, Touched

_OPTIONS = (
    ("icd10cm-order", 1, "icd10cm_order_YYYY.txt: all codes with their billable flag"),
    ("icd10cm-codes", 1, "icd10cm_codes_YYYY.txt: billable codes only"),
    ("icd10cm-tabular", 1, "icd10cm_tabular_YYYY.xml: hierarchy and notes"),
    ("icd10cm-index", "+", "index, external cause, neoplasm and drug XML (of a zip: the main index)"),
    ("icd10cm-addenda", 1, "icd10cm_order_addenda_YYYY.txt: changes to the release before"),
    ("conversion-table", 1, "ICD-10-CM conversion table (xlsx): previous codes"),
    ("poa-exempt", 1, "codes exempt from present-on-admission reporting"),
    ("hcpcs-anweb", 1, "HCPCS Level II, HCPCyyyy_ANWEB .txt or .xlsx"),
    ("pprrvu", 1, "PPRRVU*.csv: numbers and indicators, never the text"),
    ("cpt-longult", 1, "AMA LONGULT.txt (licensed)"),
    ("cpt-medu", 1, "AMA MEDU.txt (licensed)"),
    ("cpt-shortu", 1, "AMA SHORTU.txt (licensed)"),
    ("mce", 1, "Definitions of Medicare Code Edits (txt): age, manifestation, principal"),
    ("ncci-ptp", "+", "NCCI pairs ccipra-*.TXT, all files of the quarter"),
    ("ncci-mue", 1, "NCCI medically unlikely edits (csv or xlsx)"),
)

_IMPORT = """examples
  thce codes import --icd10cm-order 2027-code-descriptions-tabular-order.zip
  thce codes import --icd10cm-order order.zip --icd10cm-tabular tables.zip --conversion-table conversion.zip
  thce codes import --hcpcs-anweb HCPC2026_OCT_ANWEB.xlsx
  thce codes import --cpt-longult LONGULT.txt --release 2027 --effective-from 2027-01-01 --i-have-an-ama-license
  thce codes import --list

Every file may be the zip as published. Nothing is replaced unless every file of the call is whole. Then run
`dvc repro`.
"""
_DIFF = """examples
  thce codes diff data/codes 2027-code-descriptions-tabular-order.zip --conversion-table conversion.zip
  thce codes diff order-2025.zip order-2026.zip --json
  thce codes diff data/codes HCPC2026_OCT_ANWEB.txt --type HCPCS

A release is a folder (data/codes, data/licensed), an order, codes or ANWEB file, or its zip; the second may be an
addenda.

Exit code: 0 nothing in this project is touched, 1 something is, 2 wrong use.
"""
_EDITS = """examples
  thce codes edits E11.22 N18.31 --age 54
  thce codes edits I10 CPT:99213-25 "HCPCS:A0425*30" --setting outpatient --date 2025-11-03
  thce codes edits --file claims.jsonl --json

Codes stand in claim order, the first diagnosis first; -25 is a modifier, *30 are units. A file has one code per line
(one claim), or one claim per line:
  {"id": "1", "codes": [{"code_type": "ICD10", "code": "I10"}], "age": 54, "setting": "inpatient", "date": "2025-11-03"}

Exit code: 0 no errors, 1 errors found, 2 wrong use.
"""


_JSON = "JSON on standard output, for programs"


def add_subparsers(sub: Any) -> None:
    """Add the three commands to `thce codes`."""
    one = command(sub, "import", "read official files, which then replace the packaged tables", _IMPORT, _import, _JSON)
    for name, count, text in _OPTIONS:
        one.add_argument(f"--{name}", nargs=count, metavar="FILE", help=text)
    one.add_argument("--release", metavar="LABEL", help="release, where the file name does not tell: FY2027, 2026-10")
    one.add_argument("--effective-from", metavar="YYYY-MM-DD", help="first day in force, where the release does not tell")
    one.add_argument("--i-have-an-ama-license", action="store_true", help="state that you hold a license for the CPT files")
    one.add_argument("--list", action="store_true", help="show what is imported")
    one.add_argument(
        "--to",
        "--output-dir",
        dest="to",
        default="data/licensed",
        metavar="FOLDER",
        help="folder of imported tables (not tracked by git)",
    )

    two = command(sub, "diff", "what a release changes, and which codes in use here are touched", _DIFF, _diff, _JSON)
    two.add_argument("old", metavar="OLD", help="the release before")
    two.add_argument("new", metavar="NEW", help="the release after")
    two.add_argument("--type", choices=("ICD10", "CPT", "HCPCS"), default="ICD10", help="the system (default: ICD10)")
    two.add_argument("--conversion-table", metavar="FILE", help="official table that names successors of retired codes")
    two.add_argument("--database", default="data/code_databases", metavar="FOLDER", help="scope files")
    two.add_argument("--phrasebook", default="data/phrasebook", metavar="FOLDER", help="phrasebook files")
    two.add_argument("--narratives", default="data/narratives", metavar="FOLDER", help="narrative files")
    two.add_argument("--limit", type=positive, default=20, metavar="N", help="rows shown per list (default: 20)")

    three = command(sub, "edits", "check the codes of a claim together", _EDITS, _edits, _JSON)
    three.add_argument("codes", nargs="*", metavar="CODE", help="codes in claim order; `-` or none: standard input")
    three.add_argument("--file", "--input", metavar="FILE", help="a file of codes or claims")
    three.add_argument("--age", type=int, metavar="YEARS", help="age on the day of service")
    three.add_argument("--setting", choices=("outpatient", "inpatient"), default="outpatient", help="default: outpatient")
    three.add_argument("--date", "--dos", metavar="YYYY-MM-DD", help="day of service (default: within the table's release)")
    three.add_argument(
        "--tables", "--codes", dest="tables", default="data/codes", metavar="FOLDER", help="folder of the code tables"
    )
    three.add_argument("--licensed", default="data/licensed", metavar="FOLDER", help="folder of imported lists")


def _import(options: argparse.Namespace) -> int:
    from thce.codes.importers import import_files
    from thce.codes.importers_folder import manifest
    from thce.errors import UserError

    if options.list:
        rows = manifest(options.to)
    else:
        given = {name.replace("-", "_"): getattr(options, name.replace("-", "_")) for name, _, _ in _OPTIONS}
        files = {kind: paths for kind, paths in given.items() if paths}
        if not files:
            raise UserError("thce codes import", "no file given", "name one, such as --icd10cm-order FILE, or --list")
        tables = import_files(
            files,
            options.to,
            release=options.release,
            effective_from=options.effective_from,
            ama_license=options.i_have_an_ama_license,
        )
        rows = {table.name: table.row for table in tables}
    if options.json:
        print(json.dumps(rows, indent=2, sort_keys=True, ensure_ascii=False))
        return 0
    for name, row in rows.items():
        counts = ", ".join(f"{count:,} {what}" for what, count in row["counts"].items())
        print(f"{name}: {row['release']}, in force {row['effective_from']} to {row['effective_to'] or 'open'}; {counts}")
    if not rows:
        print(f"nothing is imported in {options.to}")
    elif not options.list:
        print("run `dvc repro` to build the tables from them, and `thce codes diff` to see what changes")
    return 0


def _diff(options: argparse.Namespace) -> int:
    from thce.codes.importers_release import read_release, read_successors
    from thce.codes.release_diff import diff, to_dict, touched

    old = read_release(options.old, options.type)
    new = read_release(options.new, options.type, old)
    change = diff(old, new, read_successors(options.conversion_table) if options.conversion_table else None)
    found = touched(change, options.database, options.phrasebook, options.narratives)
    if options.json:
        print(json.dumps(to_dict(change, found), indent=2, ensure_ascii=False))
    else:
        print("\n".join(_diff_lines(change, found, options.limit)))
    return 1 if found else 0


def _diff_lines(change: Diff, found: Touched, limit: int) -> Iterator[str]:
    yield f"{change.code_type}: {change.old} -> {change.new_label}"
    lists: tuple[tuple[str, Sequence[str]], ...] = (
        ("new billable codes", change.new),
        ("new headers", change.new_headers),
        ("retired codes", [f"{code}{_after(change, code)}" for code in change.retired]),
        ("retired headers", change.retired_headers),
        ("billable codes that are headers now", [f"{code}{_after(change, code)}" for code in change.demoted]),
        ("headers that are billable now", change.promoted),
        ("new titles", [f"{code}: {old} -> {new}" for code, (old, new) in change.retitled.items()]),
    )
    for title, rows in lists:
        yield f"{len(rows):,} {title}" + (":" if rows else "")
        yield from (f"  {row}" for row in rows[:limit])
        if len(rows) > limit:
            yield f"  ... {len(rows) - limit:,} more (--limit, --json)"
    yield "touched here:" if found else "no changed code is in scope, in the phrasebook or in the narratives"
    for code in found.scope:
        yield f"  in scope: {code}{_after(change, code)}"
    for code, places in found.phrasebook.items():
        yield f"  in the phrasebook: {code} ({', '.join(places)})"
    for code, files in found.narratives.items():
        yield f"  in narratives: {code} ({', '.join(f'{name}: {count} rows' for name, count in files.items())})"


def _after(change: Diff, code: str) -> str:
    after = change.successors.get(code, ())
    return f" -> {', '.join(after[:6])}" + (", ..." if len(after) > 6 else "") if after else ""


def _edits(options: argparse.Namespace) -> int:
    from thce import codes
    from thce.codes.edits_claim import edits
    from thce.codes.edits_lists import EditLists

    book, lists = codes.open(options.tables), EditLists(options.licensed)
    results = []
    for name, lines, given in _claims(options):
        age, setting = given.get("age", options.age), given.get("setting", options.setting)
        findings = edits(book, lines, age, setting, day(given.get("date", options.date)), lists)
        results.append((name, lines, findings))
    if options.json:
        rows = [{"id": name, "findings": [finding.to_dict() for finding in findings]} for name, _, findings in results]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        print("\n".join(line for result in results for line in _edit_lines(*result)))
    return 1 if any(finding.severity == "error" for _, _, findings in results for finding in findings) else 0


def _edit_lines(name: str, lines: Sequence[Line], findings: Sequence[Finding]) -> Iterator[str]:
    yield f"{name + ': ' if name else ''}{' '.join(line.code for line in lines)}"
    for finding in findings:
        yield f"  {finding.severity:<7} {finding.text} [{finding.rule_id}; {finding.source}]"
    if not findings:
        yield "  nothing found"


def _claims(options: argparse.Namespace) -> Iterator[tuple[str, list[Line], dict[str, Any]]]:
    """(id, lines, other fields) of each claim of the input."""
    from thce.errors import UserError
    from thce.files import read_text

    if options.codes and options.codes != ["-"]:
        yield "", [_line(text) for text in options.codes], {}
        return
    place = options.file or "standard input"
    try:
        text = read_text(options.file) if options.file else sys.stdin.read()
    except UnicodeDecodeError:
        raise UserError("standard input", "is not UTF-8", "convert it to UTF-8") from None
    rows = [(f"{place}:{number}", row.strip()) for number, row in enumerate(text.splitlines(), 1)]
    rows = [(where, row) for where, row in rows if row and not row.startswith("#")]
    if not rows:
        raise UserError("thce codes edits", "no codes given", "name codes, a --file, or pipe them in")
    if not rows[0][1].startswith("{"):
        yield "", [_line(row, f"{where}: ") for where, row in rows], {}
        return
    for where, row in rows:
        yield _claim(where, row)


def _claim(where: str, row: str) -> tuple[str, list[Line], dict[str, Any]]:
    from thce.answers import CODE_TYPES
    from thce.codes.edits_claim import Line
    from thce.errors import UserError

    try:
        claim = json.loads(row)
        lines = [
            Line(item["code_type"], str(item["code"]), int(item.get("units", 1)), tuple(item.get("modifiers", ())))
            for item in claim["codes"]
        ]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UserError(where, "is not a claim", 'write {"codes": [{"code_type": "ICD10", "code": "I10"}]}') from None
    if unknown := [line.code_type for line in lines if line.code_type not in CODE_TYPES]:
        raise UserError(where, f"`{unknown[0]}` is not a code type", f"use one of {', '.join(CODE_TYPES)}")
    age = claim.get("age")
    if age is not None and (not isinstance(age, int) or isinstance(age, bool)):
        raise UserError(where, f"`age` is `{age}`, not a whole number", "give the age in years")
    given = {key: claim[key] for key in ("age", "setting", "date") if claim.get(key) is not None}
    if given.get("setting", "inpatient") not in ("outpatient", "inpatient"):
        raise UserError(where, f"`{given['setting']}` is not a setting", "use outpatient or inpatient")
    day(given.get("date"), f"{where}: date")
    return str(claim.get("id", Path(where).name)), lines, given


def _line(text: str, where: str = "") -> Line:
    """`CPT:99213-25*2`: system, code, modifiers, units; the system may be left out where the form tells it."""
    from thce.codes import normalise
    from thce.codes.edits_claim import Line
    from thce.errors import UserError

    units = 1
    if match := re.fullmatch(r"(.+?)\s*\*\s*(\d+)", text.strip()):
        text, units = match[1], int(match[2])
    reading = normalise(text)
    if len(reading.systems) > 1:
        raise UserError(where + text, f"may be a code of {' or '.join(reading.systems)}", f"write {reading.systems[0]}:{text}")
    if not reading.systems:
        raise UserError(where + text[:40], "has not the form of a code", "write ICD10:E11.9, CPT:99213-25 or HCPCS:A0425*30")
    return Line(reading.systems[0], reading.code, units, reading.modifiers)
