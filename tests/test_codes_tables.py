"""The tables are what the publishers say, and building them twice gives the same bytes."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import unicodedata
import zipfile
from datetime import date
from pathlib import Path

import pytest
from codes_tables import DATABASE, book, folder, reference

from thce import codes
from thce.codes import Entry, tables
from thce.codes.icd10cm import Item, dotted, read_tabular, undotted
from thce.errors import UserError

pytestmark = pytest.mark.unit

CODE_LEVELS = ("category", "subcategory", "code")


def icd10_codes() -> list[Entry]:
    entries = [book().find("ICD10", code) for code in book().table("ICD10")]
    return [entry for entry in entries if entry is not None and entry.level in CODE_LEVELS]


def test_counts_of_the_release() -> None:
    entries = icd10_codes()
    assert len(entries) == 98_186
    assert sum(entry.billable for entry in entries) == 74_719
    levels = [row.split("\t")[1] for row in book().table("ICD10").values()]
    assert (levels.count("chapter"), levels.count("block"), levels.count("category")) == (22, 297, 1_918)


def test_scope_is_500_200_100_billable_codes() -> None:
    counts = {kind: sum(entry.code_type == kind for entry in book().scope) for kind in ("ICD10", "CPT", "HCPCS")}
    assert counts == {"ICD10": 500, "CPT": 200, "HCPCS": 100}
    assert all(entry.billable for entry in book().scope)
    keys = [(entry.code_type, entry.code) for entry in book().scope]
    assert keys == sorted(set(keys))


def test_short_titles_tell_the_codes_in_scope_apart() -> None:
    assert all(len(entry.short_title) <= 80 and entry.title.startswith(entry.short_title) for entry in book().scope)
    named = [(entry.code_type, entry.short_title) for entry in book().scope]
    assert len(set(named)) == len(named)


@pytest.mark.parametrize(
    ("title", "short"),
    [
        ("Acute bronchitis, unspecified", "Acute bronchitis, unspecified"),
        ("one two three", "one two"),
        ("one two; xyz", "one two"),
        ("one (twothree)", "one"),
        ("undividedword", "undividedw"),
    ],
)
def test_short_title_cuts_at_a_mark_or_blank(title: str, short: str) -> None:
    assert codes.short_title(title, 10 if len(title) < 20 else 80) == short


def test_titles_hold_no_tab_and_no_doubled_blank() -> None:
    assert all(entry.title == " ".join(entry.title.split()) and entry.title for entry in icd10_codes())


def test_parent_is_the_longest_existing_prefix() -> None:
    present = {entry.code for entry in icd10_codes()}
    for entry in icd10_codes():
        if entry.level == "category":
            continue
        bare = undotted(entry.code)
        prefix = next(dotted(bare[:n]) for n in range(len(bare) - 1, 2, -1) if dotted(bare[:n]) in present)
        assert entry.parent == prefix


def test_a_block_of_one_category_is_its_own_item() -> None:
    assert [entry.code for entry in book().path("ICD10", "B99.9")] == ["1", "B99-B99", "B99", "B99.9"]


def test_umbrella_blocks_stand_above_the_blocks_they_span() -> None:
    assert [entry.code for entry in book().path("ICD10", "T20.011A")] == [
        "19", "T07-T88", "T20-T32", "T20-T25", "T20", "T20.0", "T20.01", "T20.011", "T20.011A",
    ]  # fmt: skip
    assert "C00-C96" in [entry.code for entry in book().path("ICD10", "C50.911")]


def test_every_chain_ends_in_a_chapter_or_section() -> None:
    for code_type in ("ICD10", "CPT", "HCPCS"):
        for code in book().table(code_type):
            assert book().path(code_type, code)[0].level in ("chapter", "section")


def test_same_hierarchy_leaves_and_notes_as_the_package() -> None:
    package = pytest.importorskip("simple_icd_10_cm")
    one_category = {entry.code for entry in icd10_codes() if package.is_block(entry.code)}
    for entry in icd10_codes():
        assert package.is_leaf(entry.code) == entry.billable
        if entry.code not in one_category and entry.level != "category":
            assert package.get_parent(entry.code) == entry.parent
        own = book().own_notes("ICD10", entry.code)
        for kind, notes in (
            ("excludes1", package.get_excludes1(entry.code)),
            ("excludes2", package.get_excludes2(entry.code)),
            ("includes", package.get_includes(entry.code)),
            ("terms", package.get_inclusion_term(entry.code)),
        ):
            assert own.get(kind, []) == [" ".join(note.split()) for note in notes]


def test_notes_come_from_the_item_and_everything_above_it() -> None:
    notes = book().notes("ICD10", "E11.22")
    assert ("E11.22", "code to identify stage of chronic kidney disease (N18.1-N18.6)") in notes.use_additional
    assert any(note.code == "E11" and "E10.-" in note.text for note in notes.excludes1)
    assert any(note.code == "4" for note in notes.excludes1)
    assert notes.use_additional[0].code == "E11.22"


def test_only_the_nearest_seventh_character_definition_counts() -> None:
    notes = book().notes("ICD10", "S52.501A")
    assert notes.seven_chr_from == "S52"
    assert notes.seven_chr_def["A"] == "initial encounter for closed fracture"
    torus = book().notes("ICD10", "S52.521A")
    assert torus.seven_chr_from == "S52.52"
    assert set(torus.seven_chr_def) == set("ADGKPS")


def test_inclusion_terms() -> None:
    assert "Fracture of distal end of radius" in book().terms("ICD10", "S52.5")
    assert book().terms("HCPCS", "E0130") == ()


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = folder()
    counts = codes.build(DATABASE, tmp_path)
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    assert all((first / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)
    assert counts["billable"] == {"ICD10": 74_719, "CPT": 200, "HCPCS": 100}


def test_the_manifest_has_release_dates_source_and_hash() -> None:
    manifest = json.loads((folder() / "manifest.json").read_text())
    assert set(manifest) == {path.name for path in folder().iterdir()} - {"manifest.json"}
    for name, row in manifest.items():
        assert row["sha256"] == hashlib.sha256((folder() / name).read_bytes()).hexdigest()
        assert row["release"] and row["source"]
    assert manifest["icd10.tsv"]["release"] == "FY2026"
    assert manifest["icd10.tsv"]["effective_to"] == "2026-09-30"


def test_without_cpt_nothing_of_it_is_left(tmp_path: Path) -> None:
    codes.build(DATABASE, tmp_path, cpt="off")
    without = codes.open(tmp_path)
    assert len(without.scope) == 600
    assert without.find("CPT", "99213") is None


def test_tables_hold_no_dental_code() -> None:
    assert not any(code.startswith("D") for code in book().table("HCPCS"))


def test_missing_tables_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dvc repro codes"):
        codes.open(tmp_path)


@pytest.mark.parametrize(("code", "said"), [("E11", "E11 is not a billable code"), ("I10", "I10 stands there twice")])
def test_a_faulty_scope_file_is_named(code: str, said: str) -> None:
    items = {"ICD10": [Item("E11", "category", "E08-E13", "Diabetes"), Item("I10", "category", "I10-I1A", "High", True)]}
    scope = {"ICD10": {"codes": [{"code": "I10"}, {"code": code}]}}
    with pytest.raises(UserError, match=f"icd10_codes.json: {said}"):
        tables.scope_rows(items, scope, DATABASE)


def test_a_truncated_tabular_file_is_refused() -> None:
    with pytest.raises(UserError, match="not valid XML"):
        read_tabular(b"<ICD10CM.tabular><chapter><name>1</name>", set(), "cut.xml")


def test_an_empty_note_is_passed_over() -> None:
    xml = b"""<ICD10CM.tabular><chapter><name>1</name><desc>One</desc><section id="A00-A01"><desc>Block (A00-A01)</desc>
      <diag><name>A00</name><desc>Thing</desc><codeAlso><note/><note>b</note></codeAlso>
      <sevenChrDef><extension char="A">initial</extension></sevenChrDef></diag></section></chapter></ICD10CM.tabular>"""
    items = read_tabular(xml, {"A00", "A00XXXA"})
    assert [item.code for item in items] == ["1", "A00-A01", "A00", "A00.XXXA"]
    assert items[1].title == "Block"
    assert items[2].notes == {"code_also": ["b"]}
    assert (items[3].title, items[3].billable, items[2].billable) == ("Thing, initial", True, False)


def test_validity_by_day() -> None:
    assert book().valid_on("ICD10", "E11.9", date(2026, 1, 1))
    assert not book().valid_on("ICD10", "E11.9", date(2015, 9, 30))
    assert not book().valid_on("ICD10", "E11", date(2026, 1, 1))
    assert not book().valid_on("ICD10", "U07.1", date(2020, 3, 31))
    assert book().valid_on("ICD10", "U07.1", date(2020, 4, 1))
    assert book().valid_on("HCPCS", "G0202", date(2017, 12, 31))
    assert not book().valid_on("HCPCS", "G0202", date(2018, 1, 1))
    assert not book().valid_on("CPT", "00000", date(2026, 1, 1))


def test_fact_tables_stay_small() -> None:
    assert (DATABASE / "icd10_history.tsv").stat().st_size < 200_000
    rows = tables.read_tsv(DATABASE / "icd10_history.tsv")
    assert sum(bool(row["to"]) for row in rows) == 1_000


def test_official_order_file_has_the_same_codes_flags_and_titles() -> None:
    with zipfile.ZipFile(reference("icd10cm", "icd10cm-CodeDescriptions-2026.zip")) as archive:
        name = next(name for name in archive.namelist() if name.endswith("icd10cm-order-2026.txt"))
        lines = archive.read(name).decode("ascii").splitlines()
    assert len(lines) == 98_186
    official = [(dotted(line[6:13].strip()), line[14] == "1", line[77:].strip()) for line in lines]
    folded = [
        (entry.code, entry.billable, unicodedata.normalize("NFKD", entry.title).encode("ascii", "ignore").decode())
        for entry in icd10_codes()
    ]
    assert folded == official


def test_history_agrees_with_eleven_official_releases() -> None:
    path = reference("icd10cm", "icd10cm_history_fy2016_fy2026.csv.gz")
    with gzip.open(path, "rt") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        code = dotted(row["code_nodot"])
        for year in (2016, 2019, 2022, 2025, 2026):
            expected = bool(row["first_fy_billable"]) and (
                int(row["first_fy_billable"]) <= year <= int(row["last_fy_billable"])
            )
            assert book().valid_on("ICD10", code, date(year, 9, 30)) == expected, (code, year)
