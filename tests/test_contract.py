"""dvc.yaml says what is true: every stage declares the code, the files and the parameters it uses, and nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import contract
import pytest

from thce import params, profiles

pytestmark = pytest.mark.unit

PIPELINE: dict[str, dict[str, Any]] = params.read_yaml("dvc.yaml")["stages"]


def names(entries: list[Any]) -> list[str]:
    """The paths of a deps, outs, metrics or plots list, whether plain or with options."""
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


KINDS = ("outs", "metrics", "plots")


def outputs(entry: dict[str, Any]) -> list[str]:
    """Every path a stage writes."""
    return [path for kind in KINDS for path in names(entry.get(kind, []))]


@pytest.mark.parametrize("stage", PIPELINE)
def test_code_dependencies_are_the_import_closure(stage: str) -> None:
    script = contract.ROOT / "stages" / f"{stage}.py"
    declared = {path for path in PIPELINE[stage]["deps"] if path.endswith(".py")}
    used = contract.closure(script)
    assert declared == used, f"dvc.yaml: {stage}: add {sorted(used - declared)}, remove {sorted(declared - used)}"


@pytest.mark.parametrize("stage", PIPELINE)
def test_declared_parameters_are_the_sections_loaded(stage: str) -> None:
    used = contract.sections(contract.ROOT / "stages" / f"{stage}.py")
    declared = set(PIPELINE[stage].get("params", []))
    assert declared == used, f"dvc.yaml: {stage}: add {sorted(used - declared)}, remove {sorted(declared - used)}"


def test_every_section_is_read_by_a_stage() -> None:
    declared = {name for stage in PIPELINE.values() for name in stage.get("params", [])}
    assert declared == {*profiles.SECTIONS, *profiles.SCALARS}


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_stage_is_one_plain_command(stage: str) -> None:
    entry = PIPELINE[stage]
    assert entry["cmd"] == f"python stages/{stage}.py"
    assert entry["desc"].endswith(".")
    assert not {"foreach", "matrix", "always_changed", "frozen", "wdir"} & set(entry)
    for kind in ("deps", "params"):
        listed = names(entry.get(kind, []))
        assert listed == sorted(set(listed)), f"dvc.yaml: {stage}.{kind} is not sorted or repeats itself"
    outs = [path for kind in KINDS for path in names(entry.get(kind, []))]
    assert len(outs) == len(set(outs)), f"dvc.yaml: {stage}: an output is listed twice"


def ignored(path: str) -> bool:
    """Whether Git ignores a path."""
    return subprocess.run(["git", "check-ignore", "-q", path], cwd=contract.ROOT).returncode == 0


@pytest.mark.parametrize("stage", PIPELINE)
def test_large_outputs_are_ignored_and_numbers_are_in_git(stage: str) -> None:
    for kind in KINDS:
        for entry in PIPELINE[stage].get(kind, []):
            path = names([entry])[0]
            in_git = isinstance(entry, dict) and entry[path].get("cache") is False
            assert in_git == path.startswith("metrics/"), f"dvc.yaml: {stage}: {path}"
            assert ignored(path) != in_git, f".gitignore: {path}"


@pytest.mark.parametrize("stage", PIPELINE)
def test_no_stage_depends_on_a_folder_another_stage_writes_into(stage: str) -> None:
    outs = {out for entry in PIPELINE.values() for out in outputs(entry)}
    for path in PIPELINE[stage]["deps"]:
        below = [out for out in outs if out.startswith(f"{path}/")]
        assert not below, f"dvc.yaml: {stage}: depend on {below}, not on {path}"


def test_every_data_dependency_is_an_output_or_is_committed() -> None:
    outs = {out for entry in PIPELINE.values() for out in outputs(entry)}
    for stage, entry in PIPELINE.items():
        for path in entry["deps"]:
            assert path in outs or Path(path).exists(), f"dvc.yaml: {stage}: {path} comes from nowhere"


@pytest.mark.parametrize("stage", PIPELINE)
def test_dvc_can_remember_every_run_but_the_reports(stage: str) -> None:
    """It remembers no run of a stage with an uncached file among its `outs`; uncached metrics and plots do no harm."""
    uncached = [entry for entry in PIPELINE[stage].get("outs", []) if not isinstance(entry, str)]
    assert bool(uncached) == (stage == "report"), f"dvc.yaml: {stage}: {uncached} belong to metrics or plots"


def charts() -> list[tuple[str, str, Any]]:
    """(file, x, y) of every chart of dvc.yaml."""
    top = [plot for entry in params.read_yaml("dvc.yaml")["plots"] for plot in entry.values()]
    found = [(path, plot["x"], field) for plot in top for path, field in plot["y"].items()]
    own = [one for entry in PIPELINE.values() for one in entry.get("plots", [])]
    return found + [(path, plot["x"], plot["y"]) for one in own for path, plot in one.items()]


@pytest.mark.parametrize(("path", "x", "y"), charts())
def test_charts_name_fields_their_files_have(path: str, x: str, y: str) -> None:
    rows = json.loads(Path(path).read_text(encoding="utf-8"))
    assert rows and {x, y} <= rows[0].keys(), f"dvc.yaml: plots: {path}"


def test_a_seeded_fault_is_caught() -> None:
    script = contract.ROOT / "stages" / "stage1.py"
    used = contract.closure(script)
    assert "src/thce/modeling/fit.py" in used and "src/thce/seeds.py" in used
    assert "src/thce/coder/decode.py" not in used
