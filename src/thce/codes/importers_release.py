"""Read a release for `thce codes diff`, whatever form it has: built tables, imported tables, or an official file."""

from __future__ import annotations

import json
from pathlib import Path

from thce.codes.importers import MEMBERS
from thce.codes.importers_folder import manifest, stored
from thce.codes.importers_hcpcs import Hcpcs, hcpcs_rows, read_hcpcs
from thce.codes.importers_icd10cm import (
    OrderRow,
    apply_addenda,
    read_addenda,
    read_codes,
    read_conversion,
    read_order,
    successors,
)
from thce.codes.importers_source import Source, fiscal_release, quarter_release, read_source
from thce.codes.importers_tables import imported_tables, with_headers
from thce.codes.release_diff import HEADINGS, CodeRow, CodeSet
from thce.codes.tables import packaged_icd10
from thce.errors import UserError


def read_release(path: Path | str, code_type: str = "ICD10", before: CodeSet | None = None) -> CodeSet:
    """The codes of `code_type` in a folder of built tables (`data/codes`), a folder of imported ones
    (`data/licensed`), an order, codes or ANWEB file, or a zip that holds one. An order addenda is applied to
    `before`, the release it follows.

    Raises `UserError` when the path holds none of these, or the file is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(str(path), "no such file or folder", "check the path")
    if path.is_dir():
        return _folder(path, code_type)
    if code_type == "HCPCS":
        source = read_source(path, MEMBERS["hcpcs_anweb"])
        release = quarter_release([source.name])
        return _hcpcs(read_hcpcs(source), release.label if release else source.name, release.first if release else "")
    if code_type != "ICD10":
        raise UserError(str(path), "only folders can be compared for CPT", "import the licensed files first")
    kinds = ("icd10cm_order", "icd10cm_codes", "icd10cm_addenda")
    source = read_source(path, [pattern for kind in kinds for pattern in MEMBERS[kind]])
    return _icd10(source, before)


def _icd10(source: Source, before: CodeSet | None) -> CodeSet:
    found = fiscal_release([source.name])
    label = found.label if found else source.name
    start = source.data[:400].lstrip(b"\xef\xbb\xbf")
    if start.startswith((b"Add:", b"Delete:", b"Revise")):
        if before is None:
            raise UserError(source.place, "is an addenda, which needs the release before it", "give it as the second release")
        old = [OrderRow(code, row.billable, "", row.title) for code, row in before.rows.items()]
        rows = apply_addenda(old, read_addenda(source), source.place)
    elif start[:5].isdigit():
        rows = read_order(source)
    else:
        rows = with_headers(read_codes(source), packaged_icd10())
    return CodeSet("ICD10", label, {row.code: CodeRow(row.billable, row.long) for row in rows})


def _hcpcs(rows: list[Hcpcs], label: str, first: str) -> CodeSet:
    live = [row for row in rows if row.kind == "procedure" and (not row.ended or row.ended >= first)]
    follow = {row.code: row.successors for row in rows if row.ended and row.successors}
    return CodeSet("HCPCS", label, {row.code: CodeRow(True, row.long) for row in live}, follow)


def _folder(path: Path, code_type: str) -> CodeSet:
    table = path / {"ICD10": "icd10.tsv", "CPT": "cpt.tsv", "HCPCS": "hcpcs.tsv"}[code_type]
    if (path / "history.tsv").is_file() and table.is_file():
        lines = [line.split("\t") for line in table.read_text(encoding="utf-8").split("\n")[1:-1]]
        rows = {code: CodeRow(bill == "1", title) for code, level, bill, _, title in lines if level not in HEADINGS}
        release = json.loads((path / "manifest.json").read_text(encoding="utf-8"))[table.name]["release"]
        history = [line.split("\t") for line in (path / "history.tsv").read_text(encoding="utf-8").split("\n")[1:-1]]
        follow = {row[1]: tuple(filter(None, row[5].split(","))) for row in history if row[0] == code_type and row[5]}
        return CodeSet(code_type, release, rows, follow)
    rows_of = manifest(path)
    if code_type == "HCPCS" and "hcpcs_anweb" in rows_of:
        row = rows_of["hcpcs_anweb"]
        return _hcpcs(hcpcs_rows(stored(path, "hcpcs_anweb").decode()), row["release"], row["effective_from"])
    imported = imported_tables(path)
    if code_type not in imported.items:
        raise UserError(str(path), f"holds no {code_type} tables", "give a folder that the stage `codes` or an import has made")
    return CodeSet.of_items(code_type, imported.releases[code_type]["release"], imported.items[code_type])


def read_successors(path: Path | str) -> dict[str, tuple[str, ...]]:
    """previous code -> current codes, from the official conversion table (xlsx or its zip)."""
    return successors(read_conversion(read_source(path, MEMBERS["conversion_table"])))
