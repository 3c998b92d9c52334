"""The three formats on disk, the committed samples, and the stage that writes the real ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from codes_tables import book, folder
from reasoning_rows import SEED, row, synthetic_rows

from thce.answers import parse
from thce.errors import UserError
from thce.files import read_json, read_jsonl, write_jsonl
from thce.narratives import examples, prepare, synthetic
from thce.narratives.phrasebook import key
from thce.narratives.splits import PhraseIndex
from thce.reasoning import verify
from thce.reasoning.negatives import KINDS, correct

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parent.parent
KNEE = row("Follow-up of right knee OA.", ("ICD10", "M17.11", "right knee OA"))
SYSTEM = "Give the billing codes."


def roles(record: dict[str, Any]) -> list[str]:
    return [message["role"] for message in record["messages"]]


def test_stage_1_is_prompt_and_answer() -> None:
    record = examples.stage1(KNEE, book(), SYSTEM)
    assert list(record) == ["messages", "_metadata"]
    assert roles(record) == ["system", "user", "assistant"]
    assert record["messages"][2]["content"] == "ICD10: M17.11 (Unilateral primary osteoarthritis, right knee)"
    meta = record["_metadata"]
    assert (meta["code_type"], meta["code"], meta["code_valid"], meta["source"]) == (
        "ICD10",
        "M17.11",
        True,
        "synthetic",
    )
    assert meta["codes"] == [{"code_type": "ICD10", "code": "M17.11"}]


def test_stage_2_adds_a_verified_trace() -> None:
    record = examples.stage2(KNEE, book(), SYSTEM, SEED)
    assert record is not None
    assert record["messages"][2]["content"].startswith("<think>\n- ")
    assert record["_metadata"]["reasoning_present"] is True
    assert record["_metadata"]["reasoning_quality"] == "high"


def test_stage_2_leaves_out_what_the_text_denies() -> None:
    denied = row("Denies right knee OA.", ("ICD10", "M17.11", "right knee OA"))
    assert examples.stage2(denied, book(), SYSTEM, SEED) is None
    assert examples.stage3(denied, book(), SYSTEM, SEED, {}, PhraseIndex(())) is None


def test_stage_3_prefers_the_right_completion() -> None:
    record = examples.stage3(KNEE, book(), SYSTEM, SEED, {}, PhraseIndex(()))
    assert record is not None
    assert list(record) == ["prompt", "chosen", "rejected", "_metadata"]
    assert [message["role"] for message in record["prompt"]] == ["system", "user"]
    assert correct(KNEE, record["chosen"]) and verify(KNEE["narrative"], record["chosen"], book()).faithful
    assert record["_metadata"]["rejected_kind"] in KINDS


def test_a_test_record_shows_no_answer() -> None:
    record = examples.test(KNEE, book(), SYSTEM)
    assert roles(record) == ["system", "user"]
    assert record["_metadata"]["tier"] == "partial"
    assert record["_metadata"]["codes"] == [{"code_type": "ICD10", "code": "M17.11"}]


@pytest.mark.parametrize(
    ("phrase", "title", "expected"),
    [
        ("acute bronchitis", "Acute bronchitis, unspecified", "easy"),
        ("bronchitis, acute", "Acute bronchitis, unspecified", "easy"),
        ("acute chest cold", "Acute bronchitis, unspecified", "partial"),
        ("chest cold", "Acute bronchitis, unspecified", "novel"),
        ("AF", "Unspecified atrial fibrillation", "novel"),
    ],
)
def test_tiers_tell_how_far_the_words_are_from_the_title(phrase: str, title: str, expected: str) -> None:
    assert examples.tier(phrase, title) == expected


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"narrative": "  "}, "narrative is empty"),
        ({"narrative": "gout " * 50}, "has 50 words, more than prepare.max_words"),
        ({"codes": [{"code_type": "ICD10", "code": "M17"}]}, "M17 is not a billable code"),
        ({"codes": [{"code_type": "CPT", "code": "M17.11"}]}, "CPT M17.11 is not a billable code"),
    ],
)
def test_rows_that_cannot_be_used_are_named(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem) as caught:
        examples.check({**KNEE, **change}, book(), 40)
    assert caught.value.place == KNEE["id"]


def test_a_row_without_a_field_is_named() -> None:
    with pytest.raises(UserError, match="lacks evidence"):
        examples.check({name: value for name, value in KNEE.items() if name != "evidence"}, book(), 40)


def spread(count: int) -> list[dict[str, Any]]:
    """Rows of one code in ten wordings of falling frequency, every fifth without a code and every tenth with two."""
    names = [f"wording {place}" for place in range(10) for _ in range(10 - place)]
    rows = []
    for number in range(count):
        codes = 0 if number % 5 == 1 else 2 if number % 10 == 0 else 1
        phrases = [names[(7 * number + 3 * place) % len(names)] for place in range(codes)]
        rows.append({"id": number, "evidence": [{"code_type": "ICD10", "code": "M10.9", "phrase": one} for one in phrases]})
    return rows


@pytest.mark.parametrize("evenly", [False, True])
def test_stages_share_no_narrative_while_there_are_enough(evenly: bool) -> None:
    rows = spread(100)

    def deal(*sizes: int) -> list[list[Any]]:
        return prepare.divide(rows, sizes, SEED, evenly)

    one, two, three = deal(50, 30, 20)
    assert [len(part) for part in (one, two, three)] == [50, 30, 20]
    assert len({row["id"] for part in (one, two, three) for row in part}) == 100
    assert one != rows[:50]
    one, two, three = deal(50, 40, 40)
    assert len({row["id"] for row in three}) == 40
    assert sum(row in [*one, *two] for row in three) == 30
    assert [len(part) for part in deal(150, 10, 5)] == [100, 10, 5]


def test_traces_name_every_wording_about_equally_often() -> None:
    rows = spread(550)
    chosen = prepare.even(rows, 200)
    assert len(chosen) == 200 and chosen == [row for row in rows if row in chosen]
    assert Counter(len(row["evidence"]) for row in chosen) == {1: 140, 0: 40, 2: 20}
    open_to_choice = [row for row in rows if row in chosen or len(row["evidence"]) == 1]
    there, seen = (Counter(item["phrase"] for row in some for item in row["evidence"]) for some in (open_to_choice, chosen))
    assert max(there.values()) > 2 * max(seen.values())
    assert all(seen[name] >= min(count, max(seen.values()) - 1) for name, count in there.items())


def test_what_the_traces_leave_is_in_no_order() -> None:
    one, _, three = prepare.divide(spread(6000), (2400, 3000, 600), SEED, evenly=True)
    for part in (one[:300], one[-300:], three):
        kinds = Counter(len(row["evidence"]) for row in part)
        assert kinds[0] / len(part) == pytest.approx(0.2, abs=0.07)
        assert kinds[2] / len(part) == pytest.approx(0.1, abs=0.05)


def test_held_out_phrases_stay_out_of_the_text_for_the_base_model() -> None:
    rows = [KNEE, row("A: gout flare.", ("ICD10", "M10.9", "gout flare"))]
    texts, dropped = prepare.pretraining(book(), rows, PhraseIndex([key("gout flare")]))
    assert "right knee OA\nICD10: M17.11 (Unilateral primary osteoarthritis, right knee)" in texts
    assert "J20 Acute bronchitis\nJ20-J22 Other acute lower respiratory infections" in texts
    assert dropped == 1 and not any("gout flare" in text for text in texts)
    assert texts == sorted(set(texts))


def test_contamination_names_every_leak() -> None:
    training = [row("Follow-up of right knee OA.", ("ICD10", "M17.11", "right knee OA")) | {"template": "a+b"}]
    tests = [row("FOLLOW-UP OF right knee OA", ("ICD10", "M17.11", "right knee OA")) | {"template": "b+c", "id": "test-1"}]
    held: dict[str, set[str]] = {"test": {key("knee OA")}, "val": set()}
    found = list(prepare.contamination(training, [], tests, ["left knee OA\nx"], held))
    assert any("repeats test-1" in line for line in found)
    assert any("a sentence of the tests" in line for line in found)
    assert sum("held-out phrase `knee oa`" in line for line in found) == 2
    assert list(prepare.contamination(training, [], [], [], {"test": set(), "val": set()})) == []


def test_the_synthetic_sets_do_not_leak() -> None:
    rows = synthetic_rows()
    tests = [item for name in synthetic.TESTS for item in rows[name]]
    held = {"test": {key(item["evidence"][0]["phrase"]) for item in rows["test_unseen_phrase"]}, "val": set[str]()}
    texts, _ = prepare.pretraining(book(), rows["train"], PhraseIndex(sorted(held["test"])))
    assert list(prepare.contamination(rows["train"], rows["val"], tests, texts, held)) == []


def test_the_committed_samples_are_what_the_generator_makes() -> None:
    made = examples.samples(book(), "data/phrasebook", "data/grammar")
    for name, records in made.items():
        committed = list(read_jsonl(ROOT / "data" / "examples" / name))
        assert len(records) == 50
        assert committed == json.loads(json.dumps(records)), f"run `python -m thce.narratives.examples` ({name})"
    kinds = {code["code_type"] for record in made["sample_stage_2.jsonl"] for code in record["_metadata"]["codes"]}
    assert kinds == {"ICD10", "CPT", "HCPCS"}
    for record in made["sample_stage_1.jsonl"]:
        assert parse(record["messages"][2]["content"]).well_formed


PARAMS = """
seed: 17
threads: 1
prepare:
  stage1_train: 300
  stage1_val: 10
  stage2_train: 200
  stage2_val: 10
  stage3_train: 100
  stage3_val: 5
  max_words: 120
  system_stage1: "Give the billing codes."
  system_stage2: "Think, then give the billing codes."
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout in which the stage can run: code, tables, narratives and params."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "stages").mkdir()
    for name in ("_bootstrap.py", "prepare.py"):
        shutil.copy(ROOT / "stages" / name, tmp_path / "stages" / name)
    shutil.copytree(folder(), tmp_path / "data" / "codes")
    phrases = []
    for name, rows in synthetic_rows().items():
        write_jsonl(tmp_path / "data" / "narratives" / f"{name}.jsonl", rows)
        split = {"train": "train", "test_unseen_phrase": "test"}.get(name)
        phrases += [{"phrase": item["phrase"], "split": split} for row in rows for item in row["evidence"] if split]
    write_jsonl(tmp_path / "data" / "narratives" / "phrases.jsonl", phrases)
    (tmp_path / "params.yaml").write_text(PARAMS)
    return tmp_path


