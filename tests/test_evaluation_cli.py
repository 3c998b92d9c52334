"""The commands, as a person or a script calls them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from codes_tables import folder
from evaluation_rows import codes, training_and_test

from thce.answers import format_answer
from thce.cli import main
from thce.evaluation.data import read_items
from thce.files import read_json, read_jsonl, write_jsonl

pytestmark = pytest.mark.unit

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        code = main([*map(str, words), "--codes", str(folder()), "--resamples", "100"])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A small prepared folder from real phrases: training rows, wordings, one test set."""
    train, test = training_and_test(30)
    for stage in (1, 2, 3):
        write_jsonl(tmp_path / f"stage{stage}" / "train.jsonl", train[stage - 1 :: 3])
    wordings = [
        row["_metadata"]["evidence"][0]["text"]
        + "\n"
        + format_answer([(row["_metadata"]["codes"][0]["code_type"], row["_metadata"]["codes"][0]["code"], "x")])
        for row in train
    ]
    write_jsonl(tmp_path / "pretrain.jsonl", [{"text": text} for text in wordings])
    write_jsonl(tmp_path / "test_unseen.jsonl", test)
    return tmp_path


def answers(path: Path, test: Path, wrong: int, **more: Any) -> Path:
    """Right answers to a test file, but for the first `wrong` rows."""
    rows = []
    for place, one in enumerate(read_items(test)):
        given = codes("ICD10 A00.0") if place < wrong else one.gold
        rows.append({"id": one.id, "codes": [{"code_type": c.code_type, "code": c.code} for c in given]} | more)
    write_jsonl(path, rows)
    return path


def test_metrics_of_predictions(run: Run, prepared: Path, tmp_path: Path) -> None:
    test = prepared / "test_unseen.jsonl"
    path = answers(tmp_path / "p.jsonl", test, 3)
    code, out, err = run("metrics", "--predictions", path, "--ground-truth", test, "--output", tmp_path / "r.json")
    assert (code, err) == (0, "") and out.splitlines()[1].split()[:3] == ["unseen", "exact", "0.9"]
    found = read_json(tmp_path / "r.json")
    assert found["metrics"]["unseen"]["exact"]["value"] == 0.9 and found["missing"] == 0
    assert [row["right"] for row in found["rows"]] == [False] * 3 + [True] * 27


@pytest.mark.parametrize("form", ["csv", "markdown", "json"])
def test_forms_hold_the_same_number(form: str, run: Run, prepared: Path, tmp_path: Path) -> None:
    test = prepared / "test_unseen.jsonl"
    path = answers(tmp_path / "p.jsonl", test, 3)
    words = ("--json",) if form == "json" else ("--format", form)
    _, out, _ = run("metrics", "--predictions", path, "--ground-truth", test, *words)
    if form == "json":
        assert json.loads(out)["metrics"]["unseen"]["exact"]["value"] == 0.9
        assert "rows" not in json.loads(out)
    elif form == "csv":
        rows = list(csv.DictReader(out.splitlines()))
        assert next(row["value"] for row in rows if row["metric"] == "exact") == "0.9"
    else:
        head, rule, first, *_ = out.splitlines()
        assert head == "| test_set | metric | value | low | high | n |" and set(rule) == set("|- ")
        assert first.startswith("| unseen | exact | 0.9 |")


def test_rows_without_a_prediction_are_wrong_and_said(run: Run, prepared: Path, tmp_path: Path) -> None:
    test = prepared / "test_unseen.jsonl"
    path = answers(tmp_path / "p.jsonl", test, 0)
    write_jsonl(path, list(read_jsonl(path))[:20])
    code, out, err = run("metrics", "--predictions", path, "--ground-truth", test, "--json")
    assert code == 1 and "10 of 30 rows have no prediction" in err
    assert json.loads(out)["metrics"]["unseen"]["exact"]["value"] == pytest.approx(2 / 3, abs=1e-6)


def test_several_systems_in_one_file_must_be_told_apart(run: Run, prepared: Path, tmp_path: Path) -> None:
    test = prepared / "test_unseen.jsonl"
    one, two = answers(tmp_path / "a.jsonl", test, 1, system="a"), answers(tmp_path / "b.jsonl", test, 9, system="b")
    both = tmp_path / "both.jsonl"
    both.write_text(one.read_text() + two.read_text())
    code, _, err = run("metrics", "--predictions", both, "--ground-truth", test)
    assert code == 2 and "--system a --mode given" in err
    assert run("metrics", "--predictions", both, "--ground-truth", test, "--system", "b")[0] == 0
    code, _, err = run("metrics", "--predictions", both, "--ground-truth", test, "--system", "c")
    assert code == 2 and "no such predictions" in err


