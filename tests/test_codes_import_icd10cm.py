"""Imported ICD-10-CM tables take the place of the packaged ones, and the official files agree with each other."""

from __future__ import annotations

from pathlib import Path

import codes_files as files
import pytest
from codes_tables import DATABASE

from thce import codes
from thce.codes.icd10cm import Item
from thce.codes.importers import import_files
from thce.codes.importers_icd10cm import (
    OrderRow,
    apply_addenda,
    expected_billable,
    read_addenda,
    read_order,
)
from thce.codes.importers_source import read_source
from thce.codes.importers_tables import Imported, cpt_items, imported_tables, merge, overlay_history, with_headers
from thce.codes.tables import packaged_icd10
from thce.errors import UserError

pytestmark = pytest.mark.unit

TABULAR = [
    Item("9", "chapter", "", "Circulatory (I00-I99)"),
    Item("I30-I5A", "block", "9", "Other heart disease"),
    Item("I42", "category", "I30-I5A", "Cardiomyopathy", notes={"excludes1": ["x (I25.5)"]}),
    Item("I42.0", "code", "I42", "Dilated cardiomyopathy", True, notes={"terms": ["Congestive"]}),
    Item("I43", "category", "I30-I5A", "Ménière heart", True),
]


def test_merge_takes_codes_from_the_order_file_and_hierarchy_from_the_tabular() -> None:
    rows = [
        OrderRow("I42", False, "", "Cardiomyopathy"),
        OrderRow("I42.0", False, "", "Dilated cardiomyopathy"),
        OrderRow("I42.00", True, "", "Dilated cardiomyopathy, unspecified"),
        OrderRow("I43", True, "", "Meniere heart"),
        OrderRow("I4Z", True, "", "New category"),
    ]
    items = {item.code: item for item in merge(TABULAR, rows)}
    assert list(items) == ["9", "I30-I5A", "I42", "I42.0", "I42.00", "I43", "I4Z"]
    assert (items["I42.0"].level, items["I42.0"].billable, items["I42.0"].parent) == ("subcategory", False, "I42")
    assert items["I42.0"].notes == {"terms": ["Congestive"]}
    assert (items["I42.00"].parent, items["I42.00"].billable) == ("I42.0", True)
    assert items["I43"].title == "Ménière heart", "an ASCII title does not take the accents away"
    assert items["I4Z"].parent == "I30-I5A"


def test_a_codes_file_gets_its_headers_from_the_tabular(tmp_path: Path) -> None:
    rows = with_headers([OrderRow("I42.00", True, "", "x"), OrderRow("I43", True, "", "y")], TABULAR)
    assert [(row.code, row.billable) for row in rows] == [
        ("I42", False),
        ("I42.0", False),
        ("I42.00", True),
        ("I43", True),
    ]


def test_addenda_lead_from_one_release_to_the_next(tmp_path: Path) -> None:
    paths = files.write(tmp_path, a__txt=files.order(), b__txt=files.order(files.NEXT), c__txt=files.addenda())
    old, new = (read_order(read_source(paths[name], ())) for name in ("a__txt", "b__txt"))
    changes = read_addenda(read_source(paths["c__txt"], ()))
    assert apply_addenda(old, changes, "addenda") == new
    with pytest.raises(UserError, match="which the release before it has not so"):
        apply_addenda(new, changes, "addenda")


def test_how_many_codes_a_release_may_have() -> None:
    assert expected_billable(2026) == (74_645, 74_793)
    low, high = expected_billable(2027)
    assert low < 74_879 < high
    assert expected_billable(None)[0] <= 69_823


def test_history_of_an_imported_release_replaces_what_was_known_at_second_hand() -> None:
    def row(code: str, level: str, first: str, last: str, after: str, source: str) -> dict[str, str]:
        days = {"from": first, "to": last, "successors": after}
        return {"code_type": "ICD10", "code": code, "level": level, **days, "source": source, "title": ""}

    known = [
        row("I42.0", "demoted", "", "2026-09-30", "I42.00", "second-hand"),
        row("I42.00", "code", "2026-10-01", "", "", "second-hand"),
        row("J4B", "code", "2026-10-01", "", "", "second-hand"),
        row("M54.5", "code", "", "2021-09-30", "M54.50", "official"),
    ]
    new = [
        row("I42.0", "demoted", "", "2026-09-30", "I42.00,I42.09", "official"),
        row("I42.00", "code", "2026-10-01", "", "", "official"),
    ]
    release = {"release": "FY2027", "effective_from": "2026-10-01"}
    merged = {row["code"]: row for row in overlay_history(known, Imported({}, new, frozenset(), {"ICD10": release}))}
    assert sorted(merged) == ["I42.0", "I42.00", "M54.5"], "J4B is not in the official file"
    assert {row["source"] for row in merged.values()} == {"official"}
    assert merged["I42.0"]["successors"] == "I42.00,I42.09"
    assert overlay_history(known, Imported()) == sorted(known, key=lambda row: row["code"])


def test_licensed_cpt_keeps_our_labels_for_the_codes_in_scope() -> None:
    demo = {
        "sections": [{"section": "First", "range": "00001-00009"}],
        "codes": [{"code": "00001", "label": "our label", "section": "First"}],
    }
    rows = [["00001", "licensed text", "", ""], ["00002", "", "", "SHORT TEXT"], ["0003T", "other text", "", ""]]
    items = {item.code: item for item in cpt_items(rows, demo)}
    assert (items["00001"].title, items["00001"].parent) == ("our label", "00001-00009")
    assert items["00002"].title == "SHORT TEXT"
    assert items[items["0003T"].parent].title == "Category III: emerging technology"


def test_licensed_cpt_without_a_table_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="import your licensed files"):
        imported_tables(tmp_path, {"sections": [], "codes": []})


def test_a_folder_without_imports_changes_nothing(tmp_path: Path) -> None:
    assert imported_tables(tmp_path) == Imported() == imported_tables(None)


def test_a_new_release_is_built_from_an_imported_order_file(tmp_path: Path) -> None:
    """The packaged release with one change of October 2026: I42.0 becomes a header with two codes."""
    rows = []
    for item in packaged_icd10():
        if item.level in ("chapter", "block"):
            continue
        rows.append((item.code.replace(".", ""), int(item.billable and item.code != "I42.0"), item.title))
        if item.code == "I42.0":
            rows += [("I4200", 1, "Dilated cardiomyopathy, unspecified"), ("I4209", 1, "Other dilated cardiomyopathy")]
    path = files.write(tmp_path, icd10cm_order_2027__txt=files.order(rows))["icd10cm_order_2027__txt"]
    import_files({"icd10cm_order": [path]}, tmp_path / "licensed")
    counts = codes.build(DATABASE, tmp_path / "codes", licensed_folder=tmp_path / "licensed")
    assert counts["billable"]["ICD10"] == 74_720
    new = codes.open(tmp_path / "codes")
    assert new.release("ICD10")["release"] == "FY2027"
    assert codes.check(new, "I42.0").status == "valid_header"
    assert codes.check(new, "I42.00").status == "valid_billable"
    assert codes.check(new, "M67.A01").status == "unknown", "known at second hand only, and not in the official file"
    validity = new.validity("ICD10", "I42.0")
    assert validity is not None
    assert (validity.last, validity.successors, validity.source) == ("2026-09-30", ("I42.00", "I42.09"), "official")
    assert new.notes("ICD10", "I42.09") == new.notes("ICD10", "I42.0"), "notes are inherited by the new codes"
