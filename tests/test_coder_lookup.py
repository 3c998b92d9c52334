"""Known wordings: what a text names outright, what it denies, and how far that is trusted."""

from __future__ import annotations

import numpy as np
import pytest
from codes_tables import book

from thce.coder.lookup import ALONE, BESIDE, DENIED, NOTHING, PHRASE, Find, LookUp, gather, measure
from thce.coder.trie import NO_CODE
from thce.errors import UserError

pytestmark = pytest.mark.unit

BRONCHITIS, PNEUMONIA, COUGH, FEVER = ("ICD10", "J20.9"), ("ICD10", "J18.9"), ("ICD10", "R05.9"), ("ICD10", "R50.9")
DIABETES, PRESSURE, WALKER = ("ICD10", "E11.9"), ("ICD10", "I10"), ("HCPCS", "E0130")
WORDINGS = gather(
    [
        ("acute bronchitis", BRONCHITIS),
        ("bronchitis", BRONCHITIS),
        ("Acute bronchitis, unspecified", BRONCHITIS),
        ("lobe infiltrate", PNEUMONIA),
        ("cough", COUGH),
        ("fever", FEVER),
        ("type 2 diabetes", DIABETES),
        ("hypertension", PRESSURE),
        ("rigid walker", WALKER),
        ("HT", PRESSURE),
    ]
)
TRUST = {PHRASE: 0.9, BESIDE: 0.8, ALONE: 0.4, DENIED: 0.6, NOTHING: 0.2}
LOOKUP = LookUp(WORDINGS, TRUST)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Seen for acute bronchitis.", [("J20.9", "acute bronchitis", PHRASE)]),
        ("SEEN FOR ACUTE   BRONCHITIS", [("J20.9", "ACUTE   BRONCHITIS", PHRASE)]),
        ("Acute bronchitis, unspecified.", [("J20.9", "Acute bronchitis, unspecified", PHRASE)]),
        ("Hypertension.", [("I10", "Hypertension", ALONE)]),
        ("Hypertension and type 2 diabetes.", [("I10", "Hypertension", BESIDE), ("E11.9", "type 2 diabetes", PHRASE)]),
        ("Hypertension, hypertension.", [("I10", "Hypertension", ALONE), ("I10", "hypertension", ALONE)]),
        ("Denies cough. Rigid walker ordered.", [("R05.9", "cough", DENIED), ("E0130", "Rigid walker", PHRASE)]),
        ("Mother has hypertension.", [("I10", "hypertension", DENIED)]),
        ("Bronchitis was ruled out.", [("J20.9", "Bronchitis", DENIED)]),
        ("Possible bronchitis; cough.", [("J20.9", "bronchitis", DENIED), ("R05.9", "cough", ALONE)]),
        ("Acute bronchitis with cough and fever.", [("J20.9", "Acute bronchitis", PHRASE)]),
        ("Coughing and bronchitisy.", []),
        ("", []),
        ("HT.", []),  # two letters say too little
    ],
)
def test_what_a_text_names(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(find.code, text[find.start : find.end], find.kind) for find in LOOKUP.find(text, book())] == expected


def test_a_symptom_joined_to_its_disease_is_left_out_and_one_apart_is_not() -> None:
    """Guidelines I.B.5: signs that belong to a disease are not coded beside it."""
    assert [find.code for find in LOOKUP.find("Acute bronchitis with cough.", book())] == ["J20.9"]
    assert [find.code for find in LOOKUP.find("Acute bronchitis. Cough.", book())] == ["J20.9", "R05.9"]
    assert [find.code for find in LOOKUP.find("No bronchitis, but cough.", book())] == ["J20.9", "R05.9"]


def test_a_shared_wording_stands_for_its_most_frequent_code() -> None:
    shared = [("pills", PRESSURE), ("Pills", DIABETES), ("PILLS", DIABETES), ("HT", PRESSURE)]
    assert gather(shared) == {"pills": DIABETES}


def test_trust_is_the_share_of_right_codes_with_one_case_of_each_outcome_added() -> None:
    def find(pair: tuple[str, str], kind: str) -> Find:
        return Find(*pair, 0, 1, kind)

    finds = [
        [find(PRESSURE, PHRASE)],
        [find(PRESSURE, PHRASE), find(COUGH, BESIDE)],
        [find(COUGH, ALONE)],
        [find(COUGH, DENIED)],
        [],
        [],
    ]
    gold = [[PRESSURE], [PRESSURE], [DIABETES], [], [], [WALKER]]
    assert measure(finds, gold) == {PHRASE: 3 / 4, BESIDE: 1 / 3, ALONE: 1 / 3, DENIED: 2 / 3, NOTHING: 2 / 4}


def test_scores_are_a_distribution_with_the_trust_on_what_was_found() -> None:
    labels = [BRONCHITIS, COUGH, DIABETES, PRESSURE, NO_CODE]

    def share(text: str) -> np.ndarray:
        scores = np.exp(LOOKUP.scores(LOOKUP.find(text, book()), labels))
        assert scores.sum() == pytest.approx(1)
        return scores

    assert share("Type 2 diabetes.")[2] == pytest.approx(0.9 + 0.1 / 5)
    two = share("Type 2 diabetes, hypertension.")
    assert two[2] == pytest.approx(0.9 * 0.9 / 1.7 + 0.1 / 5) and two[3] == pytest.approx(0.9 * 0.8 / 1.7 + 0.1 / 5)
    assert share("Denies cough.")[4] == pytest.approx(0.6 + 0.4 / 5)
    assert share("Nothing of note.")[4] == pytest.approx(0.2 + 0.8 / 5)
    assert share("Rigid walker.")[4] == pytest.approx(0.2 + 0.8 / 5)  # its code is not among the labels


def test_it_is_stored_and_read_back(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    LOOKUP.save(folder)
    again = LookUp.load(folder)
    assert again.wordings == LOOKUP.wordings and again.trust == TRUST
    with pytest.raises(UserError, match="calibrate"):
        LookUp.load(folder / "nowhere")
