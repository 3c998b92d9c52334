"""The nearest known wording, and what a reader takes from a text in one go."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from coder_models import calibrated, taught
from codes_tables import book
from hypothesis import given, settings
from hypothesis import strategies as st
from test_coder_prior import LABELS, TEXTS, small

from thce.coder.coder import Coder
from thce.coder.fusion import CLAUSES, PRIOR
from thce.coder.near import NEAR, SPELLED, Wordings
from thce.errors import UserError

pytestmark = pytest.mark.unit

KNOWN = {text: LABELS[label] for label, group in TEXTS.items() if label < 3 for text in group}
ALL = [0, 1, 2, 3]


@cache
def wordings() -> Wordings:
    return Wordings.of(KNOWN, small())


def scores(text: str, places: list[int] = ALL) -> dict[str, np.ndarray]:
    return wordings().scores(small().read(text, [(0, len(text))]), slice(0, 1), places)


def test_a_known_wording_is_as_near_as_can_be_and_spelled_alike() -> None:
    found = scores("chest cold with cough")
    assert found[NEAR].argmax() == 0 and found[NEAR][0] == pytest.approx(1, abs=2e-3)
    assert found[SPELLED].argmin() == 0 and found[SPELLED][0] == pytest.approx(-1, abs=2e-3)


def test_spelling_is_that_of_the_nearest_wording_not_the_likest_of_the_code() -> None:
    prior = small()
    texts = ("chest cold with cough", "bronchitis, cough", "acute bronchitis")
    text = "bronchitis with cough"
    both = Wordings.of(dict.fromkeys(texts, LABELS[0]), prior)
    reading = prior.read(text, [(0, len(text))])

    def alone(one: str) -> tuple[float, float]:
        found = Wordings.of({one: LABELS[0]}, prior).scores(reading, slice(0, 1), [0])
        return float(found[NEAR][0]), float(found[SPELLED][0])

    ranked = sorted(texts, key=lambda one: -alone(one)[0])
    found = both.scores(reading, slice(0, 1), [0])
    assert (found[NEAR][0], found[SPELLED][0]) == pytest.approx(alone(ranked[0]), abs=1e-5)
    assert min(alone(one)[1] for one in texts) < found[SPELLED][0] - 0.01  # another wording is spelled more alike


def test_no_code_has_no_wording_and_what_is_not_asked_for_gets_the_least() -> None:
    found = scores("high blood pressure", [1, 2])
    for name in (NEAR, SPELLED):
        assert found[name][3] == 0
        assert found[name][0] == min(found[name][1], found[name][2])


def test_the_nearest_of_several_spans_counts() -> None:
    text = "rigid walker. chest cold"
    reading = small().read(text, [(0, 13), (13, len(text))])
    both = wordings().scores(reading, slice(0, 2), ALL)[NEAR]
    alone = [wordings().scores(reading, slice(i, i + 1), ALL)[NEAR] for i in range(2)]
    assert np.allclose(both[:3], np.maximum(*alone)[:3])


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_has_a_nearness(text: str) -> None:
    found = scores(text)
    for values in found.values():
        assert values.shape == (len(LABELS),) and np.isfinite(values).all() and (np.abs(values) <= 1.01).all()


def test_saved_and_loaded_it_says_the_same(tmp_path: Path) -> None:
    wordings().save(tmp_path)
    text = "cough"
    again = Wordings.load(tmp_path, small()).scores(small().read(text, [(0, 5)]), slice(0, 1), ALL)
    assert all((again[name] == scores(text)[name]).all() for name in (NEAR, SPELLED))
    with pytest.raises(UserError, match="no known wordings here"):
        Wordings.load(tmp_path / "nowhere", small())


def test_a_span_is_read_as_the_text_means_it() -> None:
    text = "Denies hypertension. Acute bronchitis."
    denied, alone = small().read(text, [(0, 20)]).scores[0], small().log_probs(["hypertension."])[0]
    assert alone.argmax() == 1 and denied[1] < alone[1]
    assert np.allclose(small().read(text, [(21, 38)]).scores[0], small().log_probs(["Acute bronchitis."])[0], atol=1e-5)


def test_a_code_set_of_its_own_keeps_its_distributions() -> None:
    coder = Coder.load(taught(), book(), calibrated())
    for code_type, day in ((None, None), ("ICD10", None), ("HCPCS", date(2026, 1, 5))):
        codes = coder.codes(code_type, day)
        read = coder.reader.read(["Dx chest cold. Uses a rigid walker."], codes)[0]
        for name in (PRIOR, CLAUSES):
            assert np.exp(read.sources[name]).sum() == pytest.approx(1)
        assert all(values.shape == (len(codes),) and np.isfinite(values).all() for values in read.sources.values())
        assert len(read.pieces) == 2


def test_alone_and_among_others_a_text_is_read_alike() -> None:
    coder = Coder.load(taught(), book(), calibrated())
    texts = ["chest cold", "", "Uses a rigid walker, hypertension and type 2 diabetes."]
    together = coder.read(texts, coder.codes())
    for text, read in zip(texts, together, strict=True):
        (alone,) = coder.read([text], coder.codes())
        assert all((alone.sources[name] == read.sources[name]).all() for name in read.sources)
