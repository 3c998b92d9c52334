"""The words that decide between neighbours: what a text states, and what that says of each title."""

from __future__ import annotations

import re

import numpy as np
import pytest
from codes_tables import book
from hypothesis import given
from hypothesis import strategies as st

from thce.coder import calibrate
from thce.coder.decide import decide, weigh
from thce.coder.deciding import AGREE, CONFLICT, DECIDING, SILENT, scores, stated
from thce.coder.decode import Line
from thce.coder.fusion import EMPTY, MODEL, NAMED, UNNAMED, Fusion, ground
from thce.coder.lookup import NOTHING, PHRASE, LookUp, numbers
from thce.coder.trie import NO_CODE, Labels
from thce.reasoning.values import VALUES
from thce.reasoning.words import asserted

pytestmark = pytest.mark.unit

RIGHT, LEFT, FAILURE, PLAIN = ("ICD10", "G56.01"), ("ICD10", "G56.02"), ("ICD10", "I50.22"), ("ICD10", "I10")
LABELS = (RIGHT, LEFT, FAILURE, PLAIN, NO_CODE)


def told(text: str) -> dict[str, dict[tuple[str, str], float]]:
    found = scores(stated(text), LABELS, book())
    assert tuple(found) == DECIDING
    return {name: dict(zip(LABELS, values.tolist(), strict=True)) for name, values in found.items()}


def test_a_stated_side_speaks_for_the_code_of_that_side_and_against_the_other() -> None:
    found = told("Numb thumb at night, left hand.")
    assert found[AGREE][LEFT] - found[AGREE][RIGHT] == 1
    assert found[CONFLICT][RIGHT] - found[CONFLICT][LEFT] == -1
    assert found[SILENT][LEFT] == found[SILENT][RIGHT]


def test_what_is_not_stated_counts_as_silent_only() -> None:
    found = told("Numb thumb at night.")
    assert found[SILENT][LEFT] == found[SILENT][RIGHT] < 0
    assert all(found[name][label] == 0 for name in (AGREE, CONFLICT) for label in LABELS)


def test_every_facet_of_a_title_agrees_is_silent_or_conflicts() -> None:
    title = book().find(*FAILURE)
    assert title is not None
    facets = {value.facet for value in VALUES if value.title.search(title.title)}
    assert {"course", "failure"} <= facets
    for text in ("Chronic systolic failure.", "Acute diastolic failure.", "Weak pump.", ""):
        found = told(text)
        assert found[AGREE][FAILURE] - found[SILENT][FAILURE] - found[CONFLICT][FAILURE] == len(facets)
    assert told("Chronic systolic failure.")[AGREE][FAILURE] == len(facets)


def test_titles_without_a_facet_and_no_code_are_left_alone() -> None:
    found = told("Left, chronic, systolic, stage 3.")
    assert all(found[name][label] == 0 for name in DECIDING for label in (PLAIN, NO_CODE))


def test_what_is_denied_is_not_stated() -> None:
    assert stated("Left wrist.").any()
    assert not stated("Denies pain of the left wrist.").any()


def test_the_decision_hears_the_deciding_word_where_the_model_is_torn() -> None:
    finds = LookUp({}, {PHRASE: 0.9, NOTHING: 0.1}).find("Numb thumb at night, left hand.", book())
    line = Line(0, np.log(np.array([0.4, 0.39, 0.1, 0.1, 0.01])), 1.0, 0.0)
    deaf, hears = Fusion({MODEL: 1.0}, 0.0, (), 0.0), Fusion({MODEL: 1.0, AGREE: 1.0, CONFLICT: 1.0}, 0.0, (), 0.0)
    assert decide(weigh(line.scores, {}, finds, LABELS, deaf, {}), [line], LABELS, deaf, 5).numbers == [0]
    assert decide(weigh(line.scores, {}, finds, LABELS, hears, {}), [line], LABELS, hears, 5).numbers == [1]


def test_the_places_of_the_labels_of_a_code_set_are_made_once() -> None:
    labels = Labels(LABELS)
    assert numbers(labels) is numbers(labels) and numbers(labels) == numbers(LABELS) and numbers(labels)[PLAIN] == 3
    assert labels == LABELS and hash(labels) == hash(LABELS)


CUES = [word for value in VALUES for word in re.findall(r"[A-Za-z0-9/'-]+", value.cue.pattern)]


@given(st.lists(st.one_of(st.sampled_from(CUES), st.text(max_size=8)), max_size=12).map(" ".join))
def test_searching_once_for_all_cues_finds_what_searching_for_each_does(text: str) -> None:
    heard = asserted(text)
    assert stated(text).tolist() == [value.cue.search(heard) is not None for value in VALUES]


def test_a_row_is_scored_with_the_trust_of_other_rows() -> None:
    """One fold's phrases are all wrong: its own rows must not know, all others must."""
    look_up = LookUp({"carpal tunnel": RIGHT}, {})
    count = 10 * calibrate.FOLDS
    finds = [look_up.find("Carpal tunnel.", book()) for _ in range(count)]
    truth = [[PLAIN] if row % calibrate.FOLDS == 0 else [RIGHT] for row in range(count)]
    share = np.exp(calibrate.crossed_lookup(finds, truth, LABELS))[:, 0]
    assert np.allclose(np.exp(calibrate.crossed_lookup(finds, truth, LABELS)).sum(axis=1), 1)
    assert share[0] > 0.95 and share[1:5].max() < 0.8  # 41 of 42; 31 of 42 and its share of the rest


def test_confidence_is_read_off_the_curve_of_the_ground() -> None:
    """Named answers are always right, the others half the time, at the same fused probability."""
    count, size = 400, 4
    gold = [[0] if row % 2 or row < count // 2 else [1] for row in range(count)]
    names = np.zeros((count, size), bool)
    names[: count // 2, 0] = True
    rng = np.random.default_rng(0)
    scores = np.log(np.full((count, size), 0.1)) + rng.normal(0, 0.01, (count, size))
    scores[:, 0] = np.log(0.7)
    order = rng.permutation(count)
    fitted = calibrate.fit_mode({MODEL: scores[order]}, [gold[row] for row in order], 0.95, names[order])
    assert fitted.metrics["calibration"]["curves"] == "grounds"
    assert fitted.fusion.confidence(0.7, NAMED) > 0.95 > 0.6 > fitted.fusion.confidence(0.7, UNNAMED) > 0.4
    assert fitted.metrics["by_ground"][NAMED]["coverage"] == 1 and fitted.metrics["by_ground"][UNNAMED]["coverage"] < 0.2
    assert ground(0, size, True) == NAMED and ground(0, size, False) == UNNAMED and ground(size - 1, size, False) == EMPTY
