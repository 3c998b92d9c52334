"""params.yaml: read as DVC writes it, typed, and every fault named by its key."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from thce import params, profiles
from thce.errors import UserError
from thce.settings.modeling import BaseParams, Stage1Params

pytestmark = pytest.mark.unit


def write(tmp_path: Path, old: str, new: str) -> Path:
    text = Path("params.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def line(tmp_path: Path, key: str) -> str:
    section, _, name = key.partition(".")
    inside = False
    for text in Path("params.yaml").read_text(encoding="utf-8").splitlines():
        if not text.startswith((" ", "#")) and text.strip():
            inside = text.startswith(f"{section}:")
        elif inside and text.strip().startswith(f"{name}:"):
            return text
    raise AssertionError(key)


def test_the_shipped_files_are_without_fault() -> None:
    assert profiles.check("params.yaml") == []
    for path in sorted(Path("configs").glob("*.yaml")):
        if path.name != "collect_example.yaml":
            assert profiles.check(path) == [], path


@pytest.mark.parametrize(
    ("written", "value"),
    [("1e-05", 1e-05), ("0.001", 0.001), ("1", 1.0), ("1.5E-3", 0.0015), (".5", 0.5), ("+1e-3", 0.001)],
)
def test_numbers_mean_what_yaml_1_2_says(tmp_path: Path, written: str, value: float) -> None:
    path = write(tmp_path, line(tmp_path, "stage1.learning_rate"), f"  learning_rate: {written}")
    loaded = params.load(Stage1Params, path).learning_rate
    assert loaded == value and isinstance(loaded, float)


@pytest.mark.parametrize("word", ["no", "on", "off", "yes", "12:30:45", "y"])
def test_words_stay_words(tmp_path: Path, word: str) -> None:
    path = write(tmp_path, line(tmp_path, "base.source"), f"  source: {word}")
    assert params.load(BaseParams, path).source == word


def test_an_unknown_key_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    old = line(tmp_path, "stage1.learning_rate")
    path = write(tmp_path, old, f"{old}\n  learnin_rate: 1")
    with pytest.raises(UserError, match=r"stage1\.|stage1: learnin_rate: unknown key; did you mean `learning_rate`"):
        params.load(Stage1Params, path)


def test_a_section_does_not_see_the_faults_of_another(tmp_path: Path) -> None:
    old = line(tmp_path, "stage1.learning_rate")
    path = write(tmp_path, old, "  learning_rate: fast")
    assert params.load(BaseParams, path).source
    with pytest.raises(UserError, match=r"stage1.learning_rate: must be a number, not `fast`"):
        params.load(Stage1Params, path)


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("base.layers", "2.5", "must be a whole number"),
        ("base.layers", "true", "must be a whole number"),
        ("base.layers", "0", "must be at least 1"),
        ("stage1.precision", "int8", "must be one of auto, bf16, fp32"),
        ("stage1.warmup", "1.5", "must be at most 1"),
        ("stage3.loss_type", "sigmoid", "must be a list"),
        ("codes.cpt", "maybe", "must be one of off, demo"),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, key: str, value: str, fault: str) -> None:
    path = write(tmp_path, line(tmp_path, key), f"  {key.partition('.')[2]}: {value}")
    faults = profiles.check(path)
    assert any(key in text and fault in text for text in faults), faults


@pytest.mark.parametrize(
    ("old", "fault"),
    [
        ("    - own\n", "stage3.origins: must be one of own, completed, mended, built, uncoded, not `mine`"),
        ("    - known\n", "evaluate.test_sets: must be one of known, unseen_phrase"),
    ],
)
def test_an_unknown_name_in_a_list_is_named(tmp_path: Path, old: str, fault: str) -> None:
    faults = profiles.check(write(tmp_path, old, "    - mine\n"))
    assert len(faults) == 1 and fault in faults[0]


def test_a_missing_key_section_and_seed_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, line(tmp_path, "stage1.epochs"), "")
    assert any("stage1.epochs: missing" in fault for fault in profiles.check(path))
    path.write_text("seed: x\n", encoding="utf-8")
    faults = profiles.check(path)
    assert any("seed" in fault and "whole number" in fault for fault in faults)
    assert any("stage2: section is missing" in fault for fault in faults)


def test_broken_yaml_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("seed: 1\nstage1: [\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"params\.yaml:\d+: not valid YAML"):
        params.load(Stage1Params, path)


def test_every_key_has_a_meaning() -> None:
    for name, section in profiles.SECTIONS.items():
        documented = profiles.documentation(section)
        for field in dataclasses.fields(section):
            assert documented.get(field.name), f"{name}.{field.name} has no docstring"


def test_a_profile_replaces_params_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    target = profiles.use("smoke", target=tmp_path / "params.yaml")
    assert target.read_text(encoding="utf-8") == Path("configs/smoke.yaml").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="no such profile"):
        profiles.use("huge", target=target)


def test_the_default_profile_is_params_yaml() -> None:
    assert params.read_yaml("params.yaml") == params.read_yaml("configs/default.yaml")
