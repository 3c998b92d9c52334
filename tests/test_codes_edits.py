"""Edits: what a coder would be told about the codes of one claim, with the rule behind it."""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import codes_files as files
import pytest
from codes_tables import book, folder, reference

from thce import cli, codes
from thce.codes.edits_claim import Line, edits
from thce.codes.edits_lists import EditLists
from thce.codes.edits_references import Reference, matcher, references
from thce.codes.edits_rules import _MANIFESTATION
from thce.codes.findings import Finding
from thce.codes.icd10cm import dotted
from thce.codes.importers import import_files
from thce.errors import UserError

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> EditLists:
    """Small MCE, NCCI, fee schedule and POA lists, imported as a user would."""
    base = tmp_path_factory.mktemp("lists")
    paths = files.write(
        base,
        mce_v44__txt=files.MCE,
        ccipra_v323r0_f1__TXT=files.PTP,
        MUE_10__csv=files.MUE,
        PPRRVU26_OCT__csv=files.PFS,
        POAexemptCodesFY27__txt=files.POA,
    )
    given = {
        "mce": [paths["mce_v44__txt"]],
        "ncci_ptp": [paths["ccipra_v323r0_f1__TXT"]],
        "pprrvu": [paths["PPRRVU26_OCT__csv"]],
        "poa_exempt": [paths["POAexemptCodesFY27__txt"]],
    }
    import_files(given, base / "to", bounds=files.SMALL)
    unnamed: dict[str, Any] = {"release": "2026-10", "effective_from": "2026-10-01"}
    import_files({"ncci_mue": [paths["MUE_10__csv"]]}, base / "to", bounds=files.SMALL, **unnamed)
    return EditLists(base / "to")


NOTHING = EditLists("no-such-folder")


def find(*given: str | Line, lists: EditLists = NOTHING, **options: Any) -> list[Finding]:
    lines = [Line("ICD10", item) if isinstance(item, str) else item for item in given]
    return list(edits(book(), lines, lists=lists, **options))


def rules(*given: str | Line, grave: tuple[str, ...] = ("error", "warning"), **options: Any) -> list[str]:
    return [finding.rule_id for finding in find(*given, **options) if finding.severity in grave]


def test_a_sound_claim_has_nothing_against_it() -> None:
    assert rules("E11.22", "N18.31", "Z79.4", Line("CPT", "99213"), Line("HCPCS", "A4253", 2)) == []


def test_every_finding_names_rule_and_source() -> None:
    found = find("W01.0XXA", "E11.9", "E10.9", "E11", "R05.1", "J20.9", "M25.569", "J20.9", age=3, setting="inpatient")
    assert len(found) > 8
    for finding in found:
        assert finding.rule_id and finding.text and finding.source
        assert finding.severity in ("error", "warning", "info")
    order = [("error", "warning", "info").index(finding.severity) for finding in found]
    assert order == sorted(order)


def test_invalid_and_header_codes() -> None:
    (unknown,) = find("Z99.99")
    assert (unknown.rule_id, unknown.severity) == ("invalid", "error")
    assert "Z99.89" in unknown.text
    header = find("M54.5")[0]
    assert header.rule_id == "header" and "M54.50" in header.text
    assert rules("M54.5", day=date(2021, 9, 30)) == []
    assert rules("G35", day=date(2025, 11, 1)) == ["header"]
    assert rules(Line("HCPCS", "G0202"), day=date(2019, 1, 1)) == ["invalid"]
    assert rules(Line("CPT", "00001")) == ["cannot_check"]
    assert find("e119")[0].codes == ("E11.9",), "other spellings are understood"


def test_a_diagnosis_is_reported_once() -> None:
    assert rules("I10", "E11.9", "I10") == ["duplicate"]
    assert rules("I10", "i10") == ["duplicate"]
    assert rules("I10", Line("CPT", "99213"), Line("CPT", "99213")) == ["duplicate"]
    assert rules("I10", Line("CPT", "99213"), Line("CPT", "99213", 1, ("25",))) == []


def test_external_causes_never_come_first() -> None:
    assert rules("W01.0XXA", "S52.501A") == ["external_cause_first"]
    assert rules("S52.501A", "W01.0XXA") == []


def test_manifestations_never_come_first() -> None:
    assert rules("G30.9", "F02.80") == []
    assert "manifestation_first" in rules("F02.80", "G30.9")


def test_sequence_of_code_first_and_use_additional() -> None:
    (finding,) = [item for item in find("N18.31", "E11.22") if item.severity == "error"]
    assert (finding.rule_id, finding.codes) == ("code_first_order", ("N18.31", "E11.22"))
    assert rules("N18.31", "E11.22") == ["code_first_order"], "the other note on the same pair is not repeated"
    assert rules("Z79.4", "E11.9") == ["use_additional_order"]
    hints = find("E11.22")
    assert any(hint.rule_id == "use_additional" and "N18.1-N18.6" in hint.text for hint in hints)
    assert not any("E11.22:" in hint.text for hint in find("E11.22", "N18.31") if hint.rule_id == "use_additional")
    alone = next(finding for finding in find("I10", "D63.1") if finding.rule_id == "code_first")
    assert (alone.severity, alone.source) == ("warning", "Guidelines I.A.13")
    optional = next(finding for finding in find("J18.9") if finding.rule_id == "code_first")
    assert optional.severity == "info", "`if applicable` is a hint"


