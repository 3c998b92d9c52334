"""Import: a whole official file replaces a table, anything else changes nothing."""

from __future__ import annotations

import json
import string
import subprocess
from pathlib import Path
from typing import Any

import codes_files as files
import pytest

from thce import cli
from thce.codes.importers import import_files
from thce.codes.importers_claims import mce_release, ncci_release
from thce.codes.importers_folder import manifest, stored
from thce.codes.importers_source import decode, fiscal_release, quarter_release, read_source
from thce.errors import UserError

pytestmark = pytest.mark.unit


def bring(kind: str, path: Path, to: Path, **options: Any) -> dict[str, Any]:
    """Import one small file; the manifest's row."""
    options = {"bounds": files.SMALL, "release": None, **options}
    return import_files({kind: [path]}, to, **options)[0].row


def rows(folder: Path, name: str) -> list[list[str]]:
    return [line.split("\t") for line in stored(folder, name).decode().split("\n")[1:-1]]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_order_file_is_read_by_its_columns(tmp_path: Path) -> None:
    path = files.write(tmp_path, icd10cm_order_2027__txt=files.order())["icd10cm_order_2027__txt"]
    row = bring("icd10cm_order", path, tmp_path / "to")
    assert row["counts"] == {"rows": 7, "billable": 4, "headers": 3}
    assert (row["release"], row["effective_from"], row["effective_to"]) == ("FY2027", "2026-10-01", "2027-09-30")
    title = "Type 2 diabetes mellitus without complications"
    assert rows(tmp_path / "to", "icd10cm_order")[1] == ["E11.9", "1", title, title]


def test_a_zip_is_read_directly_and_the_addenda_beside_is_not_taken_for_the_order_file(tmp_path: Path) -> None:
    members = {
        "x/icd10cm_order_addenda_2027.txt": files.addenda(),
        "x/icd10cm_order_2027.txt": files.order(),
        "x/icd10cm_codes_2027.txt": files.codes(),
    }
    path = files.zipped(tmp_path / "2027-code-descriptions-tabular-order.zip", members)
    kinds = ("icd10cm_order", "icd10cm_codes", "icd10cm_addenda")
    tables = import_files({kind: [path] for kind in kinds}, tmp_path / "to", bounds=files.SMALL)
    assert [table.row["counts"]["rows"] for table in tables] == [7, 4, 7]
    assert next(table.row["sources"][0]["name"] for table in tables) == "icd10cm_order_2027.txt"


def test_a_zip_without_or_with_two_such_files_is_refused(tmp_path: Path) -> None:
    none = files.zipped(tmp_path / "a.zip", {"readme.txt": b"hello"})
    with pytest.raises(UserError, match="holds no file of this kind"):
        bring("icd10cm_order", none, tmp_path / "to")
    two = files.zipped(tmp_path / "b.zip", {"order_2026.txt": files.order(), "order_2027.txt": files.order()})
    with pytest.raises(UserError, match="holds 2 such files"):
        bring("icd10cm_order", two, tmp_path / "to")
    (tmp_path / "c.zip").write_bytes(two.read_bytes()[:-30])
    with pytest.raises(UserError, match="not a sound zip"):
        bring("icd10cm_order", tmp_path / "c.zip", tmp_path / "to")
    assert not (tmp_path / "to").exists()


DAMAGED = {
    "cut short": files.order()[:-40],
    "cut at a line, so that a header has no codes": files.order(files.ORDER[:3]),
    "a line is missing": files.order().replace(files.order_line(3, *files.ORDER[2]).encode() + b"\r\n", b""),
    "twice": files.order([*files.ORDER, files.ORDER[-1]]),
    "billable with codes below": files.order([("E11", 1, "x"), ("E119", 1, "y")]),
    "another file": b"code,title\r\nE11.9,Diabetes\r\n",
    "codes file": files.codes(),
    "html": b"<html><body>404</body></html>",
    "empty": b"\r\n",
}


