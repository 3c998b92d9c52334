"""The verifier, case by case: what it accepts, what it refuses and which part of the verdict says so."""

from __future__ import annotations

import time

import pytest
from codes_tables import book
from hypothesis import given, settings
from hypothesis import strategies as st
from reasoning_cases import BAD, GOOD
from reasoning_texts import (
    C_J20,
    COLD,
    I10,
    IN_I10,
    IN_J20,
    IN_M17,
    J20,
    K21,
    KNEE,
    M17,
    NO_PAIN,
    OUT,
    Q_COLD,
    Q_KNEE,
    text,
)

from thce.answers import NONE_ANSWER
from thce.reasoning import PARTS, verify
from thce.reasoning.verify import NOT_CHECKABLE, TOKENS_FIRST, UNSUPPORTED, count_tokens

pytestmark = pytest.mark.unit


def test_the_table_is_long_enough() -> None:
    assert len(GOOD) + len(BAD) >= 80
    assert len({name for name, *_ in GOOD}) == len(GOOD)
    assert len({name for name, *_ in BAD}) == len(BAD)


@pytest.mark.parametrize(("narrative", "completion"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD])
def test_true_traces_are_faithful(narrative: str, completion: str) -> None:
    verdict = verify(narrative, completion, book())
    assert [claim for claim in verdict.claims if claim.status == UNSUPPORTED] == []
    assert verdict.faithful, dict(zip(PARTS, verdict.parts, strict=True))
    assert verdict.score == 1.0


@pytest.mark.parametrize(("narrative", "completion", "parts"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_false_traces_are_not(narrative: str, completion: str, parts: str) -> None:
    verdict = verify(narrative, completion, book())
    failed = {part for part, holds in zip(PARTS, verdict.parts, strict=True) if not holds}
    assert not verdict.faithful
    assert verdict.score < 1.0
    assert set(parts.split()) <= failed, failed
    if "length" not in parts:
        assert "length" not in failed or not completion


def test_every_unsupported_claim_has_its_reason() -> None:
    for _, narrative, completion, _ in BAD:
        for claim in verify(narrative, completion, book()).claims:
            assert bool(claim.reason) == (claim.status in (UNSUPPORTED, NOT_CHECKABLE))


def test_what_only_a_reader_can_tell_is_marked_so() -> None:
    verdict = verify(OUT, text(NONE_ANSWER, 'Outside the code set: "celiac disease"', "Code: none"), book())
    assert [claim.status for claim in verdict.claims] == [NOT_CHECKABLE, "supported"]


def test_a_wrong_code_can_be_argued_faithfully() -> None:
    """Correctness is scored apart: the verifier does not know the gold code."""
    wrong = "ICD10: J40 (Bronchitis, not specified as acute or chronic)"
    place = "Block: J40-J4A Chronic lower respiratory diseases"
    assert verify(COLD, text(wrong, Q_COLD, place, "Code: J40"), book()).faithful


def test_an_item_of_a_list_does_not_deny_the_next() -> None:
    narrative = "Dx: reflux without esophagitis and high blood pressure."
    codes = f"{K21}\n{I10}"
    place = "Category: K21 Gastro-esophageal reflux disease"
    first = ('Stated: "reflux without esophagitis"', place, "Code: K21.9")
    assert verify(narrative, text(codes, *first, 'Stated: "high blood pressure"', IN_I10, "Code: I10"), book()).faithful


def test_tokens_are_words_and_punctuation() -> None:
    assert count_tokens('- Code: "J20.9"') == 8
    assert TOKENS_FIRST == 90


@given(st.text(max_size=400), st.text(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_text_gets_a_verdict(narrative: str, completion: str) -> None:
    assert not verify(narrative, completion, book()).faithful


TRUE = (Q_COLD, IN_J20, C_J20, Q_KNEE, IN_M17, J20, M17, NONE_ANSWER, "Code: M17.11", "Code: none")
ODD = ("\n", "- ", "<think>", "</think>", 'Denied: "x"', "Decides: no organism named", '"', "(", "\u2028", "\x00", " ")
PIECES = st.sampled_from((*TRUE, *ODD))


@given(st.lists(PIECES, max_size=25), st.sampled_from([COLD, KNEE, NO_PAIN, ""]))
@settings(max_examples=150, deadline=None)
def test_any_mixture_of_true_pieces_gets_a_verdict(pieces: list[str], narrative: str) -> None:
    verdict = verify(narrative, "".join(pieces), book())
    assert 0.0 <= verdict.score <= 1.0
    assert verdict.faithful == all(verdict.parts)


@pytest.mark.parametrize(
    "completion",
    [
        "<think>\n" + "- " * 30_000 + "\n</think>\n" + J20,
        "<think>\n" + '- Documented: "' + "a" * 90_000 + '"\n</think>\n' + J20,
        "<think>\n" + "- x\n" * 20_000 + "</think>\n" + J20,
        "<think>\n- Decides: no " + "is named " * 9_000 + "\n</think>\n" + J20,
        '<think>\n- Decides: "' + '" means "' * 9_000 + "\n</think>\n" + J20,
        "<think>" * 12_000 + "</think>" + J20,
        "x" * 5_000_000,
    ],
    ids=["blanks", "long quote", "many lines", "many endings", "many quotes", "many tags", "huge"],
)
def test_hostile_texts_take_linear_time(completion: str) -> None:
    start = time.perf_counter()
    assert not verify("a" * 90_000, completion, book()).faithful
    assert time.perf_counter() - start < 2.0
