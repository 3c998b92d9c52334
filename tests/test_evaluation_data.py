"""Reading test files and prediction files: every format, and garbage that scores 0 without a crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from codes_tables import book
from evaluation_rows import codes, given, item, line, record, use, written

from thce.answers import format_answer
from thce.errors import UserError
from thce.evaluation import score
from thce.evaluation.data import NO_CODE, capped, matched, read_items, read_predictions, to_prediction
from thce.files import write_jsonl

pytestmark = pytest.mark.unit

GOLD = "ICD10 J20.9"


def read(folder: Path, *rows: dict[str, Any]) -> list[Any]:
    write_jsonl(folder / "test_mine.jsonl", rows)
    return read_items(folder / "test_mine.jsonl")


def test_a_test_record(tmp_path: Path) -> None:
    (found,) = read(tmp_path, record("a", "Dx chest cold.", codes(GOLD), "chest cold", group="g1"))
    assert (found.id, found.test_set, found.narrative, found.gold) == ("a", "mine", "Dx chest cold.", codes(GOLD))
    assert (found.phrases, found.spans, found.tier, found.cluster) == (("chest cold",), ("chest cold",), "partial", "g1")


@pytest.mark.parametrize(
    "row",
    [
        {"id": "a", "narrative": "x", "codes": [{"code_type": "ICD10", "code": "J20.9"}]},
        {"narrative": "x", "code_type": "ICD10", "code": "J20.9"},
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": line(GOLD)}]},
        {"prompt": [{"role": "user", "content": "x"}], "chosen": f"<think>\n- y\n</think>\n{line(GOLD)}", "rejected": "z"},
    ],
)
def test_every_format_holds_its_gold(row: dict[str, Any], tmp_path: Path) -> None:
    (found,) = read(tmp_path, row)
    assert (found.narrative, found.gold, found.source) == ("x", codes(GOLD), "unknown")


def test_evidence_stands_in_the_order_of_the_codes_whatever_that_of_the_row(tmp_path: Path) -> None:
    told = [("CPT", "71046", "chest film"), ("ICD10", "J20.9", "chest cold")]
    parts = [{"code_type": kind, "code": code, "phrase": text, "text": text} for kind, code, text in told]
    both = [{"code_type": kind, "code": code} for kind, code, _ in reversed(told)]
    (found,) = read(tmp_path, {"narrative": "Chest film for chest cold.", "codes": both, "evidence": parts})
    assert found.phrases == ("chest cold", "chest film")


def test_rows_without_a_code_are_rows(tmp_path: Path) -> None:
    (found,) = read(tmp_path, {"narrative": "x", "codes": [], "none_reason": "negated"})
    assert found.gold == () and found.none_reason == "negated" and found.cluster == found.id


@pytest.mark.parametrize(
    "row",
    [
        {"id": "a", "narrative": "x"},
        {"id": "a", "codes": []},
        {"messages": [{"role": "system", "content": "x"}], "_metadata": {"codes": []}},
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "no answer line"}]},
        {"messages": "x", "codes": []},
        {"narrative": "x", "codes": ["J20.9"]},
    ],
)
def test_a_row_without_text_or_gold_is_named(row: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"test_mine.jsonl:2: is no test row"):
        read(tmp_path, {"narrative": "x", "codes": []}, row)


def test_an_id_twice_and_an_empty_file_are_named(tmp_path: Path) -> None:
    row = {"id": "a", "narrative": "x", "codes": []}
    with pytest.raises(UserError, match="`a` stands twice"):
        read(tmp_path, row, row)
    with pytest.raises(UserError, match="holds no rows"):
        read(tmp_path)


def test_rows_of_one_phrase_are_one_cluster() -> None:
    assert item(1, GOLD, phrases=("Chest cold",)).cluster == item(2, GOLD, phrases=("chest cold",)).cluster
    assert item(1, f"{GOLD}, ICD10 I10", phrases=("a", "b")).cluster == "1"


def test_a_cap_keeps_contrast_groups_whole() -> None:
    items = [item(number, GOLD, group=f"g{number // 3}") for number in range(9)]
    assert [one.id for one in capped(items, 4)] == ["0", "1", "2", "3", "4", "5"]
    assert len(capped(items, 3)) == 3 and len(capped(items, 0)) == 9 and len(capped(items, 99)) == 9
    assert len(capped([item(number, GOLD) for number in range(9)], 4)) == 4


EVERY_CODE = format_answer([(entry.code_type, entry.code, entry.short_title) for entry in book().scope])
GARBAGE = {
    "empty": "",
    "blank": " \n ",
    "all codes at once": EVERY_CODE,
    "gold inside the reasoning only": f"<think>\n{line(GOLD)}\n</think>",
    "gold inside reasoning that is not closed": f"<think>\n{line(GOLD)}",
    "gold before the reasoning": f"{line(GOLD)}\n<think>\n- x\n</think>",
    "gold and chatter": f"The answer is:\n{line(GOLD)}",
    "gold twice": f"{line(GOLD)}\n{line(GOLD)}",
    "one line of 1 MB": "x" * 1_000_000,
    "gold and 1 MB": f"{line(GOLD)}\n" + "x" * 1_000_000,
    "lower case": line(GOLD).lower(),
    "code only": "J20.9",
    "control characters": "\x00\x1b[31m" + line(GOLD),
    "none and gold": f"NONE: (no code supported by the text)\n{line(GOLD)}",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_scores_nothing_and_does_not_crash(name: str) -> None:
    items = [item(1, GOLD), item(2, f"{GOLD}, ICD10 I10"), item(3, "")]
    for one in items:
        found = score.score_set([one], [written(one.id, GARBAGE[name])], use())
        assert found["exact"]["value"] == 0.0
        assert found["free"]["validity"]["no_code"] == 0.0
    found = score.score_set(items, [written(one.id, GARBAGE[name]) for one in items], use())
    assert found["example_f1"] < 0.01


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"codes": None},
        {"codes": "J20.9"},
        {"codes": ["J20.9"]},
        {"codes": [{"code_type": "ICD10"}]},
        {"codes": [{"code_type": "ICD9", "code": "J20.9"}]},
        {"codes": [{"code_type": "ICD10", "code": "J20.9"}, None]},
        {"codes": [{"code_type": "ICD10", "code": 7}]},
        {"text": 7},
        {"text": None, "mode": "free", "codes": [{"code_type": "ICD10", "code": "J20.9"}]},
        {"mode": "free", "text": "", "codes": []},
        {"mode": 3, "codes": {}},
        {"confidence": "high", "top": "J20.9", "stopped": "yes", "new_tokens": None},
    ],
)
def test_a_row_that_says_nothing_readable_is_wrong_everywhere(row: dict[str, Any]) -> None:
    prediction = to_prediction(row)
    assert prediction.answer is None and prediction.first is None
    assert score.right([item(1, GOLD), item(2, "")], [prediction, prediction]) == [False, False]


def test_in_free_mode_only_the_text_counts() -> None:
    row = {"id": "1", "mode": "free", "text": line("ICD10 I10"), "codes": [{"code_type": "ICD10", "code": "J20.9"}]}
    assert to_prediction(row).answer == codes("ICD10 I10")
    assert to_prediction({"id": "1", "text": line("ICD10 I10")}).mode == "free"


def test_no_code_must_be_said() -> None:
    assert given(1, "").answer == () and given(1, "").first == NO_CODE
    assert given(1, None).answer is None
    assert written(1, "NONE: (no code supported by the text)").answer == ()


def test_odd_confidence_and_ranking_are_dropped() -> None:
    found = given(1, GOLD, confidence=1.5, top=[["ICD10", "J20.9", 0.5], ["NONE", "", 0.2], 3, ["ICD10"], ["ICD10", "J20.9"]])
    assert found.confidence is None
    assert found.ranking == (*codes(GOLD), NO_CODE)
    assert given(1, GOLD, confidence=0.25).confidence == 0.25
    assert given(1, GOLD, confidence=True).confidence is None


def test_predictions_are_kept_apart_by_system_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    rows = [{"id": "1", "system": "a", "codes": []}, {"id": "1", "system": "b", "codes": []}, {"id": "1", "text": "x"}]
    write_jsonl(path, rows)
    assert list(read_predictions(path)) == [("a", "given"), ("b", "given"), ("system", "free")]
    write_jsonl(path, [rows[0], rows[0]])
    with pytest.raises(UserError, match=r"p.jsonl:2: `1` is answered twice by a, given"):
        read_predictions(path)
    path.write_text('{"id": "1"}\nnot json\n')
    with pytest.raises(UserError, match=r"p.jsonl:2: not valid JSON"):
        read_predictions(path)


def test_a_row_without_a_prediction_is_wrong() -> None:
    found = matched([item(1, GOLD), item(2, "")], {"1": given(1, GOLD)})
    assert score.right([item(1, GOLD), item(2, "")], found) == [True, False]
    assert found[1].mode == "missing"


def test_a_line_of_one_megabyte_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({"id": "1", "text": "x" * 1_000_000}) + "\n")
    (found,) = read_predictions(path).values()
    assert found["1"].answer is None
