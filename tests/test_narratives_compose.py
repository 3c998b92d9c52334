"""Sentences, joints, case and typing slips: the place of the evidence is exact whatever happens to the text."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thce.narratives import compose
from thce.narratives.compose import Sentence, Style, join, raised, slip, style, who
from thce.narratives.wording import slot, wording

pytestmark = pytest.mark.unit

ALWAYS = Style(abbreviation=1, lower=0.3, upper=0.3, typo=1, span_typo=1)


def test_a_full_stop_is_set_only_between_sentences() -> None:
    joined = join([Sentence("#1 gout", ((3, 7, 0),)), Sentence("Reviewed today.")])
    assert joined.text == "#1 gout. Reviewed today."
    assert join([Sentence("Should I come in?"), Sentence("Thank you")]).text == "Should I come in? Thank you"


def test_the_first_letter_is_raised_unless_the_word_has_a_form_of_its_own() -> None:
    assert raised("gout flare") == "Gout flare"
    assert raised("eGFR of 40") == "eGFR of 40"
    assert raised("s/p stent") == "s/p stent"
    assert raised("54-year-old man") == "54-year-old man"


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.text(max_size=30), st.text(min_size=1, max_size=30)), min_size=1, max_size=4),
    st.integers(0, 2**32),
)
def test_offsets_survive_joining_case_and_slips(pieces: list[tuple[str, str]], seed: int) -> None:
    sentences = [
        Sentence(f"{before} {mark}", ((len(before) + 1, len(before) + 1 + len(mark), n),))
        for n, (before, mark) in enumerate(pieces)
    ]
    joined = join(sentences)
    styled = style(joined, Random(seed), ALWAYS, frozenset())
    assert len(styled.spans) == len(pieces)
    for (start, end, number), (_, mark) in zip(styled.spans, pieces, strict=True):
        found = styled.text[start:end]
        assert 0 <= start < end <= len(styled.text)
        # at most one slip: a letter more, a letter less, or two swapped
        assert abs(len(found) - len(mark)) <= 1, number
        if found.casefold() != mark.casefold():
            assert found[:1].casefold() == mark[:1].casefold()


def test_a_word_that_decides_is_never_misspelled_inside_the_evidence() -> None:
    sentence = Sentence("Dx: bilateral cataract", ((4, 22, 0),))
    seen = {style(sentence, Random(n), Style(0, 0, 0, 0, 1), {"bilateral"}).text for n in range(60)}
    assert len(seen) > 3
    assert all("bilateral" in text for text in seen)


def test_a_cue_outside_the_evidence_is_never_misspelled() -> None:
    sentence = Sentence("Patient denies palpable swelling.")
    seen = {style(sentence, Random(n), Style(0, 0, 0, 1, 0), ()).text for n in range(80)}
    assert len(seen) > 5 and all("denies" in text for text in seen)


@settings(max_examples=200, deadline=None)
@given(st.from_regex(r"[a-z]{6,14}", fullmatch=True), st.integers(0, 2**32))
def test_a_slip_keeps_the_ends_of_a_word(word: str, seed: int) -> None:
    changed = slip(word, Random(seed))
    assert changed[0] == word[0] and changed[-1] == word[-1]
    assert abs(len(changed) - len(word)) <= 1


def test_vital_signs_are_normal() -> None:
    rng = Random(1)
    for _ in range(300):
        high, low = map(int, compose._FILL["bp"](rng).split("/"))
        assert 100 <= high < 130 and 60 <= low < 80
        assert 60 <= int(compose._FILL["hr"](rng)) <= 90
        assert 97 <= float(compose._FILL["temp"](rng)) < 99


@pytest.mark.parametrize(
    ("pair", "phrase", "allowed"),
    [
        (("ICD10", "O48.0"), "late-term pregnancy", {"F"}),
        (("ICD10", "N40.1"), "enlarged gland with weak stream", {"M"}),
        (("ICD10", "J20.9"), "acute tracheobronchitis", {"F", "M"}),
    ],
)
def test_persons_fit_the_code(pair: tuple[str, str], phrase: str, allowed: set[str]) -> None:
    item = wording(*pair, "synonym", phrase)
    sexes = set()
    for seed in range(200):
        text = who(Random(seed), item)
        if text[0].isdigit():
            sexes.add("F" if any(mark in text for mark in ("woman", "female", "lady", "F")) else "M")
    assert sexes == allowed


def test_a_phrase_that_names_a_person_gets_no_second_one() -> None:
    item = wording("ICD10", "Z01.419", "finding", "asymptomatic woman, routine pelvic examination")
    assert {who(Random(seed), item) for seed in range(50)} == {"patient", "pt"}


@pytest.mark.parametrize(
    ("code_type", "code", "expected"),
    [
        ("ICD10", "J20.9", "problem"),
        ("ICD10", "S52.501A", "injury"),
        ("ICD10", "W19.XXXA", "external"),
        ("ICD10", "Z00.00", "visit"),
        ("ICD10", "Z79.01", "status"),
        ("ICD10", "Z3A.39", "obstetric"),
        ("ICD10", "Z38.00", "newborn"),
        ("CPT", "80053", "test"),
        ("CPT", "71046", "test"),
        ("CPT", "45385", "procedure"),
        ("CPT", "99213", "service"),
        ("CPT", "90686", "drug"),
        ("HCPCS", "E0130", "supply"),
        ("HCPCS", "J1885", "drug"),
        ("HCPCS", "A0429", "transport"),
        ("HCPCS", "P9603", "transport"),
        ("HCPCS", "T1019", "service"),
    ],
)
def test_codes_stand_in_the_sentences_meant_for_them(code_type: str, code: str, expected: str) -> None:
    assert slot(code_type, code) == expected
