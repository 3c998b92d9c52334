"""Diagnoses outside the code set, told by the tables' own words; codes settled among themselves."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from coder_models import calibrated, taught
from codes_tables import book

from thce.coder.coder import Coder
from thce.coder.decide import Decision
from thce.coder.lookup import PHRASE, Find, LookUp
from thce.coder.outside import load, outside, save, wordings
from thce.coder.prediction import CODED, NONE, REVIEW, CodedItem, Prediction, merge
from thce.coder.settle import settle
from thce.coder.trie import NO_CODE
from thce.codes.edits_claim import edits
from thce.codes.findings import Finding
from thce.errors import UserError

pytestmark = pytest.mark.unit

KNOWN = {"migraine": ("ICD10", "G43.909"), "otitis media": ("ICD10", "H66.90")}


@pytest.fixture(scope="module")
def beyond() -> LookUp:
    return LookUp(wordings(book(), KNOWN), {})


def told(text: str, beyond: LookUp, *answered: str, known: tuple[Find, ...] = ()) -> list[str]:
    pairs = [("ICD10", code) for code in answered]
    return [finding.codes[0] for finding in outside(text, beyond, known, pairs, {}, book())]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Conjunctivitis, viral, both eyes.", "B30.9"),  # a title, less "unspecified", turned round
        ("Diagnosis: combat fatigue.", "F43.0"),  # an inclusion term
        ("Plantar fasciitis of the left foot", "M72.2"),
    ],
)
def test_a_diagnosis_out_of_scope_is_told_in_the_words_of_the_tables(text: str, code: str, beyond: LookUp) -> None:
    assert told(text, beyond) == [code]
    (finding,) = outside(text, beyond, (), [], {}, book())
    assert finding.rule_id == "outside_code_set" and "not in the code set" in finding.text


def test_nothing_is_told_that_is_denied_known_in_scope_or_said_by_the_answer(beyond: LookUp) -> None:
    assert told("No combat fatigue.", beyond) == told("Acute bronchitis.", beyond) == []
    assert told("Combat fatigue.", beyond, known=(Find("ICD10", "F43.9", 0, 14, PHRASE),)) == []
    assert told("Combat fatigue.", beyond, known=(Find("ICD10", "R53.83", 7, 14, PHRASE),)) == ["F43.0"]
    assert [*outside("Combat fatigue.", beyond, (), [], {("ICD10", "F43.0")}, book())] == []
    assert told("Upper abdominal pain", beyond) == ["R10.10"]
    assert told("Upper abdominal pain", beyond, "R10.11") == ["R10.10"]  # "upper" is in its title, "abdominal" is not
    assert told("Ovarian cyst.", beyond) == ["N83.209"] and told("Ovarian cyst.", beyond, "N83.201") == []


@pytest.mark.parametrize(
    ("text", "answered", "code"),
    [
        ("Chronic respiratory failure with hypoxia.", "J96.21", "J96.11"),
        ("Acute systolic heart failure.", "I50.23", "I50.21"),
        ("Chronic kidney disease stage 5.", "N18.4", "N18.5"),
        ("20 weeks gestation of pregnancy", "Z3A.39", "Z3A.20"),
    ],
)
def test_the_nearest_code_of_the_category_does_not_silence_it(text: str, answered: str, code: str, beyond: LookUp) -> None:
    assert told(text, beyond, answered) == [code]


def test_a_code_that_is_not_in_force_on_the_day_is_not_told(beyond: LookUp) -> None:
    day = date(2026, 11, 30)
    ended = [(name, pair) for name, pair in beyond.wordings.items() if not book().valid_on(*pair, day)]
    assert ended
    for name, pair in ended[:3]:
        findings = outside(name, beyond, (), [], {}, book(), day)
        assert pair[1] not in [finding.codes[0] for finding in findings]


def test_only_billable_codes_out_of_scope_are_looked_for(beyond: LookUp) -> None:
    scope = {(entry.code_type, entry.code) for entry in book().scope}
    entries = {pair: book().find(*pair) for pair in beyond.wordings.values()}
    assert len(entries) > 10_000 and not scope & entries.keys()
    assert all(entry is not None and entry.billable for entry in entries.values())
    assert all(2 <= len(name.split(" ")) <= 8 and name not in KNOWN for name in beyond.wordings)


def test_it_is_written_and_read_and_missing_said(tmp_path: Path, beyond: LookUp) -> None:
    with pytest.raises(UserError, match="dvc repro calibrate"):
        load(tmp_path)
    save(beyond.wordings, tmp_path)
    assert load(tmp_path).wordings == beyond.wordings


def test_an_answer_to_a_note_that_also_tells_of_something_else_goes_to_review() -> None:
    whole = Coder.load(taught(), book(), calibrated())
    plain, more, other = whole.code(["Dx acute bronchitis.", "Dx acute bronchitis. Combat fatigue.", "Combat fatigue."])
    assert plain.status == CODED and not plain.findings
    assert more.status == REVIEW and [finding.codes for finding in more.findings] == [("F43.0",)]
    assert other.findings and (other.status in (NONE, REVIEW))
    (procedures,) = whole.code(["Dx acute bronchitis. Combat fatigue."], code_type="HCPCS")
    assert not procedures.findings  # diagnoses were not asked for


def test_a_finding_in_one_window_sends_the_codes_of_another_to_review() -> None:
    finding = Finding("outside_code_set", "warning", ("F43.0",), "`combat fatigue` is F43.0", "table")
    again = finding._replace(text="`Combat fatigue` is F43.0")
    item = CodedItem("ICD10", "I10", "Hypertension", 0.9, ())
    parts = [
        Prediction(CODED, (item,), 0.9, None, (), (), "", 1),
        Prediction(NONE, (), 0.9, None, (), (finding,), "", 1),
        Prediction(NONE, (), 0.9, None, (), (again,), "", 1),
    ]
    whole = merge(parts, 5)
    assert whole.status == REVIEW and len(whole.findings) == 1
    assert merge(parts[1:], 5).status == NONE


LABELS = [*(("ICD10", code) for code in ("I10", "I12.9", "N18.32", "N18.9", "J44.9", "J44.1", "E11.9")), NO_CODE]


def decision(*codes: str, sure: float = 0.9) -> Decision:
    numbers = [LABELS.index(("ICD10", code)) for code in codes]
    rising = [sure - 0.1 * place for place in range(len(numbers))]
    return Decision(numbers, rising, min(rising), np.zeros(len(LABELS)))


def settled(*codes: str, finds: tuple[Find, ...] = ()) -> list[str]:
    return [LABELS[number][1] for number in settle(decision(*codes), finds, LABELS, book()).numbers]


def test_a_combination_code_stands_where_its_part_stood_and_is_no_surer_than_any() -> None:
    found = settle(decision("I10", "N18.32"), [Find("ICD10", "I10", 3, 6, PHRASE)], LABELS, book())
    assert [LABELS[number][1] for number in found.numbers] == ["I12.9", "N18.32"]
    assert found.sure == [0.8, 0.8] and found.confidence == 0.8
    assert found.pieces[found.numbers[0]] == (3, 6)  # read where hypertension was
    assert settled("J44.1", "N18.32", "I10") == ["J44.1", "I12.9", "N18.32"]  # before what it is reported with
    assert settled("N18.32", "I12.9", "I10") == ["I12.9", "N18.32"]  # once
    told = edits(book(), [("ICD10", code) for code in settled("N18.32", "I10")])
    assert "code_first_order" not in [finding.rule_id for finding in told]


def test_general_codes_go_and_others_stay() -> None:
    assert settled("J44.9", "I10", "J44.1") == ["I10", "J44.1"]
    assert settled("N18.9", "I10", "N18.32") == ["I12.9", "N18.32"]
    assert settled("E11.9", "N18.32") == ["E11.9", "N18.32"]  # E11.22 is not in this code set
    same = decision("I10", "J44.1")
    assert settle(same, (), LABELS, book()) is same