def test_excludes1_is_a_warning_once_per_pair_with_its_exception() -> None:
    (finding,) = [item for item in find("E11.9", "E10.9") if item.rule_id == "excludes1"]
    assert (finding.severity, finding.codes, finding.source) == ("warning", ("E11.9", "E10.9"), "Guidelines I.A.12.a")
    assert "unrelated" in finding.text and "E11:" in finding.text
    assert "excludes1" in rules("S58.011A", "S52.501A"), "a note of the category holds for all codes below"
    assert "excludes1" not in rules("E11.9", "I10")


def test_symptoms_beside_their_cause() -> None:
    assert rules("J20.9", "R05.1") == ["symptom_with_cause"]
    assert rules("R05.1") == []
    assert rules("I10", "R21") == [], "a rash does not belong to hypertension"


def test_unspecified_side_where_sides_exist() -> None:
    (finding,) = [item for item in find("M25.569") if item.rule_id == "unspecified_side"]
    assert "M25.561 or M25.562" in finding.text
    assert rules("S52.509A") == ["unspecified_side"]
    assert rules("M25.561") == []
    assert rules("J20.9") == [], "`unspecified` that is no side"


def test_rules_without_their_list_say_so() -> None:
    said = [finding.text for finding in find("I10", age=30, setting="inpatient")]
    assert any("age conflicts" in text for text in said)
    assert any("unacceptable principal diagnosis" in text for text in said)
    assert find("I10") == []


def test_mce_lists(lists: EditLists) -> None:
    (outpatient,) = (item for item in find("Z99.2", lists=lists) if item.rule_id == "unacceptable_first")
    assert outpatient.severity == "warning" and "MCE v44" in outpatient.source
    inpatient = find("Z99.2", "N18.6", lists=lists, setting="inpatient")
    assert [item.severity for item in inpatient if item.rule_id == "unacceptable_first"] == ["error"]
    assert "unacceptable_first" in rules("Z51.89", lists=lists)
    assert "unacceptable_first" not in rules("Z51.89", "I10", lists=lists)
    assert "manifestation_first" in rules("D63.1", "N18.6", lists=lists)
    assert rules("N40.1", age=14, lists=lists) == ["age_conflict"]
    assert rules("N40.1", age=15, lists=lists) == []
    assert rules("O80", age=8, lists=lists, setting="inpatient")[0] == "age_conflict"
    assert rules("A33", age=0, lists=lists) == []
    assert rules("M19.90", lists=lists, setting="inpatient") == ["unspecified_side"]


def test_poa_indicators_are_asked_for_inpatients(lists: EditLists) -> None:
    (finding,) = [item for item in find("I10", "Z79.4", lists=lists, setting="inpatient") if item.rule_id == "poa_needed"]
    assert finding.codes == ("I10",)
    assert "poa_needed" not in [item.rule_id for item in find("I10", "Z79.4", lists=lists)]


def test_ncci_pairs(lists: EditLists) -> None:
    def pair(one: Line, two: Line, day: date | None = None) -> list[Finding]:
        return [item for item in find(one, two, lists=lists, day=day) if item.rule_id == "ncci_pair"]

    never = pair(Line("CPT", "00002"), Line("CPT", "00001"))
    assert [(item.severity, item.codes) for item in never] == [("error", ("00001", "00002"))]
    assert pair(Line("CPT", "00001"), Line("CPT", "00005"))[0].severity == "warning"
    assert pair(Line("CPT", "00001"), Line("CPT", "00005", 1, ("59",))) == []
    assert pair(Line("CPT", "00001"), Line("CPT", "00006")) == [], "deleted since"
    assert len(pair(Line("CPT", "00001"), Line("CPT", "00006"), date(2020, 6, 1))) == 1
    assert pair(Line("CPT", "00001"), Line("CPT", "00006"), date(2021, 1, 1)) == []
    assert pair(Line("CPT", "00001"), Line("CPT", "00007"), date(2020, 1, 1)) == []
    assert pair(Line("CPT", "00005"), Line("HCPCS", "A4253")) == []


def test_ncci_units(lists: EditLists) -> None:
    def units(*lines: Line) -> list[str]:
        return [item.severity for item in find(*lines, lists=lists) if item.rule_id == "ncci_units"]

    assert units(Line("CPT", "00001", 1)) == []
    assert units(Line("CPT", "00001", 2)) == ["error"]
    assert units(Line("CPT", "00005", 2), Line("CPT", "00005", 2, ("59",))) == ["warning"], "per day: lines are summed"
    assert units(Line("HCPCS", "A4253", 4), Line("HCPCS", "A4253", 4, ("LT",))) == [], "per line"
    assert units(Line("HCPCS", "A4253", 5)) == ["warning"]


