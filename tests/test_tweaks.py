"""Which stages run again when one parameter changes: written down here, and held against what DVC says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import chdir
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
import smoke
import yaml
from dvc.repo import Repo
from smoke import dvc

from thce import params

pytestmark = pytest.mark.pipeline

# key or section -> stages that read it | further stages that run if those then give another output
TABLE = """
codes       codes                                                                | narratives prepare base stage1 stage2 pairs stage3 calibrate baselines evaluate report
narratives  narratives                                                           | prepare base stage1 stage2 pairs stage3 calibrate baselines evaluate report
prepare     prepare                                                              | base stage1 stage2 pairs stage3 calibrate baselines evaluate report
base        base                                                                 | stage1 stage2 pairs stage3 calibrate evaluate report
stage1      stage1                                                               | stage2 pairs stage3 calibrate evaluate report
stage2      stage2                                                               | pairs stage3 calibrate evaluate report
pairs       pairs                                                                | stage3 calibrate evaluate report
stage3      stage3                                                               | calibrate evaluate report
coder       calibrate                                                            | evaluate report
baselines   baselines                                                            | evaluate report
evaluate    baselines evaluate                                                   | report
threads     base stage1 stage2 pairs stage3 calibrate evaluate                   | report
seed        narratives prepare base stage1 stage2 pairs stage3 calibrate baselines evaluate | report
"""  # noqa: E501
READ: dict[str, set[str]] = {}
AFTER: dict[str, set[str]] = {}
for _line in TABLE.strip().splitlines():
    _key, _, _rest = _line.partition(" ")
    READ[_key], AFTER[_key] = (set(part.split()) for part in _rest.split("|"))

Leaf = tuple[str, ...]


def leaves(value: Any, path: Leaf = ()) -> Iterator[Leaf]:
    """Every key that holds a value and not further keys."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    else:
        yield path


def tweaked(value: Any) -> Any:
    """Another value of a like kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return [*value, *(value[:1] or ["x"])] if isinstance(value, list) else f"{value}x"


def tweak(settings: dict[str, Any], leaf: Leaf) -> None:
    for name in leaf[:-1]:
        settings = settings[name]
    settings[leaf[-1]] = tweaked(settings[leaf[-1]])


@pytest.fixture(scope="module")
def locked(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smoke run's lock without its outputs: all that is needed to ask what would be stale."""
    folder = smoke.again(smoke_run, tmp_path_factory.mktemp("tweaks") / "clone")
    shutil.copyfile(smoke_run / "dvc.lock", folder / "dvc.lock")
    return folder


def stale(folder: Path) -> dict[str, set[str]]:
    """Stage -> the keys of params.yaml that make it stale, as `dvc status` says, asked without starting it."""
    found: dict[str, set[str]] = {}
    with chdir(folder), Repo() as repo:
        status = repo.status()
    for stage, entries in status.items():
        for entry in entries:
            keys = entry.get("changed deps", {}).get("params.yaml", {})
            if keys:
                found[stage] = set(keys)
    return found


def test_the_table_names_every_key() -> None:
    assert set(READ) == set(params.read_yaml("params.yaml"))


def test_every_leaf_makes_exactly_its_stages_stale(locked: Path) -> None:
    """One leaf of every section at a time, so that one call of DVC answers for all sections."""
    path = locked / "params.yaml"
    text = path.read_text(encoding="utf-8")
    settings = params.read_yaml(path)
    assert stale(locked) == {}
    by_section = [list(leaves(value, (key,))) for key, value in settings.items()]
    asked = 0
    try:
        for batch in zip_longest(*by_section):
            chosen = [leaf for leaf in batch if leaf]
            changed = params.read_yaml(locked / "configs" / "smoke.yaml")
            for leaf in chosen:
                tweak(changed, leaf)
            path.write_text(yaml.safe_dump(changed, sort_keys=False), encoding="utf-8")
            sections = {leaf[0] for leaf in chosen}
            expected = {stage: {key for key in sections if stage in READ[key]} for stage in smoke.STAGES}
            assert stale(locked) == {stage: keys for stage, keys in expected.items() if keys}, chosen
            asked += len(chosen)
    finally:
        path.write_text(text, encoding="utf-8")
    assert asked == len(list(leaves(settings))) > 100


def test_what_follows_is_what_the_graph_says(locked: Path) -> None:
    follows: dict[str, set[str]] = {stage: set() for stage in smoke.STAGES}
    for before, after in re.findall(r'"(\w+)" -> "(\w+)"', dvc(locked, "dag", "--dot")):
        follows[before].add(after)

    def reached(stages: set[str]) -> set[str]:
        more = {after for stage in stages for after in follows[stage]} - stages
        return reached(stages | more) if more else stages

    for key, stages in READ.items():
        assert reached(stages) - stages == AFTER[key], key


def test_comments_and_layout_of_params_yaml_make_nothing_stale(locked: Path) -> None:
    path = locked / "params.yaml"
    text = path.read_text(encoding="utf-8")
    plain = yaml.safe_dump(params.read_yaml(path), sort_keys=True)
    assert "#" in text and "#" not in plain
    try:
        path.write_text(plain, encoding="utf-8")
        assert stale(locked) == {}
    finally:
        path.write_text(text, encoding="utf-8")
