"""MIMIC-IV: discharge summaries (MIMIC-IV-Note) with the diagnoses and services billed for the same hospital stay.

Stays coded in ICD-10-CM only; the diagnosis with `seq_num` 1 is the principal one. The codes were billed for the whole
stay, so a note need not mention each of them: rows are labelled `billed`, and have no evidence.
"""

from __future__ import annotations

from collections.abc import Iterator

from thce.narratives.sources import Record, Reject, need
from thce.narratives.sources_config import Mimic
from thce.narratives.sources_files import csv_lines

_GET = "it is free for credentialed users of PhysioNet who sign the data use agreement: https://physionet.org/content/{page}/"
NOTES_PAGE = _GET.format(page="mimic-iv-note")
TABLES_PAGE = _GET.format(page="mimiciv")


def records(config: Mimic, reject: Reject) -> Iterator[Record]:
    """One record per discharge summary, streamed; the codes of all stays are kept in memory (about 100 MB for MIMIC-IV
    3)."""
    stays = _diagnoses(config.diagnoses, reject)
    services = _services(config.services, reject) if config.services else {}
    columns = {name: name for name in ("note_id", "subject_id", "hadm_id", "note_type", "text")}
    checked = False
    for place, row in csv_lines(config.notes, "utf-8", ",", reject, NOTES_PAGE):
        if not checked:
            need(columns, row, config.notes)
            checked = True
        if row["note_type"] != "DS":
            reject(place, "row", "is an addendum, not a discharge summary")
            continue
        stay = stays.get(row["hadm_id"])
        if stay is None:
            reject(place, "row", "belongs to a stay without diagnoses")
            continue
        if not stay:
            reject(place, "row", "belongs to a stay coded in ICD-9-CM")
            continue
        codes = [("ICD10", code) for code in _in_order(stay)]
        codes += [("CPT" if code[:1].isdigit() else "HCPCS", code) for code in _in_order(services.get(row["hadm_id"], ""))]
        yield Record(
            id=row["note_id"],
            narrative=row["text"],
            codes=tuple(codes[: config.max_codes]),
            place=place,
            family=row["subject_id"],
            kind="discharge",
            label="billed",
        )


def _diagnoses(path: str, reject: Reject) -> dict[str, str]:
    """Stay -> `seq_num code` items, packed in one string to save memory; empty for a stay with an ICD-9 code."""
    stays: dict[str, str] = {}
    checked = False
    for place, row in csv_lines(path, "utf-8", ",", reject, TABLES_PAGE):
        if not checked:
            need({name: name for name in ("hadm_id", "seq_num", "icd_code", "icd_version")}, row, path)
            checked = True
        stay = row["hadm_id"]
        if row["icd_version"].strip() != "10":
            stays[stay] = ""
        elif stays.get(stay) != "":
            if not row["seq_num"].isdigit():
                reject(place, "row", "has no seq_num")
                continue
            item = f"{row['seq_num']} {row['icd_code'].strip()}"
            stays[stay] = f"{stays[stay]};{item}" if stay in stays else item
    return stays


def _services(path: str, reject: Reject) -> dict[str, str]:
    stays: dict[str, str] = {}
    checked = False
    for place, row in csv_lines(path, "utf-8", ",", reject, TABLES_PAGE):
        if not checked:
            need({name: name for name in ("hadm_id", "hcpcs_cd", "seq_num")}, row, path)
            checked = True
        if not row["seq_num"].isdigit():
            reject(place, "row", "has no seq_num")
            continue
        before = stays.get(row["hadm_id"])
        item = f"{row['seq_num']} {row['hcpcs_cd'].strip()}"
        stays[row["hadm_id"]] = f"{before};{item}" if before else item
    return stays


def _in_order(packed: str) -> list[str]:
    items = [item.split(" ", 1) for item in packed.split(";") if item]
    return [code for _, code in sorted(items, key=lambda item: int(item[0]))]
