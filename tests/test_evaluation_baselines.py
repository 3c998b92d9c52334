"""The floor: simple methods on real phrases."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from evaluation_rows import code, codes, item, training_and_test

from thce.answers import Code
from thce.evaluation import baselines
from thce.evaluation.baselines import Guess, Material
from thce.evaluation.data import NO_CODE, read_items, to_prediction
from thce.evaluation.metrics import accuracy
from thce.files import write_jsonl
from thce.settings.evaluation import (
    BaselinesParams,
    BM25Params,
    MajorityParams,
    NeighbourParams,
    PhraseParams,
    SVMParams,
)

pytestmark = pytest.mark.unit

SVM = SVMParams(enabled=True, c=1.0, ngrams=1, min_df=1, tolerance=0.1, max_iter=50)
PHRASE = PhraseParams(enabled=True, min_characters=3)
BM25 = BM25Params(enabled=True, k1=1.2, b=0.75)
NEIGHBOUR = NeighbourParams(enabled=True, k=3)
J, E, H = code("ICD10 J20.9"), code("ICD10 E11.9"), code("HCPCS E0130")
SMALL = Material(
    [
        item(1, "ICD10 J20.9", "Dx chest cold."),
        item(2, "ICD10 J20.9", "Seen for a chest cold."),
        item(3, "ICD10 E11.9", "Dx sugar diabetes."),
        item(4, "ICD10 J20.9, HCPCS E0130", "Chest cold. Needs a rigid walker."),
        item(5, "", "Denies fever. Form mailed."),
    ],
    [("chest cold", J), ("sugar diabetes", E), ("diabetes", E), ("rigid walker", H)],
)


def test_material_holds_each_wording_once_with_its_code() -> None:
    texts = ["chest cold\nICD10: J20.9 (Acute bronchitis, unspecified)", "no answer below", "\nICD10: I10 (x)"]
    rows = [item(1, "ICD10 E11.9", phrases=("sugar diabetes",)), item(2, "ICD10 E11.9", phrases=("sugar diabetes",))]
    found = baselines.material(rows, texts)
    assert found.wordings == [("chest cold", J), ("sugar diabetes", E)]
    assert baselines.material([item(1, "ICD10 E11.9", phrases=("a", "b"))], []).wordings == []


def test_majority_answers_the_most_frequent_code() -> None:
    found = baselines.majority(SMALL, ["anything", "else"])
    assert [guess.codes for guess in found] == [(J,), (J,)]
    assert found[0].top[0] == (J, pytest.approx(3 / 5))


@pytest.mark.parametrize(
    ("text", "longest", "every"),
    [
        ("Dx sugar diabetes.", (E,), {E}),
        ("CHEST COLD; RIGID WALKER", (H,), {J, H}),
        ("no chest cold", (J,), {J}),  # it reads words, not negations
        ("nothing known here", (), set()),
        ("sugar diabetes and diabetes", (E,), {E}),
    ],
)
def test_known_phrases(text: str, longest: tuple[Code, ...], every: set[Code]) -> None:
    (one,) = baselines.phrases(SMALL, [text], PHRASE, every=False)
    (several,) = baselines.phrases(SMALL, [text], PHRASE, every=True)
    assert one.codes == longest
    assert set(several.codes) == every


def test_a_phrase_inside_a_longer_one_is_not_a_second_finding() -> None:
    known = Material([], [("heart failure", J), ("no heart failure history", E)])
    assert baselines.phrases(known, ["no heart failure history"], PHRASE, every=True)[0].codes == (E,)


def test_a_phrase_of_two_codes_stands_for_the_more_frequent_one() -> None:
    known = Material([], [("cold", E), ("Cold", J), ("cold", J)])
    assert baselines.phrases(known, ["cold"], PHRASE, every=False)[0].codes == (J,)


def test_bm25_by_hand() -> None:
    import math

    known = Material([], [("red rash", J), ("red eye", E)])
    (found,) = baselines.bm25(known, ["rash"], BM25)
    (nothing,) = baselines.bm25(known, ["walker"], BM25)
    assert found.codes == (J,) and nothing == Guess((), ((NO_CODE, 1.0),))
    (both,) = baselines.bm25(known, ["red rash"], BM25)
    common, rare = (math.log(1 + (2 - n + 0.5) / (n + 0.5)) for n in (2, 1))
    # every document has two words, so the length norm is k1 and a single word weighs its idf
    assert dict(both.top)[J] == pytest.approx((common + rare) / (2 * common + rare))


def test_svm_knows_no_code_as_a_class() -> None:
    found = baselines.svm(SMALL, ["Denies fever. Form mailed.", "chest cold again"], SVM)
    assert found[0].codes == () and found[0].top[0][0] == NO_CODE
    assert found[1].codes == (J,)
    assert sum(share for _, share in found[1].top) == pytest.approx(1.0)


def test_the_nearest_neighbour_may_answer_several_codes() -> None:
    near = NeighbourParams(enabled=True, k=1)
    found = baselines.neighbour(SMALL, ["Chest cold, needs rigid walker.", "Form mailed.", "zzz"], near)
    assert set(found[0].codes) == {J, H}
    assert found[1].codes == () and found[1].top == ((NO_CODE, pytest.approx(1.0)),)
    assert found[2] == Guess((), ((NO_CODE, 1.0),))


@cache
def real() -> tuple[Any, Any]:
    train, test = training_and_test(40)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_jsonl(folder / "train.jsonl", train)
        write_jsonl(folder / "test_unseen.jsonl", test)
        return baselines.material(read_items(folder / "train.jsonl"), []), read_items(folder / "test_unseen.jsonl")


def test_on_real_phrases_every_method_beats_the_majority_and_learns_from_training_only() -> None:
    known, tests = real()
    texts, golds = [one.narrative for one in tests], [one.gold for one in tests]
    floor = accuracy(golds, [guess.codes for guess in baselines.majority(known, texts)])
    for method in (
        lambda: baselines.bm25(known, texts, BM25),
        lambda: baselines.svm(known, texts, SVM),
        lambda: baselines.neighbour(known, texts, NEIGHBOUR),
    ):
        guesses = method()
        found = accuracy(golds, [guess.codes for guess in guesses])
        assert floor < 0.1 < found < 1.0
        assert guesses == method()  # the same every time
    # a wording never seen cannot be looked up, one that was planted can
    before = accuracy(golds, [guess.codes for guess in baselines.phrases(known, texts, PHRASE, False)])
    planted = Material(known.rows, [*known.wordings, *((one.phrases[0], one.gold[0]) for one in tests)])
    after = accuracy(golds, [guess.codes for guess in baselines.phrases(planted, texts, PHRASE, False)])
    assert before < 0.2 and after == 1.0


def test_methods_can_be_switched_off() -> None:
    settings = BaselinesParams(MajorityParams(True), PHRASE, BM25Params(False, 1.2, 0.75), SVM, NeighbourParams(False, 3))
    assert list(baselines.methods(settings)) == ["majority", "longest_phrase", "every_phrase", "svm"]
    (guess,) = baselines.methods(settings)["longest_phrase"](SMALL, ["chest cold"])
    assert guess.codes == (J,)
    everything = BaselinesParams(MajorityParams(True), PHRASE, BM25, SVM, NEIGHBOUR)
    for name, method in baselines.methods(everything).items():
        assert len(method(SMALL, ["chest cold", "sugar diabetes"])) == 2, name


def test_a_guess_as_a_prediction() -> None:
    row = baselines.prediction_row(item(1, "ICD10 J20.9"), "bm25", Guess(codes("ICD10 J20.9"), ((J, 0.7), (NO_CODE, 0.3))))
    found = to_prediction(row)
    assert (found.id, found.system, found.mode) == ("1", "bm25", "baseline")
    assert found.answer == (J,) and found.ranking == (J, NO_CODE) and found.confidence is None
