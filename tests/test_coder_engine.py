"""`thce code --engine ray`: the cluster's rows are those of one process; without Ray the mend is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from coder_models import calibrated, rows, taught
from codes_tables import folder

from thce import cli

NOTES = [row[1]["content"] for row in rows(True)]


def source(path: Path, count: int) -> Path:
    """Notes of several days and code types, one without text."""
    items = [
        {"id": f"n{i}", "narrative": NOTES[i % len(NOTES)], "code_type": (None, "ICD10", "HCPCS")[i % 3]} for i in range(count)
    ]
    items[3]["narrative"] = ""
    items[4]["date"] = "2026-01-02"
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return path


def places() -> list[str]:
    return ["--model", str(taught()), "--coder", str(calibrated()), "--codes", str(folder())]


@pytest.mark.unit
def test_without_ray_the_mend_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    notes = source(tmp_path / "in.jsonl", 5)
    assert cli.main(["code", "--input", str(notes), "--engine", "ray", *places()]) == 2
    assert "pip install -c constraints.txt -e '.[ray]'" in capsys.readouterr().err


@pytest.mark.long
def test_a_cluster_gives_the_bytes_of_one_process(tmp_path: Path) -> None:
    """In processes of their own, so that the cluster of this machine ends with the run."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install -c constraints.txt -e '.[ray]'")
    count = 80
    notes = source(tmp_path / "in.jsonl", count)
    src = Path(__file__).resolve().parent.parent / "src"
    env = {**os.environ, "PYTHONPATH": str(src), "RAY_ADDRESS": "local"}
    command = [sys.executable, "-m", "thce", "code", "--input", str(notes), "--audit", *places()]
    for name, more in (("one", []), ("ray", ["--engine", "ray", "--workers", "2"])):
        done = subprocess.run([*command, "--output", str(tmp_path / name), *more], env=env, capture_output=True, text=True)
        assert done.returncode == 1, done.stderr  # the note without text
        assert done.stdout == "" and "1 rows could not be coded" in done.stderr
    assert (tmp_path / "ray").read_bytes() == (tmp_path / "one").read_bytes()
    assert (tmp_path / "one").read_bytes().count(b"\n") == count
    # fewer processors than workers
    few = subprocess.run([*command, "--engine", "ray", "--workers", "4096"], env=env, capture_output=True, text=True)
    assert few.returncode == 2 and "processors of the cluster" in few.stderr and "Traceback" not in few.stderr
