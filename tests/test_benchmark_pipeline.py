"""`benchmarks/pipeline.py`: a command's cost is measured on its process, the stages are dvc.yaml's, the table adds up."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import smoke
import yaml

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def pipeline() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_pipeline", smoke.ROOT / "benchmarks" / "pipeline.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_time_and_memory_are_those_of_the_command_and_its_children(pipeline: ModuleType, tmp_path: Path) -> None:
    busy = "import time; held = bytearray(64 * 2**20)\nwhile time.process_time() < 0.2: held[::4096] = bytes(2**14)"
    cost = pipeline.measure("busy", ["sh", "-c", f"'{sys.executable}' -c '{busy}'; :"], tmp_path)
    assert cost.name == "busy" and cost.processor >= 0.2 and cost.seconds > 0
    assert 64 < cost.peak_mib < 512
    small = pipeline.measure("small", ["sh", "-c", ":"], tmp_path)
    assert small.peak_mib < cost.peak_mib and small.processor < cost.processor


def test_a_command_that_fails_ends_the_run_with_what_it_said(pipeline: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"(?s)stage1: exit code 3.*no room"):
        pipeline.measure("stage1", ["sh", "-c", "echo no room >&2; exit 3"], tmp_path)


def test_stages_run_in_the_order_of_the_pipeline(pipeline: ModuleType) -> None:
    found = yaml.safe_load((smoke.ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    made: set[str] = set()  # dvc.yaml lists a stage behind those it needs
    every = {out if isinstance(out, str) else next(iter(out)) for stage in found.values() for out in stage["outs"]}
    for name, stage in found.items():
        assert set(stage["deps"]) & every <= made, name
        made |= {out if isinstance(out, str) else next(iter(out)) for out in stage["outs"]}
    assert pipeline.wanted(tuple(found), "") == tuple(found)
    assert pipeline.wanted(tuple(found), "report,base") == ("base", "report")
    with pytest.raises(SystemExit, match="no stage stage9; there are codes, "):
        pipeline.wanted(tuple(found), "stage9,base")


def test_the_table_adds_up(pipeline: ModuleType) -> None:
    rows = [pipeline.Cost("codes", 1.26, 1.5, 200), pipeline.Cost("stage2", 1300.0, 2500.04, 5300)]
    assert pipeline.table([*rows, pipeline.total(rows)]).splitlines() == [
        "| | seconds | processor | peak MiB |",
        "|---|---|---|---|",
        "| codes | 1.3 | 1.5 | 200 |",
        "| stage2 | 1,300.0 | 2,500.0 | 5,300 |",
        "| all | 1,301.3 | 2,501.5 | 5,300 |",
    ]
