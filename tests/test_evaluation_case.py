"""`thce show`: one test case with its answer, as a person sees it and as a program does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from codes_tables import book, folder

from thce.cli import main
from thce.evaluation import case
from thce.evaluation.data import read_items
from thce.files import write_jsonl
from thce.reasoning.verify import verify

pytestmark = pytest.mark.unit

NOTE = "Seen for a chest cold, mother had asthma."
GOLD = {"code_type": "ICD10", "code": "J20.9"}
TRACE = '<think>\n- Documented: "chest cold"\n- Category: J40 Bronchitis\n- Code: J20.9\n</think>\n'
TEXT = TRACE + "ICD10: J20.9 (Acute bronchitis, unspecified)"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A test file of two cases and a file of predictions: two modes for the first, text nobody can read for the second."""
    spans = [{**GOLD, "start": 11, "end": 21, "text": "chest cold", "phrase": "chest cold", "kind": "lay"}]
    about: dict[str, Any] = {"id": "known-1", "codes": [GOLD], "evidence": spans, "kind": "clinic"}
    messages = [{"role": "system", "content": "Code."}, {"role": "user", "content": NOTE}]
    none = {"id": "known-2", "codes": [], "none_reason": "negated"}
    tests, answers = tmp_path / "test_known.jsonl", tmp_path / "system.jsonl"
    write_jsonl(tests, [{"messages": messages, "_metadata": about}, {"messages": messages, "_metadata": none}])
    row = {"id": "known-1", "system": "system", "mode": "direct", "codes": [], "top": [["NONE", "", 0.5]], "confidence": 0.5}
    fused = {"mode": "fused", "codes": [GOLD], "text": TEXT, "status": "review", "confidence": 0.81}
    top = {"top": [["ICD10", "J20.9", 0.9], ["NONE", "", 0.1]]}
    wild = {"id": "known-2", "system": "system", "mode": "free", "text": "ICD10: maybe \x1b[31mJ20"}
    write_jsonl(answers, [row, row | fused | top, wild])
    return tests, answers


def show(files: tuple[Path, Path], *words: str) -> int:
    """Run the command on the files."""
    tests, answers = files
    return main(["show", *words, "--ground-truth", str(tests), "--predictions", str(answers), "--tables", str(folder())])


def test_the_case_as_values(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert show(files, "known-1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["evidence"] == [[11, 21]] and NOTE[11:21] == "chest cold"
    assert found["mode"] == "fused" and found["exact"] and found["gold"] == found["answer"]
    assert found["gold"][0]["description"] == "Acute bronchitis, unspecified"
    judged = verify(NOTE, TEXT, book())
    assert [claim["status"] for claim in found["claims"]] == [claim.status for claim in judged.claims]
    assert [claim["status"] for claim in found["claims"]] == ["supported", "unsupported", "supported"]
    assert found["verdict"]["placement"] is False and found["verdict"]["faithful"] is False
    assert [part["probability"] for part in found["top"]] == [0.9, 0.1]


def test_the_case_for_a_person(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert show(files, "known-1") == 0
    out = capsys.readouterr().out
    assert "Seen for a [chest cold], mother" in out and "\x1b" not in out
    assert "right, confidence 0.81, status review" in out
    assert "unsupported  Category: J40 Bronchitis" in out and "does not hold: placement" in out
    assert "0.900  ICD10 J20.9     Acute bronchitis, unspecified <- gold" in out
    coloured = "\n".join(case.lines(case.case(read_items(files[0])[0], case.find_rows("known-1", files[1])[1], book()), True))
    assert "\x1b[30;43mchest cold\x1b[0m" in coloured


def test_another_mode_and_an_answer_nobody_can_read(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert show(files, "known-1", "--mode", "direct") == 0
    assert "answer  no code\n        wrong" in capsys.readouterr().out
    assert show(files, "known-2") == 0
    out = capsys.readouterr().out
    assert "gold    no code (negated)" in out and "cannot be read" in out and "maybe �[31mJ20" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["known-9"], "no test case has this id; did you mean `known-"),
        (["known-1", "--mode", "free"], "there are: --system system --mode direct, --system system --mode fused"),
        (["known-1", "--system", "stage9"], "holds no such answer"),
    ],
)
def test_what_is_not_there(files: tuple[Path, Path], words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(files, *words) == 2
    assert said in capsys.readouterr().err


def test_before_anything_is_evaluated(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files[1].write_text("", encoding="utf-8")
    assert show(files, "known-1") == 2 and "is not answered in" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert main(["show", "known-1"]) == 2 and "no answers here yet; `dvc repro` makes them" in capsys.readouterr().err
