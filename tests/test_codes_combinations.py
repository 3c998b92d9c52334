"""Combination codes (Guidelines I.C.9.a, I.A.15) and general codes beside specific ones (I.A.9.b)."""

from __future__ import annotations

import pytest
from codes_tables import book

from thce.codes.combinations import combinations, general, leaves_open
from thce.codes.edits_claim import edits

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("codes", "code", "replaced", "section"),
    [
        (["I10", "N18.32"], "I12.9", "I10", "I.C.9.a.2"),
        (["N18.6", "I10"], "I12.0", "I10", "I.C.9.a.2"),
        (["I10", "I50.9"], "I11.0", "I10", "I.C.9.a.1"),
        (["I50.22", "I10", "N18.4"], "I13.0", "I10", "I.C.9.a.3"),
        (["I50.22", "I10", "N18.5"], "I13.2", "I10", "I.C.9.a.3"),
        (["E11.9", "N18.30"], "E11.22", "E11.9", "I.A.15"),
        (["E10.9", "N18.9"], "E10.22", "E10.9", "I.A.15"),
    ],
)
def test_a_combination_code_stands_for_its_parts(codes: list[str], code: str, replaced: str, section: str) -> None:
    (found,) = combinations(codes)
    assert (found.code, found.replaced) == (code, replaced) and section in found.source
    assert set(found.beside) == set(codes) - {replaced}
    entry = book().find("ICD10", code)
    assert entry is not None and entry.billable


@pytest.mark.parametrize(
    "codes", [[], ["I10"], ["N18.32", "E11.22"], ["I10", "E11.9"], ["I12.9", "N18.32"], ["E11.65", "N18.4"]]
)
def test_other_diagnoses_stay_as_they_are(codes: list[str]) -> None:
    assert not list(combinations(codes))


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        (["J44.9", "J44.1"], [("J44.9", "J44.1")]),
        (["I48.19", "I48.91"], [("I48.91", "I48.19")]),
        (["E11.9", "E11.65"], [("E11.9", "E11.65")]),
        (["N18.9", "N18.32", "I10"], [("N18.9", "N18.32")]),
        (["M54.50", "M54.2"], []),  # two places
        (["R10.9", "R10.31"], []),  # "abdominal" is not in the title of the other
        (["H66.91", "H66.92"], []),  # two sides, both unspecified
        (["E11.9", "E11.40"], [("E11.9", "E11.40")]),  # both leave something open, the first more
        (["J45.909", "J45.901"], [("J45.909", "J45.901")]),
        (["F17.200", "F17.210"], [("F17.200", "F17.210")]),
        (["N18.30", "N18.4"], []),  # two stages
        (["N18.30", "N18.31"], [("N18.30", "N18.31")]),
        (["S52.501A", "S52.501D"], []),  # two encounters
        (["I10", "Z99.999"], []),
    ],
)
def test_a_general_code_beside_a_specific_one_of_its_category(codes: list[str], found: list[tuple[str, str]]) -> None:
    assert list(general(book(), codes)) == found


def test_claims_are_told_of_both() -> None:
    told = {finding.rule_id: finding for finding in edits(book(), [("ICD10", "I10"), ("ICD10", "N18.9"), ("ICD10", "N18.32")])}
    assert told["combination"].severity == "warning"
    assert "I12.9: report it instead of I10" in told["combination"].text
    assert told["general_beside_specific"].codes == ("N18.9", "N18.32")


def test_several_combinations_are_all_named() -> None:
    assert [found.code for found in combinations(["I10", "E11.9", "N18.4"])] == ["I12.9", "E11.22"]


@pytest.mark.parametrize(
    ("code", "answered"),
    [
        ("J96.11", "J96.21"),
        ("I50.21", "I50.23"),
        ("K21.01", "K21.00"),
        ("N18.1", "N18.2"),
        ("N18.5", "N18.4"),
        ("Z3A.20", "Z3A.39"),
    ],
)
def test_a_code_that_says_something_else_leaves_nothing_open(code: str, answered: str) -> None:
    assert not leaves_open(book(), code, answered)
    assert leaves_open(book(), "L03.90", "L03.116")
