"""`thce codes check|explain|search` as people and programs use it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from codes_tables import folder

from thce.cli import main

pytestmark = pytest.mark.unit


def run(*arguments: str) -> int:
    return main(["codes", *arguments, "--tables", str(folder())])


def test_all_valid_is_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "E11.9", "--type", "ICD10") == 0
    assert capsys.readouterr().out.split(None, 3) == [
        "E11.9", "ICD10", "valid_billable", "Type 2 diabetes mellitus without complications\n",
    ]  # fmt: skip


@pytest.mark.parametrize("code", ["E11", "E11.99", "T88.7A", "E1122", "nonsense", "99999"])
def test_anything_else_is_exit_code_1(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "E11.9", code) == 1
    assert "error:" in (out := capsys.readouterr().out) or "warning:" in out


def test_day_of_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "I42.0", "--date", "2026-09-30") == 0
    assert run("check", "I42.0", "--dos", "2026-10-01") == 1
    assert "I42.00" in capsys.readouterr().out
    assert run("check", "I42.0", "--date", "1 October") == 2
    assert "YYYY-MM-DD" in capsys.readouterr().err


def test_codes_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "codes.txt"
    path.write_bytes(b"\xef\xbb\xbf# my codes\r\nE11.9\r\n\r\nICD10: J20.9 (Acute bronchitis, unspecified)\r\n")
    assert run("check", "--file", str(path), "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["normalised"] for row in rows] == ["E11.9", "J20.9"]
    assert rows[0]["status"] == "valid_billable" and rows[0]["messages"] == []


@pytest.mark.parametrize("arguments", [["check", "-"], ["check"]])
def test_codes_from_standard_input(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("E11.9\nI10\n"))
    assert run(*arguments) == 0
    assert capsys.readouterr().out.count("valid_billable") == 2


def test_wrong_use_is_exit_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run("check") == 2
    assert run("check", "--file", str(tmp_path / "none.txt")) == 2
    assert run("check", "I10", "--file", "x") == 2
    assert run("search", "x", "--chapter", "23") == 2
    assert main(["codes", "check", "I10", "--tables", str(tmp_path)]) == 2
    assert "dvc repro codes" in capsys.readouterr().err
    assert run("check", "I10", "--type", "ICD9") == 2


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "E11.9\x1b[31m") == 1
    assert "\x1b" not in capsys.readouterr().out


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", "e11.22") == 0
    assert "Use additional: code to identify stage of chronic kidney disease" in capsys.readouterr().out
    assert run("explain", "E1122", "--type", "ICD10", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["code"] == "E11.22"
    assert run("explain", "E11.98") == 1
    assert "not_in_table" in capsys.readouterr().err


def test_search_with_and_without_the_phrasebook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = tmp_path / "phrases"
    book.mkdir()
    (book / "one.txt").write_text("ICD10 J20.9  Acute bronchitis, unspecified\n  lay  zebra cough\n")
    assert run("search", "zebra", "cough", "--phrasebook", str(book), "--json") == 0
    row = json.loads(capsys.readouterr().out)[0]
    assert (row["code"], row["matched"]) == ("J20.9", "zebra cough")
    assert run("search", "walker", "--type", "HCPCS", "--billable", "--limit", "2", "--phrasebook", "none") == 0
    assert capsys.readouterr().out.startswith("HCPCS  E01")
    assert run("search", "xyzzyq", "--phrasebook", "none") == 1


@pytest.mark.parametrize("action", ["check", "explain", "search"])
def test_help_has_an_example(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["codes", action, "--help"])
    assert f"thce codes {action}" in capsys.readouterr().out.partition("examples")[2]


def test_a_single_check_starts_at_once_and_stays_small(root: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "thce", "codes", "check", "E11.9", "--type", "ICD10"]
    start = time.perf_counter()
    child = subprocess.run(
        [*command, "--tables", str(folder())],
        env=os.environ | {"PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in child.stderr.splitlines() if line.startswith("import time:")}
    assert not loaded & {
        "numpy",
        "torch",
        "sklearn",
        "yaml",
        "openpyxl",
        "rapidfuzz",
        "simple_icd_10_cm",
        "thce.codes.tables",
    }
    assert time.perf_counter() - start < 2.0  # the figure is 0.25 s on a quiet machine; see benchmarks/codes_check.py
