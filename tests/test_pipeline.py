"""The pipeline as a user runs it, at smoke size, in a clone of this checkout: complete, and lazy."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from smoke import STAGES, dvc, git, results

from thce import params

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def first(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the smoke run, so that tests may change it."""
    folder = tmp_path_factory.mktemp("copy") / "first"
    shutil.copytree(smoke_run, folder)
    return folder


def test_every_stage_leaves_its_outputs_and_metrics(first: Path) -> None:
    assert dvc(first, "status").strip().endswith("up to date.")
    metrics = json.loads((first / "metrics" / "evaluate.json").read_text(encoding="utf-8"))
    assert metrics
    for name in ("stage1", "stage2", "stage3"):
        assert (first / "models" / name / "model.safetensors").is_file()
    assert not (first / ".checkpoints").exists() or not list((first / ".checkpoints").glob("*/*/checkpoint-*"))


def test_outputs_name_no_path_of_the_machine(smoke_run: Path) -> None:
    here = str(smoke_run)
    for path in sorted(smoke_run.rglob("*")):
        if path.is_file() and ".git" not in path.parts and ".dvc" not in path.parts and path.stat().st_size < 50_000_000:
            assert here.encode() not in path.read_bytes(), path


def test_nothing_runs_twice(first: Path) -> None:
    printed = dvc(first, "repro")
    assert "Running stage" not in printed and "up to date" in printed


def test_a_lost_lock_costs_no_training(smoke_run: Path, tmp_path: Path) -> None:
    """DVC remembers the run of every stage but `report`, whose pages are in Git and neither metric nor plot data."""
    folder = tmp_path / "lost"
    shutil.copytree(smoke_run, folder)
    (folder / "dvc.lock").unlink()
    for name in ("models", "metrics", "data/codes", "data/narratives", "data/prepared", "data/pairs", "data/predictions"):
        shutil.rmtree(folder / name)
    printed = dvc(folder, "repro")
    assert re.findall(r"^Running stage '(\w+)'", printed, re.MULTILINE) == ["report"]
    assert re.findall(r"^Stage '(\w+)' is cached", printed, re.MULTILINE) == [name for name in STAGES if name != "report"]
    assert results(folder) == results(smoke_run)
    assert git(folder, "status", "--porcelain") == git(smoke_run, "status", "--porcelain")
    for path in sorted((smoke_run / "models").rglob("*")):
        assert path.is_dir() or (folder / path.relative_to(smoke_run)).read_bytes() == path.read_bytes(), path


def test_an_experiment_runs_only_what_depends_on_it(first: Path) -> None:
    printed = dvc(first, "exp", "run", "-S", "stage3.beta=0.3")
    ran = [line.split("'")[1] for line in printed.splitlines() if line.startswith("Running stage '")]
    assert ran == ["stage3", "calibrate", "evaluate", "report"]
    assert "stage3" in dvc(first, "metrics", "diff")
    assert params.read_yaml(first / "params.yaml")["stage3"]["beta"] == 0.3


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (("params.yaml", "seed: ", "sed: 1\nseed: "), None),
        (("params.yaml", "  cpt: demo", "  cpt: demo\n  cptt: 1"), "codes: cptt: unknown key"),
        (("params.yaml", "  cpt: demo", "  cpt: 7"), "codes.cpt: must be text"),
    ],
)
def test_a_bad_parameter_stops_with_one_line(first: Path, edit: tuple[str, str, str], fault: str | None) -> None:
    name, old, new = edit
    path = first / name
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new, 1), encoding="utf-8")
    try:
        done = subprocess.run([sys.executable, "stages/codes.py"], cwd=first, capture_output=True, text=True)
        if fault is None:
            assert done.returncode == 0  # a stage sees its own section alone; `thce params check` sees the whole file
        else:
            assert done.returncode == 2 and fault in done.stderr and "Traceback" not in done.stderr
            assert len(done.stderr.strip().splitlines()) == 1
    finally:
        path.write_text(before, encoding="utf-8")
