"""`make reproduce` says the truth: the same bytes are called so, and what differs is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import small_project
from small_project import git

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).resolve().parent / "reproduce.py"


def reproduce(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--source", str(project), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return small_project.build(tmp_path / "project")


def test_the_same_bytes_are_called_so(project: Path) -> None:
    done = reproduce(project)
    assert done.returncode == 0, done.stderr
    assert "REPRODUCED: dvc.lock, 2 outputs" in done.stdout and "the committed run" in done.stdout
    assert "each other" in reproduce(project, "--clones", "2").stdout


@pytest.mark.parametrize("source", ["os.environ['TZ']", "hash('a')", "__import__('os').getcwd()"])
def test_an_output_that_depends_on_the_surroundings_is_named(project: Path, source: str) -> None:
    stage = project / "stage.py"
    text = stage.read_text(encoding="utf-8").replace("import sys", "import os, sys")
    stage.write_text(text + f"if name == 'two': Path(target).write_text(str({source}))\n", encoding="utf-8")
    git(project, "commit", "-qam", "not repeatable")
    done = reproduce(project, "--clones", "2") if "TZ" not in source else reproduce_in_utc(project)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "differs: two: two.txt" in done.stdout and "differs: one" not in done.stdout and "NOT REPRODUCED" in done.stdout


def reproduce_in_utc(project: Path) -> subprocess.CompletedProcess[str]:
    command = ["env", "TZ=UTC", sys.executable, str(SCRIPT), "--source", str(project), "--clones", "2"]
    return subprocess.run(command, capture_output=True, text=True)


def test_another_profile_needs_two_clones(project: Path) -> None:
    done = reproduce(project, "--params", "params.yaml")
    assert done.returncode == 2 and "--clones 2" in done.stderr
