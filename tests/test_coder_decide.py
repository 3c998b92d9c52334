"""The decision: one distribution from all sources, and what stands beside its winner."""

from __future__ import annotations

import numpy as np
import pytest

from thce.coder.decide import Decision, decide, weigh
from thce.coder.decode import Line
from thce.coder.fusion import LOOKUP, MODEL, PRIOR, Fusion
from thce.coder.lookup import ALONE, BESIDE, DENIED, PHRASE, Find
from thce.coder.trie import NO_CODE

pytestmark = pytest.mark.unit

LABELS = [("ICD10", "A01"), ("ICD10", "B01"), ("ICD10", "C01"), ("CPT", "99213"), NO_CODE]
TRUST = {PHRASE: 0.95, BESIDE: 0.8, ALONE: 0.4, DENIED: 0.6, "nothing": 0.1}
MODE = Fusion({MODEL: 1.0, PRIOR: 1.0, LOOKUP: 1.0}, 0.0, ((0.0, 0.0), (1.0, 0.9)), 0.5)


def lean(number: int, share: float = 0.96) -> np.ndarray:
    """A distribution with most of its mass on one label."""
    row = np.full(len(LABELS), (1 - share) / (len(LABELS) - 1))
    row[number] = share
    return np.log(row)


def line(number: int, scores: np.ndarray | None = None, reached: float = 1.0) -> Line:
    return Line(number, lean(number) if scores is None else scores, reached, 0.0)


def find(number: int, kind: str, start: int = 0) -> Find:
    return Find(*LABELS[number], start, start + 5, kind)


def decided(lines: list[Line], finds: list[Find], most: int = 5, **sources: np.ndarray) -> Decision:
    return decide(weigh(lines[0].scores, sources, finds, LABELS, MODE, TRUST), lines, LABELS, MODE, most)


def test_the_sources_together_name_the_winner_and_its_confidence_is_read_off_the_curve() -> None:
    found = decided([line(0, lean(0, 0.5))], [], prior=lean(1))
    share = float(np.exp(found.fused[1]))
    assert found.numbers == [1] and found.confidence == found.sure[0] == pytest.approx(0.9 * share)


def test_no_code_is_an_answer_without_codes() -> None:
    found = decided([line(4)], [find(1, DENIED)], prior=lean(4))
    assert found.numbers == [] and found.sure == [] and found.confidence > 0.85


def test_trusted_wordings_beside_the_winner_are_answered_in_the_order_of_the_text() -> None:
    found = decided([line(1)], [find(2, PHRASE), find(1, PHRASE, 9), find(3, BESIDE, 20), find(0, ALONE, 30)], prior=lean(1))
    assert found.numbers == [2, 1, 3]
    assert found.sure[0] == 0.95 and found.sure[2] == 0.8 and found.confidence == min(found.sure)


def test_wordings_that_are_denied_or_not_trusted_add_nothing() -> None:
    assert decided([line(1)], [find(2, DENIED), find(3, ALONE)]).numbers == [1]


def test_a_winner_that_no_wording_names_stands_beside_those_that_are_all_but_certain() -> None:
    assert decided([line(1), line(0)], [find(2, PHRASE)], prior=lean(1), lookup=lean(1)).numbers == [1, 2]
    assert decided([line(1), line(0)], [find(2, BESIDE)], prior=lean(1), lookup=lean(1)).numbers == [1]


def test_a_certain_wording_that_is_akin_to_the_winner_is_not_answered_beside_it() -> None:
    labels = [("ICD10", "I48.19"), ("ICD10", "I48.91"), *LABELS[2:]]
    finds = [Find("ICD10", "I48.91", 0, 5, PHRASE)]
    sure = lean(0, 0.999)
    weighed = weigh(sure, {"prior": sure}, finds, labels, MODE, TRUST)
    assert decide(weighed, [line(0, sure)], labels, MODE, 5).numbers == [0]


def test_without_wordings_the_models_further_lines_follow_where_likely() -> None:
    unlikely = line(2, reached=0.4)
    assert decided([line(1), line(0), unlikely], []).numbers == [1, 0]
    assert decided([line(1), line(0, lean(3))], []).numbers == [1]


def test_a_code_stands_once_and_no_more_codes_than_allowed() -> None:
    assert decided([line(1), line(0), line(1)], []).numbers == [1, 0]
    assert decided([line(1)], [find(1, PHRASE), find(1, PHRASE, 9), find(2, PHRASE, 20)]).numbers == [1, 2]
    assert decided([line(1), line(0)], [], most=1).numbers == [1]