def test_fee_schedule(lists: EditLists) -> None:
    assert rules(Line("CPT", "00002"), lists=lists) == ["add_on_alone"]
    assert "add_on_alone" not in rules(Line("CPT", "00002"), Line("CPT", "99213"), lists=lists)
    assert rules(Line("CPT", "00004"), lists=lists) == ["deleted_code"]


def test_wrong_use() -> None:
    for given, options in (
        ([("ICD9", "250.00")], {}),
        ([Line("CPT", "99213", 0)], {}),
        ([("ICD10", "I10")], {"age": -1}),
        ([("ICD10", "I10")], {"setting": "home"}),
    ):
        with pytest.raises(UserError):
            codes.edits(book(), given, **options)
    assert codes.edits(book(), []) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type 1 diabetes mellitus (E10.-)", [Reference("E10")]),
        ("infection (A04.7-)", [Reference("A047")]),
        ("influenza (J09.X3, J10.2)", [Reference("J09X3"), Reference("J102")]),
        ("neoplasm (C51-C52, C60.-)", [Reference("C51", "C52"), Reference("C60")]),
        ("stage (N18.1-N18.6)", [Reference("N181", "N186")]),
        ("infarction (I63.3-I63.5-)", [Reference("I633", "I635")]),
        ("diabetes (E08-E13 with .44)", [Reference("E08", "E13", "44")]),
        ("drug (T36-T50 with fifth or sixth character 5)", [Reference("T36", "T50", "", (5, 6), "5")]),
        ("poisoning (T36-T65 with fifth or sixth character 1-4)", [Reference("T36", "T65", "", (5, 6), "1234")]),
        ("gout, code E79.0 outside brackets", [Reference("E790")]),
        ("meningitis (in):", []),
        ("see body system-related chapters", []),
    ],
)
def test_references_in_notes(text: str, expected: list[Reference]) -> None:
    assert list(references(text)) == expected


def test_which_codes_a_reference_names() -> None:
    match = matcher(book())
    assert match.names(Reference("E10"), "E10.9") and not match.names(Reference("E10"), "E11.9")
    assert match.names(Reference("S060"), "S06.0X1A")
    assert match.names(Reference("C51", "C52"), "C52") and not match.names(Reference("C51", "C52"), "C53.9")
    assert match.names(Reference("C76", "C80"), "C79.51"), "ranges follow the order of the table"
    assert not match.names(Reference("C76", "C80"), "C7A.00"), "C7A stands before C76"
    assert match.names(Reference("E08", "E13", "44"), "E11.44") and not match.names(Reference("E08", "E13", "44"), "E11.9")
    drug = Reference("T36", "T50", "", (5, 6), "5")
    assert match.names(drug, "T36.0X5A") and not match.names(drug, "T36.0X1A")


def test_nearly_all_excludes1_notes_name_codes() -> None:
    rows = [json.loads(line) for line in (folder() / "icd10_notes.jsonl").read_text().splitlines()]
    notes = [text for row in rows for text in row.get("excludes1", ())]
    assert sum(bool(references(text)) for text in notes) / len(notes) > 0.97


def test_official_mce_lists_against_our_own_rule() -> None:
    lists = json.loads(reference("mce", "mce_edits.json").read_text())["codes"]
    official = {dotted(row["code"]) for row in lists["manifestation_not_pdx"]}
    entries = (book().find("ICD10", code) for code in book().table("ICD10"))
    ours = {entry.code for entry in entries if entry and entry.billable and _MANIFESTATION.search(entry.title)}
    assert len(ours) == 255
    assert ours <= official, "without the list we name fewer manifestations, and none that is not one"


def test_command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = ["--tables", str(folder()), "--licensed", str(tmp_path)]
    assert cli.main(["codes", "edits", "E11.22", "N18.31", *at]) == 0
    assert "use_additional; Guidelines I.B.7" in capsys.readouterr().out
    assert cli.main(["codes", "edits", "N18.31", "E11.22", *at]) == 1
    assert "code_first_order" in capsys.readouterr().out
    assert cli.main(["codes", "edits", "E1122", *at]) == 2
    assert "write ICD10:E1122" in capsys.readouterr().err
    claims = tmp_path / "claims.jsonl"
    rows = [
        {"id": "a", "codes": [{"code_type": "ICD10", "code": "M54.5"}], "date": "2021-09-30"},
        {"id": "b", "codes": [{"code_type": "ICD10", "code": "M54.5"}], "date": "2021-10-01"},
    ]
    claims.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert cli.main(["codes", "edits", "--file", str(claims), "--json", *at]) == 1
    found = {row["id"]: [item["rule_id"] for item in row["findings"]] for row in json.loads(capsys.readouterr().out)}
    assert (found["a"], found["b"]) == ([], ["header"])
    claims.write_text('{"codes": 3}\n')
    assert cli.main(["codes", "edits", "--file", str(claims), *at]) == 2
    assert "claims.jsonl:1" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO("I10\nCPT:99213-25*2\n"))
    assert cli.main(["codes", "edits", *at]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "I10 99213"
