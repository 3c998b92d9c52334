"""The coder as a user meets it: status, codes, evidence, alternatives; long notes, dates, code types."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache

import pytest
import torch
from coder_models import calibrated, rows, taught, untaught
from codes_tables import book
from hypothesis import given, settings
from hypothesis import strategies as st

from thce.answers import parse
from thce.coder import fusion
from thce.coder.coder import Coder, Options
from thce.coder.prediction import CODED, NONE, REVIEW, CodedItem, Prediction, merge
from thce.coder.several import MEASURES, Several
from thce.coder.windows import windows
from thce.errors import UserError
from thce.reasoning.verify import verify

pytestmark = pytest.mark.unit

NOTES = [row[1]["content"] for row in rows(True)]


@cache
def coder(fitted: bool = True) -> Coder:
    torch.set_num_threads(1)
    if fitted:
        return Coder.load(taught(), book(), calibrated())
    return Coder.load(untaught(), book(), options=Options(max_reasoning=40, max_codes=3))


def names(prediction: Prediction) -> list[str]:
    return [item.code for item in prediction.codes]


def test_known_problems_are_coded_with_the_words_that_say_so() -> None:
    note = "Assessment: acute bronchitis."
    (found,) = coder().code([note])
    assert names(found) == ["J20.9"] and found.status == "coded"
    item = found.codes[0]
    assert item.description == "Acute bronchitis, unspecified" and 0 < item.confidence <= 1
    assert [(span.text, span.start, span.source) for span in item.evidence] == [("acute bronchitis", 12, "trace")]
    assert found.alternatives[0][:2] == ("ICD10", "J20.9") and len(found.alternatives) == 5
    assert found.reasoning and parse(found.text).well_formed


def test_without_reasoning_the_evidence_is_the_known_wording() -> None:
    (found,) = coder().code(["Assessment: acute bronchitis."], think=False)
    assert names(found) == ["J20.9"] and found.reasoning is None
    (span,) = found.codes[0].evidence
    assert span.source == "wording" and span.text == "acute bronchitis"


def test_reasoning_changes_no_answer_and_holds() -> None:
    thought, direct = coder().code(NOTES), coder().code(NOTES, think=False)
    assert [names(one) for one in thought] == [names(one) for one in direct]
    for note, one in zip(NOTES, thought, strict=True):
        assert verify(note, one.text, book()).faithful, one.text


def test_without_prior_and_wordings_the_model_decides_and_still_gives_its_reasons() -> None:
    alone = Coder.load(taught(), book(), calibrated())
    alone.fusions = {mode: fusion.ALONE for mode in fusion.MODES}
    alone.prior = alone.lookup = None
    found = alone.code(NOTES)
    assert [one.text for one in found] and all(one.reasoning for one in found)
    answered = [(note, one) for note, one in zip(NOTES, found, strict=True) if one.status != "review"]
    assert answered and all(verify(note, one.text, book()).faithful for note, one in answered)


def test_reasoning_first_is_the_models_own() -> None:
    first = Coder.load(taught(), book(), calibrated())
    first.options = replace(first.options, reason_first=True)
    model = Coder.load(taught(), book(), options=first.options)
    assert [one.reasoning for one in first.code(NOTES[:6])] == [one.reasoning for one in model.code(NOTES[:6])]
    assert model.options.reason_first  # by itself a model has nothing else to decide with


def test_a_denied_wording_is_no_evidence() -> None:
    (found,) = coder().code(["Denies hypertension."], think=True)
    assert "I10" not in names(found) or found.status == "review"


def test_two_problems_two_codes_and_no_problem_none() -> None:
    two, none = coder().code(["Dx acute bronchitis. Dx hypertension.", "Assessment: nothing new."])
    assert names(two) == ["J20.9", "I10"]
    assert names(none) == [] and none.status in ("none", "review") and none.alternatives[0][0] == "NONE"


def test_an_unsure_answer_goes_to_review() -> None:
    cautious = Coder.load(taught(), book(), calibrated())
    cautious.fusions = {
        mode: type(part)(part.weights, part.none_bias, part.curve, 1.01) for mode, part in cautious.fusions.items()
    }
    found = cautious.code(NOTES[:3])
    assert {prediction.status for prediction in found} == {"review"}
    assert [names(one) for one in found] == [names(one) for one in coder().code(NOTES[:3])]


@pytest.mark.parametrize(("doubt", "status"), [(0.4, "review"), (0.6, "coded")])
def test_an_answer_beside_which_a_code_may_be_missing_goes_to_review(doubt: float, status: str) -> None:
    never = Several(dict.fromkeys(MEASURES, 0.0), 0.0, 1.01, 40, doubt)  # every further piece is as likely as not
    doubtful = Coder.load(taught(), book(), calibrated())
    doubtful.several = {"direct": never}
    alone, beside = doubtful.code(["Dx acute bronchitis.", "Dx acute bronchitis. Dx blood pressure walker."])
    assert alone.status == "coded"
    assert names(beside) == ["J20.9"] and beside.status == status


@pytest.mark.parametrize("think", [True, False])
def test_a_note_in_capitals_is_coded_and_its_evidence_shown_as_it_is_written(think: bool) -> None:
    shouted, told = coder().code(["DX ACUTE BRONCHITIS.", "dx acute bronchitis."], think)
    assert names(shouted) == names(told) == ["J20.9"]
    assert shouted.codes[0].confidence == told.codes[0].confidence
    assert [span.text for span in shouted.codes[0].evidence] == ["ACUTE BRONCHITIS"]


@pytest.mark.parametrize("think", [True, False])
def test_one_note_or_many_the_codes_are_the_same(think: bool) -> None:
    together = coder().code(NOTES, think)
    apart = [coder().code([note], think)[0] for note in NOTES]
    assert [(names(one), one.status, one.text) for one in together] == [(names(one), one.status, one.text) for one in apart]


def test_a_code_type_leaves_only_its_codes() -> None:
    for kind in ("ICD10", "CPT", "HCPCS"):
        for found in coder().code(NOTES[:6], code_type=kind):
            assert {item.code_type for item in found.codes} <= {kind}
            assert {name for name, _, _ in found.alternatives} <= {kind, "NONE"}


def test_a_day_leaves_only_codes_in_force() -> None:
    day = date(2014, 3, 1)  # before ICD-10-CM
    for found in coder().code(NOTES[:6], day=day):
        assert all(item.code_type != "ICD10" for item in found.codes)
    with pytest.raises(UserError, match="no code is left"):
        coder().code(NOTES[:1], code_type="ICD10", day=day)


def test_a_long_note_is_read_to_its_end_and_offsets_hold() -> None:
    filler = "Seen for rigid walker. " * 60
    note = f"{filler}\n\nDx chest cold.\n\n{filler}"
    (found,) = coder().code([note])
    assert {"J20.9", "E0130"} <= set(names(found))
    assert len(set(names(found))) == len(found.codes)
    for item in found.codes:
        assert item.evidence
        for span in item.evidence:
            assert note[span.start : span.end] == span.text
    confidences = [item.confidence for item in found.codes]
    assert confidences == sorted(confidences, reverse=True)


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([("I10", CODED), ("J20.9", CODED)], CODED),
        ([("I10", CODED), ("J20.9", REVIEW)], REVIEW),
        ([("I10", CODED), ("", REVIEW)], CODED),  # where others have codes, a window without one counts for nothing
        ([("", NONE), ("", NONE)], NONE),
        ([("", NONE), ("", REVIEW)], REVIEW),
    ],
)
def test_a_window_that_needs_review_makes_the_note_need_it(parts: list[tuple[str, str]], status: str) -> None:
    whole = [
        Prediction(said, (CodedItem("ICD10", code, code, 0.9, ()),) if code else (), 0.9, None, (), (), "", 1)
        for code, said in parts
    ]
    assert merge(whole, 10).status == status


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=120), max_size=4), st.booleans(), st.booleans())
def test_any_text_gives_valid_codes_with_evidence_in_place(texts: list[str], think: bool, fitted: bool) -> None:
    found = coder(fitted).code(texts, think)
    assert len(found) == len(texts)
    for text, one in zip(texts, found, strict=True):
        for item in one.codes:
            entry = book().find(item.code_type, item.code)
            assert entry is not None and entry.billable and item.description == entry.short_title
            assert 0 <= item.confidence <= 1
            assert all(text[span.start : span.end] == span.text for span in item.evidence)
        assert sum(probability for _, _, probability in one.alternatives) <= 1 + 1e-6
        assert len(set(names(one))) == len(one.codes)


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="ab .\n", max_size=120), st.integers(1, 12))
def test_windows_follow_one_another_and_fit(text: str, size: int) -> None:
    spans = windows(text, lambda part: len(part) <= size)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(end - start <= size for start, end in spans)


def test_windows_keep_sections_whole_where_they_can() -> None:
    text = "HPI: cough.\n\nPlan: rest. Fluids."
    assert [text[a:b] for a, b in windows(text, lambda part: len(part) <= 20)] == [
        "HPI: cough.\n\n",
        "Plan: rest. Fluids.",
    ]
    assert windows(text, lambda part: True) == [(0, len(text))]


def test_what_is_not_trained_is_said(tmp_path: object) -> None:
    with pytest.raises(UserError, match="make repro"):
        Coder.load(str(tmp_path), book())
    with pytest.raises(UserError, match="calibrat"):
        Coder.load(taught(), book(), str(tmp_path))
