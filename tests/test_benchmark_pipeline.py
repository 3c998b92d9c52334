"""`benchmarks/pipeline.py`: a command's cost is measured on its process, the stages are dvc.yaml's, the table adds up."""

from __future__ import annotations

import importlib.util
import json
import subprocess
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


MEASURE = """
import json, sys
sys.path.insert(0, "benchmarks")
import pipeline
from pathlib import Path
for command in json.loads(sys.argv[1]):
    cost = pipeline.measure("x", command, Path(sys.argv[2]))
    print(cost.name, cost.seconds, cost.processor, cost.peak_mib)
"""


def test_time_and_memory_are_those_of_the_command_and_its_children(tmp_path: Path) -> None:
    """In a process of its own: the memory of the one that measures is the least that can be seen."""
    busy = "import time; held = bytearray(96 * 2**20)\nwhile time.process_time() < 0.2: held[::4096] = bytes(96 * 2**8)"
    commands = [["sh", "-c", f"'{sys.executable}' -c '{busy}'; :"], ["sh", "-c", ":"]]
    command = [sys.executable, "-c", MEASURE, json.dumps(commands), str(tmp_path)]
    done = subprocess.run(command, cwd=smoke.ROOT, check=True, capture_output=True, text=True, env=smoke.environment())
    large, small = ([float(number) for number in line.split()[1:]] for line in done.stdout.splitlines())
    assert large[0] > 0 and large[1] >= 0.2 and 96 < large[2] < 512
    assert small[1] < large[1] and small[2] < 96


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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rows", "0"), "argument --rows: must be a whole number of at least 1, not `0`"),
        (("--systems", "coder", "--input", "nowhere.jsonl"), "error: nowhere.jsonl: no such file"),
    ],
)
def test_the_benchmark_of_the_coder_answers_bad_input_in_one_line(options: tuple[str, ...], said: str) -> None:
    command = [sys.executable, "benchmarks/coder.py", *options]
    done = subprocess.run(command, cwd=Path(__file__).resolve().parent.parent, capture_output=True, text=True)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