@pytest.mark.parametrize("fault", DAMAGED)
def test_a_damaged_file_changes_nothing(tmp_path: Path, fault: str) -> None:
    to = tmp_path / "to"
    bring("icd10cm_order", files.write(tmp_path, order_2026__txt=files.order())["order_2026__txt"], to)
    before = snapshot(to)
    bad = files.write(tmp_path, order_2027__txt=DAMAGED[fault])["order_2027__txt"]
    with pytest.raises(UserError):
        bring("icd10cm_order", bad, to)
    assert snapshot(to) == before


def test_a_file_that_is_too_small_for_its_release_changes_nothing(tmp_path: Path) -> None:
    path = files.write(tmp_path, icd10cm_order_2026__txt=files.order())["icd10cm_order_2026__txt"]
    with pytest.raises(UserError, match=r"has 4 billable codes, not 74,645 to 74,793; it is cut short"):
        import_files({"icd10cm_order": [path]}, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_one_bad_file_of_a_call_keeps_the_good_ones_out(tmp_path: Path) -> None:
    paths = files.write(tmp_path, order_2027__txt=files.order(), POAexemptCodesFY27__txt=b"wrong\r\n")
    with pytest.raises(UserError, match="POAexemptCode"):
        import_files(
            {"icd10cm_order": [paths["order_2027__txt"]], "poa_exempt": [paths["POAexemptCodesFY27__txt"]]},
            tmp_path / "to",
            bounds=files.SMALL,
        )
    assert not (tmp_path / "to").exists()


def test_a_table_that_was_changed_by_hand_is_not_read(tmp_path: Path) -> None:
    path = files.write(tmp_path, order_2027__txt=files.order())["order_2027__txt"]
    bring("icd10cm_order", path, tmp_path / "to")
    with (tmp_path / "to" / "icd10cm_order.tsv").open("a") as stream:
        stream.write("X00.0\t1\tx\tx\n")
    with pytest.raises(UserError, match="not the table its manifest tells of"):
        stored(tmp_path / "to", "icd10cm_order")


def test_importing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    path = files.write(tmp_path, order_2027__txt=files.order())["order_2027__txt"]
    bring("icd10cm_order", path, tmp_path / "to")
    before = snapshot(tmp_path / "to")
    bring("icd10cm_order", path, tmp_path / "to")
    assert snapshot(tmp_path / "to") == before


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfM\xc3\xa9ni\xc3\xa8re", "Ménière"),
        ("Ménière".encode(), "Ménière"),
        ("Ménière".encode("cp1252"), "Ménière"),
        ("“quoted”".encode("cp1252"), "“quoted”"),
        ("Ménière".encode("utf-16"), "Ménière"),
    ],
)
def test_encodings_are_told_apart(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    assert decode(read_source(path, ())) == text


def test_releases_are_told_by_file_names() -> None:
    assert fiscal_release(["icd10cm-order-2026.txt"]) == ("FY2026", "2025-10-01", "2026-09-30")
    assert fiscal_release(["icd10cm-order-April-2025.txt"]) == ("FY2025 April", "2025-04-01", "2025-09-30")
    assert fiscal_release(["POAexemptCodesFY26.txt"]) == ("FY2026", "2025-10-01", "2026-09-30")
    both = ["icd10cm_order_2026.txt", "april-1-2026-code-descriptions-tabular-order.zip"]
    assert fiscal_release(both) == ("FY2026 April", "2026-04-01", "2026-09-30")
    assert fiscal_release(["order.txt"]) is None
    assert quarter_release(["HCPC2019_CONTR_ANWEB.txt"]) == ("2019-01", "2019-01-01", "")
    assert quarter_release(["HCPC2026_OCT_ANWEB_09232026.xlsx"]) == ("2026-10", "2026-10-01", "")
    assert quarter_release(["PPRRVU26_JUL.csv"]) == ("2026-07", "2026-07-01", "")
    assert mce_release(["fy2027-fr-definition-mce-v44.zip"]) == ("MCE v44", "2026-10-01", "2027-09-30")
    assert mce_release(["definition-medicare-code-edits-v411.txt"]) == ("MCE v41.1", "2024-04-01", "2024-09-30")
    assert ncci_release(["ccipra-v322r0-f1.TXT"]) == ("2026-07", "2026-07-01", "")
    assert ncci_release(["MCR_MUE_PractitionerServices_Eff_10-01-2026.csv"]) == ("2026-10", "2026-10-01", "")


def test_a_release_that_no_name_tells_must_be_given(tmp_path: Path) -> None:
    path = files.write(tmp_path, order__txt=files.order())["order__txt"]
    with pytest.raises(UserError, match="does not tell the release; add --release"):
        bring("icd10cm_order", path, tmp_path / "to")
    with pytest.raises(UserError, match="is not a day"):
        bring("icd10cm_order", path, tmp_path / "to", release="FY2027", effective_from="October")
    row = bring("icd10cm_order", path, tmp_path / "to", release="FY2027")
    assert (row["release"], row["effective_from"]) == ("FY2027", "2026-10-01")
    row = bring("icd10cm_order", path, tmp_path / "to", release="FY2027 April", effective_from="2027-04-01")
    assert (row["effective_from"], row["effective_to"]) == ("2027-04-01", "2027-09-30")


def test_addenda_must_agree_with_their_totals(tmp_path: Path) -> None:
    good = files.write(tmp_path, icd10cm_order_addenda_2027__txt=files.addenda())
    row = bring("icd10cm_addenda", good["icd10cm_order_addenda_2027__txt"], tmp_path / "to")
    assert row["counts"] == {"rows": 7, "add": 3, "delete": 2, "to": 1}
    bad = files.write(tmp_path, addenda_2028__txt=files.addenda(additions=9))["addenda_2028__txt"]
    with pytest.raises(UserError, match="has 3 additions, but says 9"):
        bring("icd10cm_addenda", bad, tmp_path / "to")
    cut = files.write(tmp_path, addenda_2029__txt=files.addenda()[:300])["addenda_2029__txt"]
    with pytest.raises(UserError, match="cut short"):
        bring("icd10cm_addenda", cut, tmp_path / "to")


def test_conversion_table_with_years_days_and_prose(tmp_path: Path) -> None:
    path = files.write(tmp_path, conversion_FY2027__xlsx=files.conversion())["conversion_FY2027__xlsx"]
    bring("conversion_table", path, tmp_path / "to")
    assert rows(tmp_path / "to", "conversion_table") == [
        ["I42.00", "2026-10-01", "I42.0"],
        ["I42.09", "2026-10-01", "I42.0"],
        ["T74.A1XA", "2023-04-01", "T74.91XA"],
        ["C50.A0", "2025-10-01", "C50.919,C50.929,C50.019"],
        ["K59.03", "2016-10-01", "K59.09"],
        ["W45.3XXA", "", ""],
    ]


def test_poa_exempt(tmp_path: Path) -> None:
    path = files.write(tmp_path, POAexemptCodesFY27__txt=files.POA)["POAexemptCodesFY27__txt"]
    assert bring("poa_exempt", path, tmp_path / "to")["counts"] == {"rows": 2}
    assert rows(tmp_path / "to", "poa_exempt") == [["Z79.4"], ["S30.11XD"]]


def test_index_entries_keep_their_path_codes_and_references(tmp_path: Path) -> None:
    paths = files.write(tmp_path, icd10cm_index_2027__xml=files.INDEX, icd10cm_drug_2027__xml=files.DRUGS)
    tables = import_files({"icd10cm_index": list(paths.values())}, tmp_path / "to", bounds=files.SMALL)
    assert [table.name for table in tables] == ["icd10cm_index", "icd10cm_index_drug"]
    entries = [json.loads(line) for line in stored(tmp_path / "to", "icd10cm_index").decode().splitlines()]
    assert entries == [
        {"terms": ["Cough"], "nonessential": "(affected) (chronic)", "code": "R05.9"},
        {"terms": ["Cough", "with hemorrhage"], "see": "Hemoptysis"},
        {"terms": ["Cough", "whooping"], "code": "A37.9-", "see_also": "Pertussis"},
        {"terms": ["Cough", "whooping", "with pneumonia"], "code": "A37.91", "manifestation": "J17"},
    ]
    drug = json.loads(stored(tmp_path / "to", "icd10cm_index_drug"))
    assert drug["cells"] == {"Poisoning Accidental": "T39.011", "Adverse effect": "T39.015"}


def test_index_that_is_cut_short_or_of_another_kind(tmp_path: Path) -> None:
    cut = files.write(tmp_path, icd10cm_index_2027__xml=files.INDEX[:-60])["icd10cm_index_2027__xml"]
    with pytest.raises(UserError, match="not valid XML"):
        bring("icd10cm_index", cut, tmp_path / "to")
    other = files.write(tmp_path, tabular_2027__xml=b"<ICD10CM.tabular/>")["tabular_2027__xml"]
    with pytest.raises(UserError, match="not an ICD-10-CM index"):
        bring("icd10cm_index", other, tmp_path / "to")


def test_manifest_names_source_and_sha256(tmp_path: Path) -> None:
    path = files.write(tmp_path, order_2027__txt=files.order())["order_2027__txt"]
    bring("icd10cm_order", path, tmp_path / "to")
    row = manifest(tmp_path / "to")["icd10cm_order"]
    assert row["sources"] == [{"name": "order_2027.txt", "sha256": read_source(path, ()).sha256}]
    assert str(tmp_path) not in json.dumps(row)


def test_cpt_needs_the_license_and_is_kept_out_of_git(tmp_path: Path) -> None:
    path = files.write(tmp_path, LONGULT__txt=files.longult())["LONGULT__txt"]
    given = {"release": "2027", "effective_from": "2027-01-01"}
    with pytest.raises(UserError, match="needs a license from the AMA"):
        bring("cpt_longult", path, tmp_path / "to", **given)
    subprocess.run(["git", "init", "-q", str(tmp_path / "repo")], check=True)
    with pytest.raises(UserError, match="not ignored by git"):
        bring("cpt_longult", path, tmp_path / "repo" / "data", ama_license=True, **given)
    assert list((tmp_path / "repo" / "data").iterdir()) == []
    (tmp_path / "repo" / ".gitignore").write_text("/data/\n")
    row = bring("cpt_longult", path, tmp_path / "repo" / "data", ama_license=True, **given)
    assert "license" in row["attestation"]


def test_cpt_files_are_joined_by_code(tmp_path: Path) -> None:
    paths = files.write(tmp_path, LONGULT__txt=b"\xef\xbb\xbf" + files.longult(), SHORTU__txt=files.shortu())
    kinds = {"cpt_longult": [paths["LONGULT__txt"]], "cpt_shortu": [paths["SHORTU__txt"]]}
    options: dict[str, Any] = {"release": "2027", "effective_from": "2027-01-01", "ama_license": True}
    import_files(kinds, tmp_path / "to", bounds=files.SMALL, **options)
    assert rows(tmp_path / "to", "cpt")[0] == ["00001", "Invented service alfa", "", "INVENTED SERVICE ALFA"]
    files.write(tmp_path, SHORTU__txt=files.shortu({"00001": "Invented service alfa"}))
    with pytest.raises(UserError, match="lacks 2 codes of the other file"):
        import_files(kinds, tmp_path / "to", bounds=files.SMALL, **options)


def test_fee_schedule_gives_numbers_and_never_its_text(tmp_path: Path) -> None:
    path = files.write(tmp_path, PPRRVU26_OCT__csv=files.PFS)["PPRRVU26_OCT__csv"]
    row = bring("pprrvu", path, tmp_path / "to")
    assert row["counts"] == {"rows": 4, "codes": 3, "add_on": 1}
    text = stored(tmp_path / "to", "pprrvu").decode()
    assert "SECRET" not in text
    header, first = (line.split("\t") for line in text.split("\n")[:2])
    assert dict(zip(header, first, strict=True)) == {
        "code": "00001", "modifier": "", "status": "A", "work_rvu": "1.30", "nonfacility_total": "2.68",
        "facility_total": "1.90", "pctc": "0", "global_days": "010", "multiple": "2", "bilateral": "1",
        "assistant": "1", "cosurgeon": "0", "team": "0",
    }  # fmt: skip


def test_mce_lists_end_at_the_next_heading(tmp_path: Path) -> None:
    path = files.write(tmp_path, definitions_mce_v44__txt=files.MCE)["definitions_mce_v44__txt"]
    assert bring("mce", path, tmp_path / "to")["release"] == "MCE v44"
    lists = json.loads(stored(tmp_path / "to", "mce"))
    assert lists == {
        "newborn": ["A33"],
        "pediatric": ["Z00.129"],
        "maternity": ["O80"],
        "adult": ["N40.1"],
        "manifestation": ["D63.1"],
        "unacceptable": ["Z99.2"],
        "needs_secondary": ["Z51.89"],
        "unspecified": ["M19.90"],
        "ages": {"newborn": [0, 0], "pediatric": [0, 17], "maternity": [9, 64], "adult": [15, 124]},
    }
    with pytest.raises(UserError, match="in the list `manifestation`"):
        bring("mce", path, tmp_path / "to", bounds={})


def test_ncci_pairs_and_units(tmp_path: Path) -> None:
    name = "ccipra_v323r0_f1__TXT"
    paths = files.write(tmp_path, **{name: files.PTP, "MUE_Eff_10-01-2026__csv": files.MUE})
    row = bring("ncci_ptp", paths[name], tmp_path / "to")
    assert (row["release"], row["counts"]) == ("2026-10", {"rows": 2, "pairs": 4})
    assert rows(tmp_path / "to", "ncci_ptp")[1] == ["00005", "A4253:9:20200101:"]
    bring("ncci_mue", paths["MUE_Eff_10-01-2026__csv"], tmp_path / "to")
    assert rows(tmp_path / "to", "ncci_mue") == [["00001", "1", "2"], ["00005", "3", "3"], ["A4253", "4", "1"]]
    files.write(tmp_path, **{name: files.PTP[:-30]})
    with pytest.raises(UserError, match="not a row of NCCI pairs"):
        bring("ncci_ptp", paths[name], tmp_path / "to")


def test_command_imports_lists_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    letters = string.ascii_uppercase
    codes = [f"{a}{n:02d}.{d}{e}" for a in letters for n in range(100) for d in range(4) for e in range(3)]
    lines = [f"{n:05d}\t{code}\tinvented" for n, code in enumerate(codes, 1)]
    path = tmp_path / "POAexemptCodesFY27.txt"
    path.write_text("Order27\tPOAexemptCode\tDescription\n" + "\n".join(lines) + "\n")
    at = ["--to", str(tmp_path / "to")]
    assert cli.main(["codes", "import", "--list", *at]) == 0
    assert "nothing is imported" in capsys.readouterr().out
    assert cli.main(["codes", "import", "--poa-exempt", str(path), *at]) == 0
    text = capsys.readouterr().out
    assert "poa_exempt: FY2027, in force 2026-10-01 to 2027-09-30; 31,200 rows" in text
    assert "dvc repro" in text
    path.write_text("Order27\tPOAexemptCode\tDescription\n" + "\n".join(lines[:20_000]) + "\n")
    assert cli.main(["codes", "import", "--poa-exempt", str(path), *at]) == 2
    assert "has 20,000 codes, not 30,000 to 60,000" in capsys.readouterr().err
    assert cli.main(["codes", "import", "--list", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out)["poa_exempt"]["counts"] == {"rows": 31_200}
    assert cli.main(["codes", "import", *at]) == 2
