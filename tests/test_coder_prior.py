"""The lexical prior: words it has seen, in wordings it has not."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thce.coder import calibrate, evidence
from thce.coder.prior import Prior, features, fit, listen, log_softmax
from thce.coder.trie import NO_CODE
from thce.errors import UserError

pytestmark = pytest.mark.unit

LABELS = [("ICD10", "J20.9"), ("ICD10", "I10"), ("HCPCS", "E0130"), NO_CODE]
TEXTS = {
    0: ("acute bronchitis", "chest cold with cough", "bronchitis, cough"),
    1: ("hypertension", "high blood pressure", "elevated blood pressure"),
    2: ("rigid walker", "pickup walker with fixed height"),
    3: ("no complaints", "nothing to report"),
}


@cache
def small() -> Prior:
    texts = [text for group in TEXTS.values() for text in group]
    targets = [label for label, group in TEXTS.items() for _ in group]
    return fit(texts * 3, targets * 3, LABELS, dim=8, epochs=40, learning_rate=0.05, dropout=0.3, seed=2, min_count=1, batch=10)


def test_features_are_ngrams_inside_words_words_and_pairs() -> None:
    found = features(listen("Cough, cough!"))
    assert found >= {"=cough", "=cough cough", " c", "gh ", "cough"}
    assert not found & {"h c", ","}


def test_an_ngram_seen_again_counts_by_its_logarithm() -> None:
    prior = small()
    once, twice = (prior.bag([text]) for text in ("cough bronchitis", "cough cough bronchitis"))
    weight = [
        {prior.vocabulary[place]: value / prior.idf[place] for place, value in zip(bag.index, bag.weight, strict=True)}
        for bag in (once, twice)
    ]
    ratio = [found["=cough"] / found["=bronchitis"] for found in weight]
    assert ratio == pytest.approx([1, 1 + np.log(2)], rel=1e-5)


def test_texts_are_counted_together_as_each_by_itself() -> None:
    texts = ["bronchitis, cough", "", "no fever; blood pressure and a walker"] * 100
    together, alone = small().bag(texts), [small().bag([text]) for text in texts]
    assert (np.diff(together.start) == [len(bag.index) for bag in alone]).all()
    assert (together.index == np.concatenate([bag.index for bag in alone])).all()
    assert (together.weight == np.concatenate([bag.weight for bag in alone])).all()
    assert small().bag([]).start.tolist() == [0]


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_gets_a_distribution(text: str) -> None:
    scores = small().log_probs([text])
    assert scores.shape == (1, len(LABELS))
    assert np.exp(scores).sum() == pytest.approx(1)


def test_a_probability_of_all_but_one_still_tells_by_how_much() -> None:
    """Evidence is what a text cannot do without, even where all that is left to lose is a millionth."""
    scores = log_softmax(np.array([[20, 0, 0], [16, 0, 0]], np.float32))
    assert scores[:, 0].tolist() == pytest.approx([-2 * np.exp(-20), -2 * np.exp(-16)], rel=1e-4)


def test_a_wording_never_seen_goes_to_the_code_it_resembles() -> None:
    said = ["Assessment: bronchitic coughing", "BP: hypertensive", "walkers, rigid", "no report"]
    assert small().log_probs(said).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_a_text_scores_the_same_alone_and_among_others() -> None:
    said = ["bronchitis", "", "blood pressure and a walker"]
    together = small().log_probs(said)
    for row, text in enumerate(said):
        assert (small().log_probs([text])[0] == together[row]).all()


def test_spans_of_the_same_words_are_read_alike_each_in_its_place() -> None:
    text = "Bronchitis. Blood pressure, and a walker"
    spans = [(0, len(text)), (0, 11), (12, 27), (0, 10), (11, 26), (30, 30)]
    several, among = small().read(text, spans), list(small().read_each([("cough", [(0, 5)]), (text, spans)]))[1]
    assert several.scores.shape == (len(spans), len(LABELS)) and (several.scores == among.scores).all()
    assert (several.scores[1] == several.scores[3]).all() and (several.scores[2] == several.scores[4]).all()
    alone = small().log_probs([text, text[:11], text[12:27]])
    assert several.scores.argmax(axis=1)[:3].tolist() == alone.argmax(axis=1).tolist()
    assert not several.weights[5].any()


def test_texts_read_in_one_go_score_as_they_do_alone_to_rounding() -> None:
    said = ["bronchitis", "", "blood pressure and a walker", "no report"]
    assert np.allclose(small().together(said), small().log_probs(said), atol=1e-5)


def test_saved_twice_the_bytes_are_the_same_and_loaded_the_scores(tmp_path: Path) -> None:
    for name in ("a", "b"):
        small().save(tmp_path / name)
    fit_again = fit(["a b", "c d"], [0, 1], LABELS, dim=4, epochs=2, learning_rate=0.1, dropout=0.5, seed=9, min_count=1)
    and_again = fit(["a b", "c d"], [0, 1], LABELS, dim=4, epochs=2, learning_rate=0.1, dropout=0.5, seed=9, min_count=1)
    assert (fit_again.vectors == and_again.vectors).all()
    for file in ("prior.json", "prior.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    loaded = Prior.load(tmp_path / "a")
    assert loaded.labels == tuple(LABELS)
    assert np.allclose(loaded.log_probs(["chest cold"]), small().log_probs(["chest cold"]), atol=0.02)


def test_a_missing_prior_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make repro"):
        Prior.load(tmp_path)


@pytest.mark.parametrize("kept", [0, 5, 400])
def test_a_cut_file_is_one_line_with_its_mend(tmp_path: Path, kept: int) -> None:
    small().save(tmp_path)
    path = tmp_path / "prior.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match="is damaged") as caught:
        Prior.load(tmp_path)
    assert caught.value.place == str(path) and "dvc checkout" in str(caught.value)


def test_training_material_is_wordings_evidence_narratives_of_at_most_one_code_and_what_stands_beside() -> None:
    wordings = [
        {"text": "chest cold\nICD10: J20.9 (Acute bronchitis, unspecified)"},
        {"text": "J20 Acute bronchitis\nJ20-J22 Other acute lower respiratory infections"},
        {"text": "out of scope\nICD10: Z99.9 (Something)"},
    ]

    def record(text: str, codes: list[str], spans: list[str]) -> dict[str, object]:
        pairs = [{"code_type": "ICD10", "code": code} for code in codes]
        places = [{"text": span, "start": text.index(span), "end": text.index(span) + len(span)} for span in spans]
        about = {"codes": pairs, "evidence": [pair | place for pair, place in zip(pairs, places, strict=True)]}
        return {"prompt": [{"content": "s"}, {"content": text}], "_metadata": about}

    records = [
        record("Seen at 8:15 for HTN. Back in 3 weeks.", ["I10"], ["HTN"]),
        record("Dx a cold. Dx HTN. Back in 4 weeks.", ["J20.9", "I10"], ["a cold", "HTN"]),
        record("All well.", [], []),
    ]
    texts, targets = calibrate.material(wordings, records, LABELS)
    assert list(zip(texts, targets, strict=True)) == [
        ("All well", 3),
        ("All well.", 3),
        ("Back in 3 weeks", 3),
        ("Dx", 3),
        ("HTN", 1),
        ("Seen at 8:15 for", 3),
        ("Seen at 8:15 for HTN. Back in 3 weeks.", 1),
        ("a cold", 0),
        ("chest cold", 0),
    ]


def test_lexical_evidence_is_the_clause_the_code_cannot_do_without() -> None:
    note = "Pt well known to us, arrives by car. Has acute bronchitis. Needs a refill."
    (span,) = evidence.leave_one_out(small(), note, ("ICD10", "J20.9"))
    assert note[span.start : span.end] == span.text and span.source == "lexical"
    assert "bronchitis" in span.text and "refill" not in span.text and "car" not in span.text


def test_lexical_evidence_is_cut_however_many_words_stand_before_and_behind() -> None:
    around = " ".join(f"word{number}" for number in range(30))  # more than are tried in one go
    note = f"{around} acute bronchitis {around}"
    (span,) = evidence.leave_one_out(small(), note, ("ICD10", "J20.9"))
    assert "bronchitis" in span.text and len(span.text.split()) < 20


def test_lexical_evidence_said_twice_is_the_clearest_clause() -> None:
    (span,) = evidence.leave_one_out(small(), "walker report. acute bronchitis. acute bronchitis!", ("ICD10", "J20.9"))
    assert span.text == "acute bronchitis" or span.text == "bronchitis"


@settings(deadline=None)
@given(st.text(max_size=60))
def test_lexical_evidence_always_stands_in_the_text(text: str) -> None:
    for span in evidence.leave_one_out(small(), text, ("ICD10", "I10")):
        assert text[span.start : span.end] == span.text != ""


def test_a_code_the_prior_does_not_know_has_no_lexical_evidence() -> None:
    assert evidence.leave_one_out(small(), "acute bronchitis", ("ICD10", "Z00.00")) == ()


def test_a_quotation_belongs_to_the_next_code_the_trace_names() -> None:
    note = "Here for Chest Cold; also HTN."
    trace = '- Documented: "chest cold"\n- Code: J20.9\n- Stated: "HTN"\n- Documented: "made up"\n- Code: I10'
    (first,) = evidence.quoted(trace, note, "J20.9")
    assert (first.text, first.start, first.source) == ("Chest Cold", 9, "trace")
    assert [span.text for span in evidence.quoted(trace, note, "I10")] == ["HTN"]
    assert evidence.quoted(trace, note, "E11.9") == evidence.quoted("", note, "I10") == ()
