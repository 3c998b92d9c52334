"""Right and wrong, by hand and against scikit-learn."""

from __future__ import annotations

import random
import warnings

import pytest
from evaluation_rows import code, codes

from thce.answers import Code
from thce.evaluation import metrics
from thce.evaluation.metrics import Answer, Counts, Gold

pytestmark = pytest.mark.unit

A, B, C, D = (f"ICD10 {name}" for name in ("A01.1", "B02.2", "C03.3", "D04.4"))


def answer(text: str | None) -> Answer:
    return None if text is None else codes(text)


@pytest.mark.parametrize(
    ("gold", "given", "right"),
    [
        (A, A, True),
        (A, B, False),
        (A, "", False),
        (A, None, False),
        (A, f"{A}, {B}", False),
        (f"{A}, {B}", f"{B}, {A}", True),
        (f"{A}, {B}", A, False),
        ("", "", True),
        ("", A, False),
        ("", None, False),
        ("ICD10 E11.9", "CPT E11.9", False),
        (A, f"{A}, {A}", True),
    ],
)
def test_exact(gold: str, given: str | None, right: bool) -> None:
    assert metrics.exact(codes(gold), answer(given)) is right


@pytest.mark.parametrize(
    ("gold", "given", "expected"),
    [
        (A, A, (1, 0, 0)),
        (A, B, (0, 1, 1)),
        (A, "", (0, 0, 1)),
        (A, None, (0, 0, 1)),
        ("", A, (0, 1, 0)),
        ("", "", (0, 0, 0)),
        (f"{A}, {B}, {C}", f"{B}, {C}, {D}", (2, 1, 1)),
    ],
)
def test_counts(gold: str, given: str | None, expected: tuple[int, int, int]) -> None:
    assert metrics.counts(codes(gold), answer(given)) == expected


@pytest.mark.parametrize(
    ("counted", "precision", "recall", "f1"),
    [
        ((2, 1, 1), 2 / 3, 2 / 3, 2 / 3),
        ((1, 0, 3), 1.0, 0.25, 0.4),
        ((0, 2, 0), 0.0, 0.0, 0.0),
        ((0, 0, 2), 0.0, 0.0, 0.0),
        ((0, 0, 0), 0.0, 0.0, 0.0),
    ],
)
def test_precision_recall_f1(counted: tuple[int, int, int], precision: float, recall: float, f1: float) -> None:
    found = Counts(*counted)
    assert (found.precision, found.recall, found.f1) == pytest.approx((precision, recall, f1))


@pytest.mark.parametrize(
    ("gold", "given", "f1", "jaccard"),
    [
        (A, A, 1.0, 1.0),
        (f"{A}, {B}", A, 2 / 3, 0.5),
        (f"{A}, {B}", f"{A}, {C}", 0.5, 1 / 3),
        (A, B, 0.0, 0.0),
        (A, "", 0.0, 0.0),
        ("", "", 1.0, 1.0),
        ("", A, 0.0, 0.0),
        ("", None, 0.0, 0.0),
        (A, None, 0.0, 0.0),
    ],
)
def test_one_row_of_several_codes(gold: str, given: str | None, f1: float, jaccard: float) -> None:
    assert metrics.example_f1(codes(gold), answer(given)) == pytest.approx(f1)
    assert metrics.jaccard(codes(gold), answer(given)) == pytest.approx(jaccard)


def test_micro_sums_over_rows() -> None:
    golds, answers = [codes(f"{A}, {B}"), codes(A)], [codes(A), codes(f"{A}, {C}")]
    assert metrics.micro(golds, answers) == (2, 1, 1)


@pytest.mark.parametrize(
    ("golds", "given", "expected"),
    [
        ([A], [A], 1.0),
        ([A, B], [A, A], (2 / 3 + 0.0) / 2),  # A: one right, one too many; B: missed
        ([A], [B], 0.0),  # both codes count, each with F1 0
        ([A, A], [A, None], 2 / 3),
        ([""], [""], 0.0),  # no code at all: no F1 to average
    ],
)
def test_macro_averages_over_codes_that_occur(golds: list[str], given: list[str | None], expected: float) -> None:
    assert metrics.macro_f1([codes(one) for one in golds], [answer(one) for one in given]) == pytest.approx(expected)


def test_accuracy_is_the_share_of_exact_rows_and_zero_without_rows() -> None:
    assert metrics.accuracy([codes(A), codes(B)], [codes(A), None]) == 0.5
    assert metrics.accuracy([], []) == 0.0


def test_over_and_under_coding_count_codes_not_hits() -> None:
    found = metrics.volume([codes(A), codes(f"{A}, {B}"), codes(A), codes("")], [codes(f"{B}, {C}"), codes(A), None, ()])
    assert found == (1.0, 0.75, 0.25, 0.5)


@pytest.mark.parametrize(
    ("ranking", "place", "top_1", "top_3", "reciprocal"),
    [
        (f"{A}, {B}", 1, True, True, 1.0),
        (f"{B}, {A}", 2, False, True, 0.5),
        (f"{B}, {C}, {D}, {A}", 4, False, False, 0.25),
        (f"{B}, {C}", None, False, False, 0.0),
        ("", None, False, False, 0.0),
    ],
)
def test_ranking(ranking: str, place: int | None, top_1: bool, top_3: bool, reciprocal: float) -> None:
    ranked = codes(ranking)
    assert metrics.rank(code(A), ranked) == place
    assert metrics.top_k(code(A), ranked, 1) is top_1
    assert metrics.top_k(code(A), ranked, 3) is top_3
    assert metrics.reciprocal_rank(code(A), ranked) == reciprocal


