"""The official ICD-10-CM files against our table and against each other; skipped where they are not at hand."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import pytest
from codes_tables import folder, reference

from thce.codes.importers import MEMBERS, import_files
from thce.codes.importers_folder import manifest, stored
from thce.codes.importers_icd10cm import (
    apply_addenda,
    order_rows,
    read_addenda,
    read_codes,
    read_conversion,
    read_order,
    successors,
)
from thce.codes.importers_source import read_source
from thce.codes.importers_tables import imported_tables, with_headers
from thce.codes.tables import packaged_icd10, table_text
from thce.errors import UserError

pytestmark = pytest.mark.unit


def test_official_order_file_and_our_table_differ_in_nothing() -> None:
    path = reference("icd10cm", "icd10cm-CodeDescriptions-2026.zip")
    rows = read_order(read_source(path, MEMBERS["icd10cm_order"]))
    assert (len(rows), sum(row.billable for row in rows)) == (98_186, 74_719)
    table = [line.split("\t") for line in (folder() / "icd10.tsv").read_text().split("\n")[1:-1]]
    ours = [(code, flag == "1") for code, level, flag, *_ in table if level not in ("chapter", "block")]
    assert [(row.code, row.billable) for row in rows] == ours
    known = {row.code for row in rows}
    for code, level, _, parent, _ in table:
        if level in ("subcategory", "code"):
            above = [code[:n].rstrip(".") for n in range(len(code) - 1, 2, -1)]
            assert parent == next(prefix for prefix in above if prefix in known)


def test_official_files_of_two_releases_agree() -> None:
    path = reference("icd10cm", "icd10cm-CodeDescriptions-2026.zip")
    before = reference("icd10cm", "icd10cm-CodeDescriptions-April-2025.zip")
    old, new = (read_order(read_source(item, MEMBERS["icd10cm_order"])) for item in (before, path))
    changes = read_addenda(read_source(path, MEMBERS["icd10cm_addenda"]))
    assert len(changes) == 630 + 28 + 2 * 45
    assert set(apply_addenda(old, changes, "addenda")) == set(new)
    billable = read_codes(read_source(path, MEMBERS["icd10cm_codes"]))
    assert [(row.code, row.long) for row in billable] == [(row.code, row.long) for row in new if row.billable]
    assert [row.code for row in with_headers(billable, packaged_icd10())] == [row.code for row in new]


def test_official_conversion_table() -> None:
    path = reference("icd10cm", "ICD-10-CM-CONVERSION-TABLE-FY2026.xlsx")
    rows = read_conversion(read_source(path, ()))
    assert len(rows) == 5_892
    follow = successors(rows)
    assert follow["M54.5"] == ("M54.50", "M54.51", "M54.59")
    assert set(follow["G35"]) >= {"G35.A", "G35.B0", "G35.D"}
    assert sum(day.endswith("-04-01") or day.endswith("-01-01") for _, day, _ in rows) == 53


def test_official_release_imported_whole_builds_the_same_table(tmp_path: Path) -> None:
    path = reference("icd10cm", "icd10cm-CodeDescriptions-2026.zip")
    spec = find_spec("simple_icd_10_cm")
    assert spec is not None and spec.submodule_search_locations
    (tabular,) = Path(spec.submodule_search_locations[0]).glob("data/icd10c-tabular-*.xml")
    given = {
        "icd10cm_order": [path],
        "icd10cm_tabular": [tabular],
        "poa_exempt": [reference("icd10cm", "POAexemptCodesFY26.zip")],
        "icd10cm_index": [reference("icd10cm", "icd10cm_eindex_2026.xml")],
    }
    tables = {table.name: table.row for table in import_files(given, tmp_path, release="FY2026")}
    assert tables["icd10cm_tabular"]["counts"]["chapters"] == 22
    assert tables["poa_exempt"]["counts"]["rows"] == 38_349
    assert tables["icd10cm_index_external"]["counts"]["rows"] == 8_090
    assert gzip.decompress((tmp_path / "icd10cm_tabular.xml.gz").read_bytes()) == tabular.read_bytes()
    assert len(order_rows(stored(tmp_path, "icd10cm_order").decode())) == 98_186
    assert table_text(imported_tables(tmp_path).items["ICD10"]) == (folder() / "icd10.tsv").read_text()


def test_a_tabular_of_another_release_is_refused(tmp_path: Path) -> None:
    path = reference("icd10cm", "icd10cm-CodeDescriptions-April-2025.zip")
    spec = find_spec("simple_icd_10_cm")
    assert spec is not None and spec.submodule_search_locations
    (tabular,) = Path(spec.submodule_search_locations[0]).glob("data/icd10c-tabular-*.xml")
    with pytest.raises(UserError, match="only in one of it and the order file"):
        import_files({"icd10cm_order": [path], "icd10cm_tabular": [tabular]}, tmp_path, release="FY2025")
    assert manifest(tmp_path) == {}


def test_a_truncated_official_file_changes_nothing(tmp_path: Path) -> None:
    source = read_source(reference("icd10cm", "icd10cm-CodeDescriptions-2026.zip"), MEMBERS["icd10cm_order"])
    for keep in (0.5, 0.9, 0.999, 0.99999):
        path = tmp_path / "icd10cm-order-2026.txt"
        path.write_bytes(source.data[: int(len(source.data) * keep)])
        with pytest.raises(UserError):
            import_files({"icd10cm_order": [path]}, tmp_path / "to")
    whole_lines = source.data.split(b"\r\n")[:98_000]
    path.write_bytes(b"\r\n".join(whole_lines) + b"\r\n")
    with pytest.raises(UserError):
        import_files({"icd10cm_order": [path]}, tmp_path / "to")
    assert not (tmp_path / "to").exists()
