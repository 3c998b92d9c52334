"""Known wordings in other forms: qualifiers behind a comma, abbreviated words."""

from __future__ import annotations

import pytest
from codes_tables import book

from thce.coder.forms import abbreviated, inversions, spelled
from thce.coder.lookup import DENIED, PHRASE, LookUp
from thce.narratives.phrasebook import WORD

pytestmark = pytest.mark.unit

KNOWN = {
    "atrial fibrillation": ("ICD10", "I48.91"),
    "persistent atrial fibrillation": ("ICD10", "I48.19"),
    "left knee pain": ("ICD10", "M25.562"),
    "knee pain": ("ICD10", "M25.569"),
    "chest pain": ("ICD10", "R07.9"),
    "history of asthma": ("ICD10", "Z87.09"),
    "mod copd": ("ICD10", "J44.9"),
    "moderate copd": ("ICD10", "J44.1"),
    "acute otitis media left ear": ("ICD10", "H66.92"),
}


def said(text: str) -> list[tuple[str, str]]:
    """Codes and words of what a look-up of `KNOWN` finds."""
    return [(find.code, text[find.start : find.end]) for find in LookUp(KNOWN, {PHRASE: 0.9}).find(text, book())]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Atrial fibrillation, persistent.", [("I48.19", "Atrial fibrillation, persistent")]),
        ("Dx: atrial fibrillation, persistent, on Eliquis.", [("I48.19", "atrial fibrillation, persistent")]),
        ("Pain, knee, left. Seen today.", [("M25.562", "Pain, knee, left")]),
        ("Knee pain, left", [("M25.562", "Knee pain, left")]),
        ("Otitis media, acute, left ear", [("H66.92", "Otitis media, acute, left ear")]),
        ("hx of asthma", [("Z87.09", "hx of asthma")]),
        ("L knee pain", [("M25.562", "L knee pain")]),
        ("Knee pain, L.", [("M25.562", "Knee pain, L")]),
    ],
)
def test_a_wording_is_known_in_other_forms(text: str, found: list[tuple[str, str]]) -> None:
    assert said(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "Pain, chest clear.",  # the qualifier does not end there
        "Pain; chest.",
        "Pain. Chest.",
        "No pain on exam, left chest wall normal.",
    ],
)
def test_words_that_only_stand_near_each_other_are_not_turned_round(text: str) -> None:
    assert said(text) == []


def test_a_list_of_two_wordings_is_not_one_turned_round() -> None:
    known = {
        "htn ckd 2": ("ICD10", "I12.9"),
        "ckd 2": ("ICD10", "N18.2"),
        "htn": ("ICD10", "I10"),
        "diabetic neuropathy": ("ICD10", "E11.40"),
        "neuropathy": ("ICD10", "G62.9"),
        "diabetic": ("ICD10", "E11.9"),
    }
    lookup = LookUp(known, {})
    assert [find.code for find in lookup.find("CKD 2, HTN.", book())] == ["N18.2", "I10"]
    assert [find.code for find in lookup.find("HTN CKD 2.", book())] == ["I12.9"]
    assert [find.code for find in lookup.find("Neuropathy, diabetic.", book())] == ["E11.40"]  # an adjective qualifies


def test_a_line_break_parts_and_a_bracket_is_no_qualifier() -> None:
    assert said("Atrial fibrillation,\npersistent.") == [("I48.91", "Atrial fibrillation")]
    assert said("Pain, knee, (left).") == [("M25.569", "Pain, knee")]


def test_a_wording_as_it_is_goes_before_what_abbreviations_would_make_of_it() -> None:
    assert said("mod copd") == [("J44.9", "mod copd")]
    assert said("moderate copd") == [("J44.1", "moderate copd")]


def test_an_abbreviation_that_could_be_two_codes_names_none() -> None:
    two = {"sev copd exac": ("ICD10", "J44.9"), "severe copd exac": ("ICD10", "J44.1")}
    assert not LookUp(two, {}).find("severe copd exacerbation", book())


def test_what_is_turned_round_can_be_denied() -> None:
    (find,) = LookUp(KNOWN, {PHRASE: 0.9}).find("No atrial fibrillation, persistent.", book())
    assert find.kind == DENIED


def test_abbreviations_are_written_out_word_by_word() -> None:
    assert spelled("r wrist fx w/o surgery") == "right wrist fracture without surgery"
    assert abbreviated(["wrist fx", "wrist fracture"]) == ["wrist fx"]


def test_the_work_grows_with_the_number_of_commas_not_with_its_square() -> None:
    text = "pain, left, " * 400
    words = [(match[0].casefold(), *match.span()) for match in WORD.finditer(text)]
    assert len(list(inversions(text, words, 15))) < 40 * len(words)