def test_a_baseline_by_name(run: Run, prepared: Path, tmp_path: Path) -> None:
    result = tmp_path / "bm25.json"
    code, out, _ = run("baseline", "--name", "bm25", "--prepared", prepared, "--output", result, "--format", "csv")
    assert code == 0 and out.startswith("test_set,metric,value,low,high,n\nunseen,exact,")
    assert 0.1 < read_json(result)["metrics"]["unseen"]["exact"]["value"] <= 1
    code, _, err = run("baseline", "--name", "bm25", "--prepared", tmp_path / "nowhere")
    assert code == 2 and "no such file" in err


def test_compare_pairs_row_by_row(run: Run, prepared: Path, tmp_path: Path) -> None:
    test = prepared / "test_unseen.jsonl"
    for name, wrong in (("a", 12), ("b", 3), ("c", 3)):
        path = answers(tmp_path / f"{name}.jsonl", test, wrong)
        run("metrics", "--predictions", path, "--ground-truth", test, "--output", tmp_path / f"{name}.json")
    names = [tmp_path / f"{name}.json" for name in "abc"]
    code, out, _ = run("compare", *names, "--json")
    b, c = json.loads(out)
    assert code == 0 and b["difference"] == 0.3 and b["low"] > 0 and b["a_only"] == 9 and b["n"] == 30
    assert c["difference"] == 0.3
    _, out, _ = run("compare", names[1], names[2], "--json")
    assert json.loads(out)[0]["difference"] == 0.0 and json.loads(out)[0]["p"] == 1.0


def test_compare_refuses_what_cannot_be_paired(run: Run, prepared: Path, tmp_path: Path) -> None:
    test = prepared / "test_unseen.jsonl"
    path = answers(tmp_path / "a.jsonl", test, 1)
    run("metrics", "--predictions", path, "--ground-truth", test, "--output", tmp_path / "a.json")
    assert run("compare", tmp_path / "a.json")[0] == 2
    assert "is no result file" in run("compare", tmp_path / "a.json", folder() / "manifest.json")[2]
    found = read_json(tmp_path / "a.json")
    for change, words in (
        ({"test_set": "other"}, "no row in common"),
        ({"gold": ["ICD10 I10"]}, "another gold"),
    ):
        odd = found | {"rows": [row | change for row in found["rows"]]}
        (tmp_path / "odd.json").write_text(json.dumps(odd))
        code, _, err = run("compare", tmp_path / "a.json", tmp_path / "odd.json")
        assert code == 2 and words in err


def test_analyze_sorts_errors(run: Run, prepared: Path, tmp_path: Path) -> None:
    test = prepared / "test_unseen.jsonl"
    path = answers(tmp_path / "a.jsonl", test, 4)
    code, out, _ = run("analyze", "--predictions", path, "--ground-truth", test)
    assert code == 0 and "4 of 30 rows are not exactly right." in out and "Dx " not in out
    _, out, _ = run("analyze", "--predictions", path, "--ground-truth", test, "--examples", "1")
    assert "Dx " in out
    _, out, _ = run("analyze", "--predictions", path, "--ground-truth", test, "--json")
    assert sum(json.loads(out)["kinds"].values()) == 4
    _, out, _ = run("analyze", "--predictions", path, "--ground-truth", test, "--format", "csv")
    assert out.splitlines()[0] == "kind,rows,meaning"


def test_evaluate_runs_a_real_model(run: Run, tmp_path: Path) -> None:
    from coder_models import calibrated, taught

    test = tmp_path / "test_mine.jsonl"
    rows = [("acute bronchitis", "ICD10", "J20.9"), ("type 2 diabetes", "ICD10", "E11.9")]
    write_jsonl(
        test,
        [
            {"id": str(place), "narrative": f"Seen for {text}.", "codes": [{"code_type": kind, "code": code}]}
            for place, (text, kind, code) in enumerate(rows)
        ],
    )
    words = ("evaluate", "--model-path", taught(), "--test-data", test, "--max-new-tokens", 60)
    code, out, _ = run(*words, "--output", tmp_path / "r.json", "--predictions", tmp_path / "p.jsonl", "--json")
    assert code == 0 and json.loads(out)["metrics"]["mine"]["exact"]["n"] == 2
    assert len(list(read_jsonl(tmp_path / "p.jsonl"))) == 2
    code, out, _ = run(*words, "--mode", "free", "--json", "--rows", 1)
    assert code == 0 and json.loads(out)["metrics"]["mine"]["free"]["validity"]
    code, out, _ = run(*words, "--coder-path", calibrated(), "--no-think")
    assert code == 0 and "exact" in out


@pytest.mark.parametrize("command", ["evaluate", "metrics", "baseline", "analyze", "compare"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"  thce {command} " in capsys.readouterr().out


def test_reading_help_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    script = (
        "import sys; from thce.cli import main\n"
        "try: main(['metrics', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'sklearn', 'numpy', 'transformers'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, env={"PYTHONPATH": "src"})
