"""`thce code`: one note for a person, many notes for a program; nothing lost, nothing twice, faults named."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from coder_models import calibrated, rows, taught
from codes_tables import folder
from pyarrow import parquet

from thce import cli
from thce.cli_code import view

pytestmark = pytest.mark.unit

NOTES = [row[1]["content"] for row in rows(True)]


def places() -> list[str]:
    return ["--model", str(taught()), "--coder", str(calibrated()), "--codes", str(folder())]


def run(*arguments: str) -> int:
    return cli.main(["code", *arguments, *places()])


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, items: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return path


def test_one_note_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("Assessment: acute bronchitis.") == 0
    out = capsys.readouterr().out
    assert "[acute bronchitis]" in out and "ICD10 J20.9  Acute bronchitis, unspecified" in out
    assert "reasoning" in out and "alternatives" in out
    assert "\x1b" not in out  # no colour into a pipe


def test_evidence_is_highlighted_and_a_note_cannot_command_the_terminal() -> None:
    span = {"text": "cough", "start": 5, "end": 10, "source": "trace"}
    item = {"code_type": "ICD10", "code": "R05.9", "description": "Cough", "confidence": 0.9, "evidence": [span]}
    row = {
        "status": "coded",
        "confidence": 0.9,
        "codes": [item],
        "reasoning": None,
        "alternatives": [{"code_type": "NONE", "code": "", "probability": 0.1}],
        "findings": [],
    }
    shown = view("Has: cough\x1b[2J", row, True)
    assert "\x1b[30;43mcough\x1b[0m" in shown and "\x1b[2J" not in shown and "no code" in shown


def test_one_note_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("Assessment: acute bronchitis.", "--json", "--audit", "--no-think", "--date", "2025-11-03") == 0
    row = json.loads(capsys.readouterr().out)
    assert [item["code"] for item in row["codes"]] == ["J20.9"] and row["reasoning"] is None
    audit = row["audit"]
    assert len(audit["input_sha256"]) == len(audit["model_sha256"]) == 64
    assert audit["code_sets"]["ICD10"]["release"] and audit["params"]["date"] == "2025-11-03"


def test_every_format_gives_the_same_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"n{i}" for i in range(5)]
    items = [{"id": name, "narrative": note} for name, note in zip(names, NOTES, strict=False)]
    write(tmp_path / "in.jsonl", items)
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, ["narrative", "id"])
        table.writeheader()
        table.writerows(items)
    parquet.write_table(pyarrow.Table.from_pylist(items), tmp_path / "in.parquet")
    (tmp_path / "in.txt").write_text("\n".join(item["narrative"] for item in items), encoding="utf-8")
    for kind in ("jsonl", "csv", "parquet", "txt"):
        assert run("--input", str(tmp_path / f"in.{kind}"), "--output", str(tmp_path / f"{kind}.out")) == 0
    stdin = io.TextIOWrapper(io.BytesIO((tmp_path / "in.jsonl").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run("--input", "-", "--output", str(tmp_path / "stdin.out")) == 0
    expected = (tmp_path / "jsonl.out").read_bytes()
    for kind in ("csv", "parquet", "stdin"):
        assert (tmp_path / f"{kind}.out").read_bytes() == expected
    plain = read(tmp_path / "txt.out")
    assert [row["id"] for row in plain] == ["1", "2", "3", "4", "5"]
    assert [row["codes"] for row in plain] == [row["codes"] for row in read(tmp_path / "jsonl.out")]


def test_results_go_to_standard_output_in_order(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    items = [{"id": i, "narrative": note, "code_type": ("ICD10", "HCPCS")[i % 2]} for i, note in enumerate(NOTES[:6])]
    assert run("--input", str(write(tmp_path / "in.jsonl", items))) == 0
    found = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [row["id"] for row in found] == ["0", "1", "2", "3", "4", "5"]
    for item, row in zip(items, found, strict=True):
        assert {code["code_type"] for code in row["codes"]} <= {item["code_type"]}


FAULTY = (
    '{"id": "a", "narrative": "Dx hypertension."}\nnot json\n{"id": "c"}\n'
    '{"id": "d", "narrative": "x", "date": "soon"}\n'
    '{"id": "e", "narrative": "x", "code_type": "SNOMED"}\n[1]\n{"id": "g", "narrative": "Dx rigid walker."}\n'
)


def test_a_bad_row_is_written_as_an_error_and_the_rest_is_coded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.jsonl").write_text(FAULTY, encoding="utf-8")
    assert run("--input", str(tmp_path / "in.jsonl"), "--output", str(tmp_path / "out.jsonl")) == 1
    found = read(tmp_path / "out.jsonl")
    assert [row["id"] for row in found] == ["a", "2", "c", "d", "e", "6", "g"]
    assert [row["status"] == "error" for row in found] == [False, True, True, True, True, True, False]
    assert found[1]["place"].endswith("in.jsonl:2") and "JSON" in found[1]["error"]
    assert "SNOMED" in found[4]["error"]
    assert "5 rows could not be coded" in capsys.readouterr().err


def test_strict_stops_at_the_first_bad_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.jsonl").write_text(FAULTY, encoding="utf-8")
    assert run("--input", str(tmp_path / "in.jsonl"), "--output", str(tmp_path / "out.jsonl"), "--strict") == 2
    assert "in.jsonl:2: is not valid JSON" in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()
    assert [row["id"] for row in read(tmp_path / "out.jsonl.part")] == ["a"]


def test_resume_goes_on_after_the_last_whole_line(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"id": i, "narrative": note} for i, note in enumerate(NOTES[:8])])
    out = tmp_path / "out.jsonl"
    assert run("--input", str(source), "--output", str(out)) == 0
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    out.unlink()
    out.with_name("out.jsonl.part").write_bytes(b"".join(lines[:3]) + lines[3][:20])
    assert run("--input", str(source), "--output", str(out), "--resume") == 0
    assert out.read_bytes() == whole and not out.with_name("out.jsonl.part").exists()
    assert run("--input", str(source), "--output", str(out), "--resume") == 0  # complete already
    assert out.read_bytes() == whole


def test_resume_with_another_input_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "in.jsonl", [{"id": "x", "narrative": NOTES[0]}])
    (tmp_path / "out.jsonl.part").write_text('{"id": "y"}\n', encoding="utf-8")
    assert run("--input", str(source), "--output", str(tmp_path / "out.jsonl"), "--resume") == 2
    assert "resume with the same input" in capsys.readouterr().err


def test_killed_and_resumed_no_row_is_lost_and_none_twice_and_workers_agree(tmp_path: Path) -> None:
    """The killed run reads a pipe that stays open, so that it cannot have ended before, however slow the machine."""
    count = 3 * len(NOTES)
    source = write(tmp_path / "in.jsonl", [{"id": i, "narrative": NOTES[i % len(NOTES)]} for i in range(count)])
    out, part = tmp_path / "out.jsonl", tmp_path / "out.jsonl.part"
    command = [sys.executable, "-m", "thce", "code", "--output", str(out), "--resume", *places(), "--input"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent / "src")}
    process = subprocess.Popen([*command, "-"], env=env, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(source.read_bytes())
    process.stdin.flush()
    while process.poll() is None and not (part.exists() and part.read_bytes().count(b"\n")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = part.read_bytes().count(b"\n")
    assert 0 < done < count and not out.exists()
    assert subprocess.run([*command, str(source), "--workers", "2"], env=env, check=False).returncode == 0
    found = read(out)
    assert [row["id"] for row in found] == [str(i) for i in range(count)]
    # which notes are computed together depends on the moment of the kill, and with it the last bits of a confidence
    for row in found:
        first = found[int(row["id"]) % len(NOTES)]["codes"]
        assert [item | {"confidence": 0} for item in row["codes"]] == [item | {"confidence": 0} for item in first]
        assert [item["confidence"] for item in row["codes"]] == pytest.approx([item["confidence"] for item in first], abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give one narrative or --input"),
        (["note", "--input", "x.jsonl"], "give one narrative or --input"),
        (["  "], "is empty"),
        (["note", "--workers", "0"], "at least 1"),
        (["note", "--resume"], "needs --output"),
        (["note", "--date", "yesterday"], "is not a day"),
        (["note", "--type", "ICD10", "--date", "2014-01-01"], "no code is left"),
        (["--input", "missing.jsonl"], "no such file"),
        (["--input", "notes.docx"], "unknown kind of file"),
    ],
)
def test_wrong_use_is_said_in_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and "Traceback" not in error


def test_before_training_the_mend_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["code", "acute bronchitis", "--model", str(tmp_path)]) == 2
    assert "make repro" in capsys.readouterr().err


def test_help_says_what_it_is_not_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["code", "--help"])
    assert "not for unsupervised billing" in capsys.readouterr().out
