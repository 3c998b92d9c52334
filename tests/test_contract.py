"""dvc.yaml says what is true: every stage declares the code, the files and the parameters it uses, and nothing else."""

from __future__ import annotations

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


def ignored(path: str) -> bool:
    """Whether Git ignores a path."""
    return subprocess.run(["git", "check-ignore", "-q", path], cwd=contract.ROOT).returncode == 0


@pytest.mark.parametrize("stage", PIPELINE)
def test_large_outputs_are_ignored_and_numbers_are_in_git(stage: str) -> None:
    for kind in ("outs", "metrics"):
        for entry in PIPELINE[stage].get(kind, []):
            path = names([entry])[0]
            in_git = isinstance(entry, dict) and entry[path].get("cache") is False
            assert in_git == path.startswith("metrics/"), f"dvc.yaml: {stage}: {path}"
            assert ignored(path) != in_git, f".gitignore: {path}"


@pytest.mark.parametrize("stage", PIPELINE)
def test_no_stage_depends_on_a_folder_another_stage_writes_into(stage: str) -> None:
    outs = {out for entry in PIPELINE.values() for out in names(entry.get("outs", []))}
    for path in PIPELINE[stage]["deps"]:
        below = [out for out in outs if out.startswith(f"{path}/")]
        assert not below, f"dvc.yaml: {stage}: depend on {below}, not on {path}"


def test_every_data_dependency_is_an_output_or_is_committed() -> None:
    outs = {out for entry in PIPELINE.values() for out in names(entry.get("outs", []) + entry.get("metrics", []))}
    for stage, entry in PIPELINE.items():
        for path in entry["deps"]:
            assert path in outs or Path(path).exists(), f"dvc.yaml: {stage}: {path} comes from nowhere"


def test_plots_name_fields_their_files_have() -> None:
    for entry in params.read_yaml("dvc.yaml").get("plots", []):
        for plot in entry.values():
            files: dict[str, Any] = plot["y"] if isinstance(plot["y"], dict) else {}
            for path, field in files.items():
                rows = __import__("json").loads(Path(path).read_text(encoding="utf-8"))
                for name in [field] if isinstance(field, str) else field:
                    assert rows and name in rows[0], f"dvc.yaml: plots: {path} has no field {name}"
                    assert plot["x"] in rows[0]


def test_a_seeded_fault_is_caught() -> None:
    script = contract.ROOT / "stages" / "stage1.py"
    used = contract.closure(script)
    assert "src/thce/modeling/fit.py" in used and "src/thce/seeds.py" in used
    assert "src/thce/coder/decode.py" not in used
