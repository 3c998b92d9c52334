"""The published tasks, and notes of a user's own whose codes may lie outside the scope."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from codes_tables import book, folder
from evaluation_rows import code, codes, given, item, use

from thce import cli_evaluate
from thce.cli import main
from thce.errors import UserError
from thce.evaluation import scope, score, tasks
from thce.evaluation.data import read_items
from thce.files import read_json, write_jsonl

pytestmark = pytest.mark.unit

Run = Callable[..., tuple[int, str, str]]
J, H = "ICD10 J20.9", "ICD10 I10"
FOREIGN = "ICD10 A00.0"  # in the table, not in scope


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        result = main([*map(str, words), "--codes", str(folder()), "--resamples", "100"])
        return result, *capsys.readouterr()

    return call


def test_a_description_is_the_official_title_of_its_code() -> None:
    assert cli_evaluate.TASKS == tasks.TASKS
    rows = tasks.rows(tasks.DESCRIPTION, book(), 17)
    assert {one.test_set for one in rows} == {"description_to_code"} and len({one.id for one in rows}) == len(rows)
    assert len({one.narrative.casefold() for one in rows}) == len(rows)  # one right answer each
    for one in rows[::40]:
        entry = book().find(one.gold[0].code_type, one.gold[0].code)
        assert entry is not None and entry.billable and one.narrative == entry.title
    drawn = tasks.rows(tasks.DESCRIPTION, book(), 17, 20)
    assert Counter(one.gold[0].code_type for one in drawn) == {"ICD10": 20, "CPT": 20, "HCPCS": 20}
    assert drawn == tasks.rows(tasks.DESCRIPTION, book(), 17, 20) != tasks.rows(tasks.DESCRIPTION, book(), 18, 20)
    assert set(drawn) < set(rows)


def test_every_variant_differs_from_the_title_and_keeps_the_code() -> None:
    titles = {one.gold[0]: one.narrative for one in tasks.rows(tasks.DESCRIPTION, book(), 17)}
    rows = tasks.rows(tasks.VARIANTS, book(), 17)
    assert rows == tasks.rows(tasks.VARIANTS, book(), 17)
    sizes = Counter(one.test_set for one in rows)
    assert set(sizes) == set(tasks.CHANGES) and all(n > len(titles) / 3 for n in sizes.values())
    for one in rows:
        title = titles[one.gold[0]]
        assert one.narrative != title
        if one.test_set == "title_letters":
            assert one.narrative.lower() == title.lower()
        if one.test_set == "title_order":
            assert sorted(one.narrative.replace(",", " ").split()) == sorted(title.replace(",", " ").split())
        if one.test_set == "title_typo":
            changed = [(a, b) for a, b in zip(title.split(), one.narrative.split(), strict=True) if a != b]
            assert len(changed) == 1 and abs(len(title) - len(one.narrative)) <= 1
    slips = Counter(len(one.narrative) - len(titles[one.gold[0]]) for one in rows if one.test_set == "title_typo")
    assert min(slips[-1], slips[0], slips[1]) > len(titles) / 5  # left out, swapped, doubled


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Acute bronchitis, unspecified", "unspecified, Acute bronchitis"),
        ("Tinea unguium", "unguium, Tinea"),
        ("Cough", "Cough"),
        ("a, b, c", "c, b, a"),
    ],
)
def test_order(title: str, expected: str) -> None:
    assert tasks.order(title) == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Type 2 diabetes mellitus with hyperglycemia", "T2DM w/ hyperglycemia"),
        ("Acute bronchitis, unspecified", "Acute bronchitis, unsp"),
        ("Withdrawal of a bandage", "Withdrawal of a bandage"),  # whole words only
        ("Chronic kidney disease, stage 3", "CKD, stage 3"),
        ("Cough", "Cough"),
    ],
)
def test_abbreviations(title: str, expected: str) -> None:
    assert tasks.abbreviations(title) == expected


def test_a_typo_spares_first_letters_and_short_words() -> None:
    assert {tasks.typo("Gout", draw * 9973) for draw in range(50)} == {"Gout"}
    made = {tasks.typo("Cough", draw * 97 + draw * 9973 * 97) for draw in range(300)}
    left_out, doubled, swapped = {"Cugh", "Cogh", "Couh"}, {"Coough", "Couugh", "Couggh"}, {"Cuogh", "Coguh", "Couhg"}
    assert made == left_out | doubled | swapped
    assert {tasks.typo("abbba", draw * 97 + draw * 9973 * 97) for draw in range(300)} == {"abba", "abbbba", "abbab"}


def test_gold_is_spelled_as_in_the_tables() -> None:
    (one,) = scope.spelled([item(1, "ICD10 e119, ICD10 E11.9, HCPCS e0130, ICD10 Q99.99")], book())
    assert one.gold == codes("ICD10 E11.9, HCPCS E0130, ICD10 Q99.99")
    with pytest.raises(UserError, match=r"known: row 7: has the code type `ICD10CM`; use one of ICD10, CPT, HCPCS"):
        scope.spelled([item(7, "ICD10CM I10")], book())


def test_gold_out_of_scope_is_a_miss_or_left_out() -> None:
    items = [item(1, f"{J}, {FOREIGN}"), item(2, FOREIGN), item(3, ""), item(4, f"{H}, ICD10 Q99.99")]
    assert code(FOREIGN) not in {code(f"{entry.code_type} {entry.code}") for entry in book().scope}
    whole, found = scope.restricted(items, book(), only=False)
    assert whole == items and found == scope.Scope(rows=4, codes=5, in_scope=2, not_in_tables=1, dropped=0)
    assert found.sentence(False) == ("2 of 5 gold codes are in scope; the other 3 (1 in no code table here) count as misses")
    cut, found = scope.restricted(items, book(), only=True)
    assert [one.gold for one in cut] == [codes(J), (), codes(H)] and found.dropped == 1
    assert "were left out, with 1 of 4 rows" in found.sentence(True)
    answers = [given(1, J), given(2, H), given(3, ""), given(4, H)]
    assert score.right(whole, answers) == [False, False, True, False]
    numbers = score.score_set(whole, answers, use())
    assert (numbers["micro_recall"], numbers["micro_precision"]) == (pytest.approx(2 / 5), pytest.approx(2 / 3))
    assert score.right(cut, [answers[0], answers[2], answers[3]]) == [True] * 3


def test_notes_with_several_codes_through_the_commands(run: Run, tmp_path: Path) -> None:
    test, answers = tmp_path / "test_notes.jsonl", tmp_path / "answers.jsonl"
    rows = [("1", [("ICD10", "J209"), ("ICD10", "A00.0")]), ("2", [("ICD10", "A00.0")])]
    write_jsonl(
        test,
        [
            {"id": name, "narrative": "Note.", "codes": [{"code_type": kind, "code": text} for kind, text in gold]}
            for name, gold in rows
        ],
    )
    write_jsonl(answers, [{"id": name, "codes": [{"code_type": "ICD10", "code": "J20.9"}]} for name in "12"])
    words = ("metrics", "--predictions", answers, "--ground-truth", test, "--json")
    status, out, err = run(*words, "--output", tmp_path / "r.json")
    assert status == 0 and "1 of 3 gold codes are in scope; the other 2 count as misses" in err
    assert json.loads(out)["metrics"]["notes"]["micro_recall"] == pytest.approx(1 / 3, abs=1e-6)
    assert read_json(tmp_path / "r.json")["scope"] == {
        "rows": 2, "codes": 3, "in_scope": 1, "not_in_tables": 0, "dropped": 0, "only": False
    }  # fmt: skip
    status, out, err = run(*words, "--scope-only")
    assert status == 0 and "left out, with 1 of 2 rows" in err
    assert json.loads(out)["metrics"]["notes"]["exact"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 1}
    write_jsonl(test, [{"id": "1", "narrative": "Note.", "codes": [{"code_type": "ICD10", "code": "A00.0"}]}])
    status, _, err = run(*words, "--scope-only")
    assert status == 2 and "leaves no row" in err


def test_a_task_runs_on_a_real_model_and_its_rows_can_be_kept(run: Run, tmp_path: Path) -> None:
    from coder_models import calibrated, taught

    model = ("--model-path", taught(), "--coder-path", calibrated(), "--no-think")
    words = ("evaluate", *model, "--rows", 2, "--save-rows", tmp_path / "rows", "--json")
    status, out, _ = run(*words, "--task", "title-variants")
    found = json.loads(out)
    assert status == 0 and set(found["metrics"]) <= set(tasks.CHANGES) and found["scope"]["dropped"] == 0
    kept = {path.stem for path in (tmp_path / "rows").iterdir()}
    assert kept == {f"test_{name}" for name in found["metrics"]}
    assert read_items(tmp_path / "rows" / "test_title_letters.jsonl")[0].source == "official title"
    status, out, _ = run(*words, "--task", "description-to-code")
    by_type = json.loads(out)["metrics"]["description_to_code"]["code_type"]
    assert status == 0 and {name: part["n"] for name, part in by_type.items()} == {"ICD10": 2, "CPT": 2, "HCPCS": 2}