def run(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "stages/prepare.py"], cwd=checkout, capture_output=True, text=True)


def test_the_stage_writes_every_file_twice_the_same(checkout: Path) -> None:
    done = run(checkout)
    assert done.returncode == 0, done.stderr
    out = checkout / "data" / "prepared"
    sizes = {path.relative_to(out).as_posix(): len(list(read_jsonl(path))) for path in sorted(out.rglob("*.jsonl"))}
    assert sizes.pop("pretrain.jsonl") > 3000
    assert sizes == {
        "stage1/train.jsonl": 300,
        "stage1/val.jsonl": 10,
        "stage2/train.jsonl": 200,
        "stage2/val.jsonl": 10,
        "stage3/train.jsonl": 100,
        "stage3/val.jsonl": 5,
        **{f"{name}.jsonl": len(synthetic_rows()[name]) for name in (*synthetic.TESTS, synthetic.VISITS)},
    }
    report = read_json(checkout / "metrics" / "prepare.json")
    assert report["contamination"] == 0 and report["invalid_codes"] == 0 and report["rows_in_two_stages"] == 0
    assert report["reasoning"]["verified"] == 1.0 and report["reasoning"]["traces"] == 315
    assert report["stages"]["stage1"]["train"]["duplicates"] == 0
    before = {path: path.read_bytes() for path in out.rglob("*.jsonl")}
    assert run(checkout).returncode == 0
    assert before == {path: path.read_bytes() for path in out.rglob("*.jsonl")}


def test_a_leak_stops_the_stage_before_it_writes(checkout: Path) -> None:
    held = synthetic_rows()["train"][0]["evidence"] or synthetic_rows()["train"][1]["evidence"]
    with (checkout / "data" / "narratives" / "phrases.jsonl").open("a") as stream:
        stream.write(json.dumps({"phrase": held[0]["phrase"], "split": "test"}) + "\n")
    done = run(checkout)
    assert done.returncode == 2
    assert "leaks into training" in done.stderr and done.stderr.count("\n") == 1
    assert not (checkout / "data" / "prepared").exists()
