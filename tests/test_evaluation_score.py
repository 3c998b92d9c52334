"""The numbers of a system: per test set, over all, compared, by stratum, as plot data."""

from __future__ import annotations

import pytest
from codes_tables import book
from evaluation_rows import code, given, item, line, use, written

from thce.answers import Code
from thce.evaluation import score, strata, summary

pytestmark = pytest.mark.unit

J, H, E, K = "ICD10 J20.9", "ICD10 I10", "ICD10 E11.9", "ICD10 K21.9"


def test_a_set_of_single_codes() -> None:
    items = [item(1, J), item(2, E), item(3, "CPT 99213"), item(4, J)]
    top = [["ICD10", "J18.9", 0.6], ["ICD10", "J20.9", 0.3]]
    answers = [given(1, J), given(2, "ICD10 E11.65"), given(3, "CPT 99203"), given(4, "ICD10 J18.9", top=top)]
    found = score.score_set(items, answers, use())
    assert found["exact"]["value"] == 0.25 and found["exact"]["n"] == 4
    assert found["code_type"]["ICD10"]["value"] == pytest.approx(1 / 3)
    assert found["code_type"]["CPT"] == {"value": 0.0, "low": 0.0, "high": 0.0, "n": 1}
    assert found["category"] == pytest.approx(2 / 3)  # ICD-10-CM only
    assert found["chapter"] == 1.0
    assert found["top_3"] == 0.25 and found["mrr"] == 0.125
    assert "groups" not in found and "free" not in found


def test_contrast_groups_count_as_a_whole() -> None:
    items = [item(number, J, group="a" if number < 2 else "b") for number in range(4)]
    answers = [given(0, J), given(1, H), given(2, J), given(3, J)]
    found = score.score_set(items, answers, use())
    assert found["exact"]["value"] == 0.75
    assert (found["groups"]["value"], found["groups"]["n"]) == (0.5, 2)


