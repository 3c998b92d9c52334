"""Make the compact tables of `data/codes/` out of the tabular file, the scope files and the tables of known changes.

Every table is a text file with one row per line, so that it can be read, compared and loaded in milliseconds; the
manifest says for each its release, the dates it is in force, its source and its sha256.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from thce.codes.book import CodeBook
from thce.codes.icd10cm import LEAVES, Item, read_tabular, undotted
from thce.codes.lexical import index_text
from thce.errors import UserError
from thce.files import read_json, read_text, write_json, write_text

COLUMNS = ("code", "level", "billable", "parent", "title")
HISTORY_COLUMNS = ("code_type", "code", "level", "from", "to", "successors", "source", "title")

HCPCS_SECTIONS = {
    "A": "Transport, medical and surgical supplies",
    "B": "Enteral and parenteral therapy",
    "C": "Outpatient prospective payment system",
    "E": "Durable medical equipment",
    "G": "Procedures and professional services",
    "H": "Behavioral health and substance use treatment",
    "J": "Drugs administered other than by mouth",
    "K": "Durable medical equipment, temporary codes",
    "L": "Orthotic and prosthetic procedures and devices",
    "M": "Medical services and quality measures",
    "P": "Pathology and laboratory services",
    "Q": "Temporary codes",
    "R": "Diagnostic radiology services",
    "S": "Temporary codes of private payers",
    "T": "National codes of state Medicaid agencies",
    "U": "Coronavirus laboratory tests",
    "V": "Vision, hearing and speech services",
}
"""HCPCS Level II by its first letter; D is the CDT of the American Dental Association and not kept here."""


def build(
    database_folder: Path | str, out_folder: Path | str, cpt: str = "demo", licensed_folder: Path | str | None = None
) -> dict[str, Any]:
    """Write all tables and `manifest.json` into `out_folder`; returns the counts that become `metrics/codes.json`.

    `cpt` is `demo` (numbers with our own labels), `off` (no CPT at all) or `licensed` (the user's imported table; the
    codes in scope keep our own labels, so that no AMA text reaches what is trained or answered). Tables imported into
    `licensed_folder` take the place of the packaged ones.

    Raises `UserError` when a scope file is missing, names a code that is not billable in the table, or the tabular file
    does not hold the number of billable codes its release has.
    """
    from thce.codes.importers_tables import imported_tables, overlay_history  # which read with this module

    database, out = Path(database_folder), Path(out_folder)
    icd10_file = read_json(database / "icd10_codes.json")
    cpt_file = read_json(database / "cpt_codes.json")
    if cpt == "off":
        cpt_file |= {"release": "off", "sections": [], "codes": []}
    hcpcs_file = read_json(database / "hcpcs_codes.json")
    imported = imported_tables(licensed_folder, cpt_file if cpt == "licensed" else None)
    icd10 = imported.items.get("ICD10") or packaged_icd10()
    tables = {
        "ICD10": icd10,
        "CPT": imported.items.get("CPT") or cpt_items(cpt_file),
        "HCPCS": imported.items.get("HCPCS") or hcpcs_items(hcpcs_file),
    }
    scope = scope_rows(tables, {"ICD10": icd10_file, "CPT": cpt_file, "HCPCS": hcpcs_file}, database)
    texts = {
        "icd10.tsv": table_text(icd10),
        "icd10_notes.jsonl": notes_text(icd10),
        "cpt.tsv": table_text(tables["CPT"]),
        "hcpcs.tsv": table_text(tables["HCPCS"]),
        "history.tsv": history_text(overlay_history(history_rows(database, icd10), imported)),
        "scope.json": json.dumps(scope, indent=0, ensure_ascii=False) + "\n",
    }
    releases = {
        "icd10.tsv": imported.releases.get("ICD10", icd10_file),
        "icd10_notes.jsonl": imported.releases.get("ICD10", icd10_file),
        "cpt.tsv": imported.releases.get("CPT", cpt_file),
        "hcpcs.tsv": imported.releases.get("HCPCS", hcpcs_file),
        "history.tsv": {"release": "FY2016-FY2027", "source": "official order files and conversion table to FY2026; "
                        "HCPCS 2019; known FY2027 changes at second hand (see the source column)"},
        "scope.json": {"release": icd10_file["release"], "source": "the codes this project trains and answers with"},
    }  # fmt: skip
    for name, text in texts.items():
        write_text(out / name, text)
    texts["search.tsv"], releases["search.tsv"] = index_text(CodeBook(out)), icd10_file
    write_text(out / "search.tsv", texts["search.tsv"])
    write_json(out / "manifest.json", {name: _described(text, releases[name]) for name, text in texts.items()})
    return {
        "scope": {kind: sum(row["code_type"] == kind for row in scope) for kind in tables},
        "items": {kind: len(items) for kind, items in tables.items()},
        "billable": {kind: sum(item.billable for item in items) for kind, items in tables.items()},
        "history": texts["history.tsv"].count("\n") - 1,
        "items_with_notes": texts["icd10_notes.jsonl"].count("\n"),
    }


def _described(text: str, release: dict[str, Any]) -> dict[str, Any]:
    """The manifest's row of one table."""
    row = {key: release.get(key) for key in ("release", "effective_from", "effective_to", "source")}
    return row | {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def packaged_icd10() -> list[Item]:
    """ICD-10-CM FY2026 from the files inside the package simple-icd-10-cm, without importing it (which takes 1.5 s).

    Raises `UserError` if the package is missing or of another release.
    """
    spec = find_spec("simple_icd_10_cm")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("simple-icd-10-cm", "is not installed", "run `pip install simple-icd-10-cm`")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    codes, tabular = sorted(folder.glob("code-list-*.txt")), sorted(folder.glob("icd10c-tabular-*.xml"))
    if len(codes) != 1 or len(tabular) != 1:
        raise UserError(str(folder), "does not hold one code list and one tabular file", "install the pinned release")
    known = {undotted(line.strip()) for line in read_text(codes[0]).splitlines()}
    items = read_tabular(tabular[0].read_bytes(), known, tabular[0].name)
    billable = sum(item.billable for item in items)
    if billable != LEAVES:
        raise UserError(tabular[0].name, f"has {billable:,} billable codes, not {LEAVES:,}", "install the pinned release")
    return items


def cpt_items(table: dict[str, Any]) -> list[Item]:
    """CPT sections (named by their ranges) and the demonstration codes below them, with labels of our own.

    Raises `UserError` for a code of an unknown section.
    """
    items, ranges = [], {}
    for section in table["sections"]:
        ranges[section["section"]] = ", ".join(section.get("ranges") or [section["range"]])
        items.append(Item(ranges[section["section"]], "section", "", section["section"]))
    for row in table["codes"]:
        if row["section"] not in ranges:
            raise UserError("cpt_codes.json", f"{row['code']}: no section `{row['section']}`", "add it to `sections`")
    codes = [Item(row["code"], "code", ranges[row["section"]], row["label"], True) for row in table["codes"]]
    return items + sorted(codes, key=lambda item: item.code)


def hcpcs_items(table: dict[str, Any]) -> list[Item]:
    """HCPCS Level II sections (named by their letter) and the codes below them.

    Raises `UserError` for a letter without a section.
    """
    codes = [Item(row["code"], "code", row["code"][0], row["description"], True) for row in table["codes"]]
    letters = sorted({item.parent for item in codes})
    for letter in letters:
        if letter not in HCPCS_SECTIONS:
            raise UserError("hcpcs_codes.json", f"HCPCS Level II has no codes under {letter}", "remove them")
    return [Item(letter, "section", "", HCPCS_SECTIONS[letter]) for letter in letters] + sorted(codes, key=lambda i: i.code)


def scope_rows(tables: dict[str, list[Item]], files: dict[str, dict[str, Any]], database: Path) -> list[dict[str, Any]]:
    """The codes in scope, sorted by code type and code, each with its rank by how often it is billed, if known.

    Raises `UserError` for one that is not billable or stands there twice.
    """
    rows = []
    for code_type, file in files.items():
        billable = {item.code for item in tables[code_type] if item.billable}
        place = f"{database.as_posix()}/{code_type.lower()}_codes.json"
        codes = [row["code"] for row in file["codes"]]
        if len(set(codes)) < len(codes):
            twice = next(code for code in codes if codes.count(code) > 1)
            raise UserError(place, f"{twice} stands there twice", "remove one")
        for row in file["codes"]:
            if row["code"] not in billable:
                raise UserError(place, f"{row['code']} is not a billable code", "see `thce codes check`")
            rows.append({"code_type": code_type, "code": row["code"], "rank": row.get("rank")})
    return sorted(rows, key=lambda row: (row["code_type"], row["code"]))


def table_text(items: Iterable[Item]) -> str:
    """One row per item in tabular order (which is also the order that ranges such as `E08-E13` refer to)."""
    rows = ["\t".join(COLUMNS)]
    rows += [f"{i.code}\t{i.level}\t{int(i.billable)}\t{i.parent}\t{i.title}" for i in items]
    return "\n".join(rows) + "\n"


def notes_text(items: Iterable[Item]) -> str:
    """One JSON object per item that has notes of its own; `code` comes first."""
    rows = []
    for item in items:
        row: dict[str, Any] = {"code": item.code, **item.notes}
        if item.seven_chr_def:
            row["seven_chr_def"] = item.seven_chr_def
        if len(row) > 1:
            rows.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")))
    return "\n".join(rows) + "\n"


def history_text(rows: Iterable[dict[str, str]]) -> str:
    """The history file: a header and one line per row, columns separated by TAB."""
    lines = ["\t".join(HISTORY_COLUMNS)]
    lines += ["\t".join(row.get(column, "") for column in HISTORY_COLUMNS) for row in rows]
    return "\n".join(lines) + "\n"


def history_rows(database: Path, icd10: list[Item]) -> list[dict[str, str]]:
    """When codes became and ceased to be billable; days are ISO dates, an empty one means "always" or "still".

    ICD-10-CM changes come from the official files up to FY2026 (source `official`), and over them lies what is known of
    the next release at second hand (source `second-hand`).
    """
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for code_type, name in (("ICD10", "icd10_history.tsv"), ("HCPCS", "hcpcs_history.tsv")):
        for row in read_tsv(database / name):
            row["from"], row["to"] = _first_day(row["from"]), _last_day(row["to"])
            rows[code_type, row["code"]] = {"code_type": code_type, "level": "code", "source": "official", **row}
    changes = read_json(database / "icd10_changes.json")
    start = changes["effective_from"]
    end = f"{int(start[:4])}-09-30"
    successors: dict[str, list[str]] = {}
    for before, after in changes["successors"]:
        successors.setdefault(before, []).append(after)
    billable = {item.code for item in icd10 if item.billable}
    for code in changes["billable_to_header"]:
        below = [new for new in changes["new_billable"] if new.startswith(code if "." in code else code + ".")]
        successors[code] = below or successors.get(code, [])
    for code in [*changes["deleted"], *changes["billable_to_header"]]:
        if code in billable:
            row = rows.setdefault(("ICD10", code), {"code_type": "ICD10", "code": code, "level": "code", "from": ""})
            row.update(to=end, successors=",".join(successors.get(code, [])), source="second-hand", title="")
            row["level"] = "deleted" if code in changes["deleted"] else "demoted"
    for level, codes in (("code", changes["new_billable"]), ("subcategory", changes["new_headers"])):
        for code in codes:
            rows["ICD10", code] = {"code_type": "ICD10", "code": code, "level": level, "from": start,
                                   "source": "second-hand", "title": changes["titles"].get(code, "")}  # fmt: skip
    return [rows[key] for key in sorted(rows)]


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated file with a header line; `#` begins a remark; short rows end in blanks.

    Raises `UserError` for too many cells.
    """
    lines = [(n, line) for n, line in enumerate(read_text(path).splitlines(), 1) if line and not line.startswith("#")]
    columns = lines[0][1].split("\t")
    rows = []
    for number, line in lines[1:]:
        cells = line.split("\t")
        if len(cells) > len(columns):
            raise UserError(f"{path.as_posix()}:{number}", f"has {len(cells)} cells, not {len(columns)}", "check the TABs")
        rows.append(dict(zip(columns, cells + [""] * (len(columns) - len(cells)), strict=True)))
    return rows


def _first_day(value: str) -> str:
    """`2022` is the fiscal year that begins on 1 October 2021; a full date stands for itself."""
    return f"{int(value) - 1}-10-01" if len(value) == 4 else value


def _last_day(value: str) -> str:
    return f"{value}-09-30" if len(value) == 4 else value
