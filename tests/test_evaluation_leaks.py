"""A leak makes the check fail; a shuffled gold makes accuracy fall to chance."""

from __future__ import annotations

import pytest
from codes_tables import book
from evaluation_rows import codes, item

from thce.answers import Code
from thce.evaluation import leaks
from thce.evaluation.metrics import accuracy

pytestmark = pytest.mark.unit

TRAIN = ["Dx sugar diabetes. Seen twice.", "Assessment: chest cold."]
UNSEEN = item(
    1, "ICD10 J20.9", "Came in for a wet cough of ten days.", test_set="unseen_phrase", phrases=("wet cough of ten days",)
)


def found(train: list[str], *items: object) -> dict[str, int]:
    result = leaks.check(train, list(items), book(), ["unseen_phrase"])  # type: ignore[arg-type]
    return {name: result[name] for name in ("narrative", "phrase", "code")}


def test_a_clean_test_set() -> None:
    assert found(TRAIN, UNSEEN) == {"narrative": 0, "phrase": 0, "code": 0}


@pytest.mark.parametrize(
    "planted", ["Assessment: wet cough of ten days.", "WET COUGH, of ten days", "no wet cough of ten days today, but two"]
)
def test_a_planted_training_phrase_is_found(planted: str) -> None:
    assert found([*TRAIN, planted], UNSEEN)["phrase"] == 1
    result = leaks.check([*TRAIN, planted], [UNSEEN], book(), ["unseen_phrase"])
    assert result["examples"] == ["phrase: 1: `wet cough of ten days`"]


def test_phrases_of_known_sets_may_be_known() -> None:
    known = item(2, "ICD10 J20.9", "Dx chest cold today.", phrases=("chest cold",))
    assert found(TRAIN, known) == {"narrative": 0, "phrase": 0, "code": 0}


def test_a_narrative_seen_in_training_is_found_whatever_its_case_and_punctuation() -> None:
    assert found(TRAIN, item(2, "ICD10 J20.9", "ASSESSMENT - chest cold"))["narrative"] == 1


@pytest.mark.parametrize(
    ("narrative", "leak"),
    [
        ("Dx J20.9 today.", 1),
        ("Dx (j20.9), stable", 1),
        ("Dx J209.", 1),
        ("Dx J20.91 today.", 0),
        ("Bronchitis.", 0),
    ],
)
def test_a_gold_code_in_the_prompt_is_found(narrative: str, leak: int) -> None:
    assert found(TRAIN, item(2, "ICD10 J20.9", narrative))["code"] == leak


def test_against_a_shuffled_gold_a_perfect_answer_is_worth_chance() -> None:
    pool = [f"ICD10 {entry.code}" for entry in book().scope if entry.code_type == "ICD10"][:200]
    items = [item(number, gold) for number, gold in enumerate(pool)]
    answers = [one.gold for one in items]
    assert accuracy([one.gold for one in items], answers) == 1.0
    result = leaks.shuffled(items, answers, seed=1)
    assert result["chance"] == pytest.approx(1 / 200)
    assert result["exact"] < 0.02


def test_chance_counts_how_often_answer_and_gold_would_meet() -> None:
    items = [item(1, "ICD10 I10"), item(2, "ICD10 I10"), item(3, "ICD10 J20.9"), item(4, "")]
    always = [codes("ICD10 I10")] * 3 + [None]
    assert leaks.shuffled(items, always, seed=1)["chance"] == pytest.approx(3 * 2 / 16)
    assert leaks.shuffled(items, always, seed=1)["exact"] == pytest.approx(3 * 2 / 16, abs=0.15)
    assert leaks.shuffled([], [], seed=1) == {"exact": 0.0, "chance": 0.0}


def test_a_shuffled_gold_file_brings_the_score_down() -> None:
    """The whole path: a file whose gold was shuffled cannot be scored well by right answers."""
    from evaluation_rows import given, use

    from thce.evaluation import score

    pool = [entry for entry in book().scope][:120]
    right = [item(number, f"{entry.code_type} {entry.code}") for number, entry in enumerate(pool)]
    moved = [item(number, f"{pool[number - 7].code_type} {pool[number - 7].code}") for number in range(len(pool))]
    answers = [given(one.id, f"{one.gold[0].code_type} {one.gold[0].code}") for one in right]
    assert score.score_set(right, answers, use())["exact"]["value"] == 1.0
    assert score.score_set(moved, answers, use())["exact"]["value"] == 0.0
    assert Code(pool[0].code_type, pool[0].code) == right[0].gold[0]