def test_a_set_of_several_codes() -> None:
    items = [item(1, f"{J}, {H}"), item(2, f"{E}, {K}")]
    top = [["ICD10", "I10", 0.6], ["NONE", "", 0.2], ["ICD10", "J20.9", 0.1]]
    found = score.score_set(items, [given(1, H, top=top), given(2, f"{E}, {K}, {J}")], use())
    assert found["exact"]["value"] == 0.0
    assert (found["micro_precision"], found["micro_recall"]) == (0.75, 0.75)
    assert found["micro_f1"]["value"] == 0.75 and found["micro_f1"]["n"] == 2
    assert found["example_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert (found["over_coded"], found["under_coded"]) == (0.5, 0.5)
    assert (found["codes_gold"], found["codes_answered"]) == (2.0, 2.0)
    assert found["first_right"] == 0.5
    assert found["map"] == pytest.approx(0.5)  # row 1: both found at places 1 and 2 ("no code" is no place); row 2: none
    assert found["precision_at_5"] == pytest.approx((2 / 5 + 0) / 2)


def test_a_set_without_codes() -> None:
    items = [item(1, "", none_reason="negated"), item(2, "", none_reason="negated"), item(3, "")]
    found = score.score_set(items, [given(1, ""), given(2, J), given(3, "")], use())
    assert found["exact"]["value"] == pytest.approx(2 / 3)
    assert found["none_reason"] == {"negated": 0.5, "unknown": 1.0}


def test_free_completions() -> None:
    text = "Came in with chest cold."
    trace = f'<think>\n- Documented: "chest cold"\n- Code: J20.9\n</think>\n{line(J)}'
    items = [item(number, J, text) for number in range(3)]
    answers = [
        written(0, trace, new_tokens=40),
        written(1, "<think>\n- never ends", stopped=False, new_tokens=60),
        written(2, line(H), new_tokens=20),
    ]
    found = score.score_set(items, answers, use())["free"]
    assert found["validity"]["valid"] == pytest.approx(2 / 3) and found["validity"]["malformed"] == pytest.approx(1 / 3)
    assert found["stopped"] == pytest.approx(2 / 3) and found["new_tokens"] == 40.0
    assert found["description"] == {
        "agree": 1.0,
        "code_right_description_wrong": 0,
        "description_right_code_wrong": 0,
    }
    assert found["reasoning"]["present"] == pytest.approx(2 / 3)
    assert found["reasoning"]["closed"] == pytest.approx(1 / 3)
    assert 0 <= found["reasoning"]["faithful"] <= 1


def test_without_reasoning_there_is_none_to_judge() -> None:
    found = score.score_set([item(1, J)], [written(1, line(J))], use())["free"]
    assert found["reasoning"] == {"present": 0.0}
    nothing = score.score_set([item(1, J)], [written(1, "?")], use())["free"]
    assert nothing["description"]["agree"] == 0.0


def test_confidence_is_judged_by_the_first_answer_of_rows_with_at_most_one_code() -> None:
    items = [item(1, J), item(2, ""), item(3, f"{J}, {H}"), item(4, J)]
    answers = [
        given(1, f"{J}, {H}", confidence=0.9),
        given(2, "", confidence=0.8),
        given(3, J, confidence=0.1),
        given(4, H),
    ]
    assert score.confident(items, answers) == ([0.9, 0.8], [True, True])
    found = score.calibrated(items, answers, use())
    assert found["n"] == 2 and found["accuracy"] == 1.0 and found["ece"] == pytest.approx(0.15)
    assert score.calibrated(items[3:], answers[3:], use()) == {}


TESTS = {
    "known": [item(number, J if number % 2 else H, tier="easy") for number in range(8)],
    "multi": [item(f"m{number}", f"{J}, {H}", test_set="multi") for number in range(2)],
}


def predictions(right: int) -> dict[str, object]:
    """Right on the first rows of `known`, wrong on the others; always one code on `multi`."""
    rows = {
        one.id: given(one.id, f"ICD10 {one.gold[0].code}" if place < right else K, confidence=0.9 if place < right else 0.2)
        for place, one in enumerate(TESTS["known"])
    }
    return rows | {one.id: given(one.id, J, confidence=0.5) for one in TESTS["multi"]}


FOUND = {
    ("stage1", "constrained"): predictions(2),
    ("stage2", "constrained"): predictions(6),
    ("stage1", "free"): predictions(1),
    ("stage2", "free"): predictions(1),
    ("stage2", "direct"): predictions(4),
    ("stage3", "constrained"): predictions(6),
    ("system", "fused"): predictions(8),
    ("retriever", "retriever"): predictions(4),
}
FLOOR = {("bm25", "baseline"): predictions(3), ("svm", "baseline"): predictions(5)}


def test_systems_modes_and_sets() -> None:
    found = summary.systems(TESTS, FOUND, use())  # type: ignore[arg-type]
    assert found["stage1"]["constrained"]["known"]["exact"]["value"] == 0.25
    assert found["system"]["fused"]["multi"]["micro_recall"] == 0.5
    assert found["system"]["fused"]["all"]["calibration"]["n"] == 8
    partial = {("a", "b"): {"0": given("0", H)}}
    assert set(summary.systems(TESTS, partial, use())["a"]["b"]) == {"known", "all"}


def test_every_stage_is_compared_with_its_parent_and_the_system_with_the_best_baseline() -> None:
    found = summary.comparisons(TESTS, FOUND, FLOOR, use())  # type: ignore[arg-type]
    assert found["stage2_vs_stage1"]["known"]["difference"] == 0.5
    assert found["stage2_vs_stage1"]["known"]["a_only"] == 4
    assert found["stage3_vs_stage2"]["known"]["difference"] == 0.0
    assert found["stage2_vs_stage1_free"]["known"]["difference"] == 0.0
    assert found["stage2_reasoning_vs_direct"]["known"]["difference"] == 0.25
    assert found["system_vs_stage3"]["known"]["difference"] == 0.25
    assert found["system_vs_retriever"]["known"]["difference"] == 0.5
    assert found["system_vs_best_baseline"]["known"]["difference"] == pytest.approx(3 / 8)
    assert summary.best_baselines(TESTS, FLOOR) == {"known": "svm", "multi": "bm25"}  # type: ignore[arg-type]
    assert summary.strongest(TESTS, FLOOR) == "svm"  # type: ignore[arg-type]


def test_of_stages_that_reason_what_holds_is_compared_too() -> None:
    text = "Came in with chest cold."
    trace = (
        f'<think>\n- Documented: "chest cold"\n- Category: J20 Acute bronchitis (J20-J22)\n- Code: J20.9\n</think>\n{line(J)}'
    )
    tests = {name: [item(f"{name}{number}", J, text, test_set=name) for number in range(2)] for name in ("known", "other")}
    ids = [one.id for part in tests.values() for one in part]
    told = {
        "stage1": {name: written(name, line(J)) for name in ids},
        "stage2": {name: written(name, trace, stopped=False) for name in ids},
        "stage3": {name: written(name, trace if name != "other0" else trace.replace("J20-J22", "J00-J06")) for name in ids},
    }
    found = summary.comparisons(tests, {(stage, "free"): rows for stage, rows in told.items()}, {}, use())
    assert {name: part["difference"] for name, part in found["stage3_vs_stage2_holds"].items()} == {
        "known": 1.0, "other": 0.5, "all": 0.75,
    }  # fmt: skip
    assert "stage2_vs_stage1_holds" not in found


def test_without_baselines_or_shared_rows_nothing_is_compared() -> None:
    assert summary.best_baselines(TESTS, {}) == {}
    apart = {("stage1", "constrained"): {"0": given("0", H)}, ("stage2", "constrained"): {"1": given("1", J)}}
    assert summary.comparisons(TESTS, apart, {}, use()) == {"stage2_vs_stage1": {}}


def test_the_review_threshold() -> None:
    items, answers = [item(1, J), item(2, J), item(3, J)], [given(1, J), given(2, H), given(3, J)]
    found = summary.review(items, answers, {"1": "coded", "2": "review", "3": "review"})
    assert found == {"n": 3, "coverage": pytest.approx(1 / 3), "exact_answered": 1.0, "exact_review": 0.5}
    nothing = summary.review(items[:1], answers[:1], {"1": "none"})
    assert nothing["exact_review"] is None and nothing["coverage"] == 1.0
    assert summary.review([], [], {})["coverage"] == 0.0


def test_thirds_are_equal_in_size_and_ordered() -> None:
    frequency = {code(f"CPT 9921{number}"): float(number) for number in range(6)}
    found = strata.thirds(frequency)
    assert found[code("CPT 99215")] == "frequent" and found[code("CPT 99210")] == "rare"
    assert sorted(found.values()) == ["frequent"] * 2 + ["middle"] * 2 + ["rare"] * 2
    assert strata.thirds({}) == {}


def test_strata_of_a_row() -> None:
    place = use().places["chapter"]
    assert strata.values(item(1, J, tier="novel"), place, {code(J): "rare"}, {}) == {
        "test_set": "known",
        "code_type": "ICD10",
        "tier": "novel",
        "billing": "rare",
        "training": "never",
        "kind": "clinic",
        "chapter": "ICD10 10",
    }
    assert strata.values(item(1, ""), place, {}, {}) == {"test_set": "known", "kind": "clinic", "code_type": "none"}
    assert strata.values(item(1, "CPT 00000"), place, {}, {})["chapter"] == "unknown"


def test_plot_data() -> None:
    chosen = {"system": FOUND["system", "fused"], "svm": FLOOR["svm", "baseline"]}
    rows = summary.strata_plot(TESTS, chosen, {code(J): 5, code(H): 9}, use())  # type: ignore[arg-type]
    easy = next(row for row in rows if (row["stratum"], row["value"], row["system"]) == ("tier", "easy", "svm"))
    assert easy["exact"] == pytest.approx(5 / 8) and easy["n"] == 8
    confusion = summary.confusion_plot(TESTS, FLOOR["svm", "baseline"], use())  # type: ignore[arg-type]
    assert len(confusion) == 8 and {"gold": "ICD10 9", "answered": "ICD10 11"} in confusion
    odd = {"0": given("0", None), "1": given("1", ""), "2": given("2", "CPT 00000")}
    assert {row["answered"] for row in summary.confusion_plot(TESTS, odd, use())} == {
        "unreadable",
        "no code",
        "not in the tables",
    }
    reliability = summary.reliability_plot(TESTS, chosen, use())  # type: ignore[arg-type]
    assert {row["system"] for row in reliability} == {"system", "svm"}
    risk = summary.risk_plot(TESTS, chosen)  # type: ignore[arg-type]
    assert risk[-1]["coverage"] == 1.0 and risk[-1]["risk"] == pytest.approx(3 / 8)
    numbers = summary.systems(TESTS, FOUND, use())  # type: ignore[arg-type]
    accuracy = summary.accuracy_plot(numbers, {"svm": numbers["stage1"]["constrained"]})
    assert {row["mode"] for row in accuracy} == {"constrained", "free", "direct", "fused", "retriever", "baseline"}


def test_curves_are_thinned() -> None:
    items = [item(number, J) for number in range(500)]
    rows = {one.id: given(one.id, J, confidence=number / 500) for number, one in enumerate(items)}
    found = summary.risk_plot({"known": items}, {"a": rows})
    assert len(found) <= summary.POINTS + 1 and found[-1]["coverage"] == 1.0


def test_scope_is_what_the_book_says() -> None:
    assert len(use().scope) == len(book().scope) and Code("ICD10", "J20.9") in use().scope
