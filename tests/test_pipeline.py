"""The pipeline as a user runs it, at smoke size, in clones of this checkout: complete, repeatable to the byte, and lazy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import reproduce
import smoke
from smoke import dvc

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


def test_a_second_clone_gives_the_same_bytes(smoke_run: Path, tmp_path: Path) -> None:
    """Another hash seed, time zone, locale, home, path, umask and number of cores: the same lock, models and metrics."""
    second = smoke.again(smoke_run, tmp_path / "another näme")
    before, other = reproduce.surroundings(tmp_path)
    dvc(second, "repro", before=before, **other)
    assert smoke.results(second) == smoke.results(smoke_run)
    for path in sorted((smoke_run / "models").rglob("*.safetensors")):
        assert (second / path.relative_to(smoke_run)).read_bytes() == path.read_bytes(), path


def test_nothing_runs_twice(first: Path) -> None:
    begin = time.monotonic()
    printed = dvc(first, "repro")
    assert "Running stage" not in printed and "up to date" in printed
    assert time.monotonic() - begin < 15  # 1.5 s on an idle machine; tests share theirs


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


WATCH = """
import os, runpy, sys
root, seen = os.getcwd() + os.sep, set()
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if path.startswith(root) and isinstance(arguments[1], str) and "r" in arguments[1]:
            seen.add(os.path.relpath(path, root).replace(os.sep, "/"))
sys.addaudithook(hook)
sys.path.insert(0, os.path.join(root, "stages"))
sys.argv = [sys.argv[1]]
runpy.run_path(sys.argv[0], run_name="__main__")
print("OPENED " + " ".join(sorted(seen)))
"""


@pytest.mark.parametrize(
    "stage", ["codes", "narratives", "prepare", "base", "pairs", "calibrate", "baselines", "evaluate", "report"]
)
def test_declared_data_are_the_files_a_stage_opens(first: Path, stage: str) -> None:
    entry = params.read_yaml(first / "dvc.yaml")["stages"][stage]
    deps = [path for path in entry["deps"] if not path.endswith(".py")]
    outs = [next(iter(out)) if isinstance(out, dict) else out for out in entry.get("outs", []) + entry.get("metrics", [])]
    for out in outs:  # as dvc does before it runs a stage: outputs may be links into its cache
        path = first / out
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    command = [sys.executable, "-c", WATCH, f"stages/{stage}.py"]
    done = subprocess.run(command, cwd=first, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    opened = done.stdout.rpartition("OPENED ")[2].split()
    data = [path for path in opened if path.startswith(("data/", "metrics/", "models/"))]

    def below(path: str, folders: list[str]) -> bool:
        return any(path == one or path.startswith(f"{one}/") for one in folders)

    undeclared = [path for path in data if not below(path, [*deps, *outs]) and not path.endswith(".part")]
    assert not undeclared, f"dvc.yaml: {stage}: add {undeclared}"
    # code tables are opened when an answer calls for them, which at smoke size none may
    may_wait = ("data/licensed", "data/codes/") if stage in ("pairs", "baselines", "evaluate") else ("data/licensed",)
    unused = [one for one in deps if not one.startswith(may_wait) and not any(below(path, [one]) for path in opened)]
    assert not unused, f"dvc.yaml: {stage}: remove {unused}"