@pytest.mark.parametrize(
    ("gold", "ranking", "average", "at_2"),
    [
        (f"{A}, {B}", f"{A}, {B}", 1.0, 1.0),
        (f"{A}, {B}", f"{A}, {C}, {B}", (1 + 2 / 3) / 2, 0.5),
        (f"{A}, {B}", f"{C}, {A}", 0.25, 0.5),
        (A, f"{B}, {C}", 0.0, 0.0),
        ("", A, 0.0, 0.0),
        (A, A, 1.0, 0.5),  # divided by k even when fewer are ranked
    ],
)
def test_ranking_of_several_codes(gold: str, ranking: str, average: float, at_2: float) -> None:
    assert metrics.average_precision(codes(gold), codes(ranking)) == pytest.approx(average)
    assert metrics.precision_at(codes(gold), codes(ranking), 2) == pytest.approx(at_2)


def test_a_group_is_right_when_all_its_members_are() -> None:
    assert metrics.groups_right(["x", "y", "x", "z"], [True, True, False, True]) == [False, True, True]
    assert metrics.groups_right([], []) == []


@pytest.mark.parametrize(
    ("golds", "given", "expected"),
    [
        (["", A], ["", A], (1, 0, 0)),
        (["", A], [A, ""], (0, 1, 1)),
        (["", ""], [None, ""], (1, 0, 1)),  # nothing readable is not "no code"
        ([A], [None], (0, 0, 0)),
    ],
)
def test_detection_of_rows_without_a_code(golds: list[str], given: list[str | None], expected: tuple[int, int, int]) -> None:
    assert metrics.no_code([codes(one) for one in golds], [answer(one) for one in given]) == expected


def random_rows(seed: int, rows: int, most: int) -> tuple[list[Gold], list[Gold]]:
    chance = random.Random(seed)
    pool = [Code("ICD10", f"A{number:02d}") for number in range(12)]
    golds = [tuple(chance.sample(pool, chance.randint(1, most))) for _ in range(rows)]
    given = [tuple(chance.sample(pool[:8], chance.randint(0, most))) for _ in range(rows)]
    return golds, given


@pytest.mark.parametrize("seed", range(5))
def test_sets_agree_with_scikit_learn(seed: int) -> None:
    from sklearn import metrics as reference
    from sklearn.preprocessing import MultiLabelBinarizer

    golds, given = random_rows(seed, 40, 4)
    binarizer = MultiLabelBinarizer().fit([*golds, *given])
    truth, guess = binarizer.transform(golds), binarizer.transform(given)
    total = metrics.micro(golds, given)
    pairs = list(zip(golds, given, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        near = {"rel": 0, "abs": 1e-9}
        assert total.f1 == pytest.approx(reference.f1_score(truth, guess, average="micro"), **near)
        assert total.precision == pytest.approx(reference.precision_score(truth, guess, average="micro"), **near)
        assert total.recall == pytest.approx(reference.recall_score(truth, guess, average="micro"), **near)
        macro = reference.f1_score(truth, guess, average="macro", zero_division=0)
        assert metrics.macro_f1(golds, given) == pytest.approx(macro, **near)
        samples = reference.f1_score(truth, guess, average="samples", zero_division=0)
        assert metrics.mean([metrics.example_f1(*pair) for pair in pairs]) == pytest.approx(samples, **near)
        jaccard = reference.jaccard_score(truth, guess, average="samples", zero_division=0)
        assert metrics.mean([metrics.jaccard(*pair) for pair in pairs]) == pytest.approx(jaccard, **near)
        assert metrics.accuracy(golds, given) == pytest.approx(reference.accuracy_score(truth, guess), **near)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_top_k_and_reciprocal_rank_agree_with_scikit_learn(k: int) -> None:
    import numpy as np
    from sklearn import metrics as reference

    generator = np.random.default_rng(1)
    scores = generator.random((50, 9))
    gold = generator.integers(0, 9, 50)
    names = [Code("ICD10", f"A{number:02d}") for number in range(9)]
    ranked = [[names[place] for place in np.argsort(-row)] for row in scores]
    found = metrics.mean([metrics.top_k(names[one], row, k) for one, row in zip(gold, ranked, strict=True)])
    assert found == pytest.approx(reference.top_k_accuracy_score(gold, scores, k=k, labels=range(9)), abs=1e-9)
    truth = np.eye(9)[gold]
    mrr = metrics.mean([metrics.reciprocal_rank(names[one], row) for one, row in zip(gold, ranked, strict=True)])
    assert mrr == pytest.approx(reference.label_ranking_average_precision_score(truth, scores), abs=1e-9)


def test_average_precision_agrees_with_scikit_learn() -> None:
    import numpy as np
    from sklearn import metrics as reference

    generator = np.random.default_rng(2)
    scores = generator.random((30, 8))
    truth = generator.random((30, 8)) < 0.3
    truth[:, 0] = True
    names = [Code("ICD10", f"A{number:02d}") for number in range(8)]
    for row, gold in zip(scores, truth, strict=True):
        ranked = [names[place] for place in np.argsort(-row)]
        wanted = tuple(name for name, on in zip(names, gold, strict=True) if on)
        expected = reference.average_precision_score(gold, row)
        assert metrics.average_precision(wanted, ranked) == pytest.approx(expected, abs=1e-9)
