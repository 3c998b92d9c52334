"""The recipes of docs/experiments.md, run: a sweep in the queue, comparing, taking over, sharing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import smoke
import yaml
from smoke import dvc, git

from thce import experiments, params

HOUR = pytest.mark.timeout(3600)
"""For a loaded machine."""


def pipeline(test: Callable[..., None]) -> Callable[..., None]:
    """Marks a recipe that is run for real."""
    return pytest.mark.long(HOUR(test))


def thce(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "thce", *arguments], cwd=folder, env=smoke.environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def base(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smoke run, committed: what an experiment starts from."""
    folder = tmp_path_factory.mktemp("base") / "project"
    shutil.copytree(smoke_run, folder)
    git(folder, "commit", "-qam", "smoke run")
    return folder


@pytest.fixture(scope="module")
def swept(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six experiments, a grid over two parameters, run by two workers while the live code is broken."""
    folder = tmp_path_factory.mktemp("swept") / "project"
    shutil.copytree(base, folder)
    dvc(folder, "exp", "run", "--queue", "-S", "evaluate.bins=5,10,20", "-S", "evaluate.examples=1,2")
    module = folder / "src" / "thce" / "evaluation" / "report.py"
    module.write_text("raise SystemExit('the live code, not the queued one')\n", encoding="utf-8")
    dvc(folder, "queue", "start", "-j", "2")
    while re.search(r"Running|Queued", dvc(folder, "queue", "status")):  # the test's own timeout ends it
        time.sleep(3)
    git(folder, "checkout", "-q", "src")
    return folder


@pipeline
def test_six_queued_experiments_run_the_queued_code(swept: Path) -> None:
    printed = dvc(swept, "queue", "status")
    assert printed.count("Success") == 6 and "Failed" not in printed


@pipeline
def test_the_lock_of_each_queued_experiment_is_consistent(swept: Path, base: Path) -> None:
    """Its own parameters, the runs of the commit it began at for all else; the lock of the workspace is untouched."""
    assert (swept / "dvc.lock").read_bytes() == (base / "dvc.lock").read_bytes()
    begun = yaml.safe_load((base / "dvc.lock").read_bytes())["stages"]
    seen = set()
    for reference in git(swept, "for-each-ref", "--format=%(refname)", "refs/exps/").split():
        if not re.match(r"refs/exps/[0-9a-f]{2}/", reference):
            continue  # the queue's own
        stages = yaml.safe_load(git(swept, "show", f"{reference}:dvc.lock"))["stages"]
        settings = yaml.safe_load(git(swept, "show", f"{reference}:params.yaml"))["evaluate"]
        assert stages["evaluate"]["params"]["params.yaml"]["evaluate"] == settings
        same = [name for name in smoke.STAGES if name not in ("baselines", "evaluate", "report")]
        assert [stages[name] for name in same] == [begun[name] for name in same]
        written = {out["path"]: out["md5"] for out in stages["evaluate"]["outs"]}
        read = {dep["path"]: dep["md5"] for dep in stages["report"]["deps"]}
        both = written.keys() & read.keys()
        assert both and all(written[path] == read[path] for path in both)
        seen.add((settings["bins"], settings["examples"]))
    assert seen == {(bins, examples) for bins in (5, 10, 20) for examples in (1, 2)}


@pipeline
def test_an_experiment_in_a_copy_leaves_the_workspace_alone(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(base, folder)
    before = smoke.results(folder)
    command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "-n", "in-a-copy", "-S", "evaluate.bins=5"]
    run = subprocess.Popen(command, cwd=folder, env=smoke.environment(), stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    ran = []
    for line in run.stdout:
        if found := re.match(r"Running stage '(\w+)'", line):
            ran.append(found[1])
            module = folder / "src" / "thce" / "evaluation" / "report.py"  # of the stage that is still to come
            module.write_text("raise SystemExit('the live code')\n", encoding="utf-8")
    assert run.wait() == 0 and ran == ["baselines", "evaluate", "report"]
    assert smoke.results(folder) == before
    git(folder, "checkout", "-q", "src")
    assert git(folder, "status", "--porcelain") == ""
    dvc(folder, "exp", "apply", "in-a-copy")
    assert "up to date" in dvc(folder, "status")
    assert params.read_yaml(folder / "params.yaml")["evaluate"]["bins"] == 5
    dvc(folder, "exp", "remove", "in-a-copy")
    assert "in-a-copy" not in dvc(folder, "exp", "list")


@pipeline
def test_the_short_table_has_a_row_each_and_only_what_differs(swept: Path) -> None:
    rows = json.loads(thce(swept, "experiments", "--json"))
    ran = [row for row in rows if row["state"] in ("done", "success")]
    assert {(row["params"]["evaluate.bins"], row["params"]["evaluate.examples"]) for row in ran} == {
        (bins, examples) for bins in (5, 10, 20) for examples in (1, 2)
    }
    header, *lines = thce(swept, "experiments", "--sort", "known").splitlines()
    assert header.split()[:4] == ["experiment", "state", "evaluate.bins", "evaluate.examples"] and "known" in header
    assert len(lines) == 8 and len(header) <= 132  # a wide terminal


@pipeline
def test_diff_apply_branch_and_plots(swept: Path) -> None:
    name = next(
        row["experiment"]
        for row in json.loads(thce(swept, "experiments", "--json"))
        if row["params"]["evaluate.bins"] == 5 and row["state"] in ("done", "success")
    )
    assert "evaluate.bins" in dvc(swept, "exp", "diff", name)
    dvc(swept, "exp", "branch", name, "five-bins")
    assert "five-bins" in git(swept, "branch")
    dvc(swept, "exp", "apply", name)
    assert params.read_yaml(swept / "params.yaml")["evaluate"]["bins"] == 5
    assert "up to date" in dvc(swept, "status")
    assert "Running stage" not in dvc(swept, "repro")
    assert "calibration" in dvc(swept, "metrics", "diff", "--targets", "metrics/evaluate.json")
    dvc(swept, "plots", "diff", "-o", "plots_of_two", "HEAD")
    page = (swept / "plots_of_two" / "index.html").read_text(encoding="utf-8")
    for title in ("Training loss", "gradient norm", "reward margin", "Exact answers per test set", "Chapters", "Confidence"):
        assert title in page, title


@pipeline
def test_a_folder_as_remote_serves_a_fresh_clone(base: Path, tmp_path: Path) -> None:
    dvc(base, "remote", "add", "--default", "--force", "store", str(tmp_path / "store"))
    dvc(base, "push")
    git(base, "commit", "-qam", "a remote")

    pulled = tmp_path / "pulled"
    git(tmp_path, "clone", "-q", str(base), str(pulled))
    dvc(pulled, "pull")
    assert "up to date" in dvc(pulled, "status") and git(pulled, "status", "--porcelain") == ""

    lazy = tmp_path / "lazy"
    git(tmp_path, "clone", "-q", str(base), str(lazy))
    settings = (lazy / "params.yaml").read_text(encoding="utf-8")
    (lazy / "params.yaml").write_text(settings.replace("k1: 1.2", "k1: 1.3"), encoding="utf-8")
    printed = dvc(lazy, "repro", "--pull", "--allow-missing", "baselines")
    assert re.findall(r"^Running stage '(\w+)'", printed, re.MULTILINE) == ["baselines"]
    assert (lazy / "data/prepared/test_known.jsonl").is_file() and not (lazy / "models").exists()

    dvc(tmp_path, "get", str(base), "models/stage3", "-o", "fetched")
    assert (tmp_path / "fetched/model.safetensors").read_bytes() == (base / "models/stage3/model.safetensors").read_bytes()

    git(base, "tag", "-a", "coder@v1.0.0", "-m", "the coder")
    dvc(tmp_path, "artifacts", "get", str(base), "coder", "-o", "named")
    assert (tmp_path / "named/model.safetensors").read_bytes() == (base / "models/stage3/model.safetensors").read_bytes()


def revision(name: str | None, beta: float, exact: float | None) -> dict[str, Any]:
    metrics = {"metrics/evaluate.json": {"data": {"systems": {"system": {"fused": {"known": {"exact": {"value": exact}}}}}}}}
    data = {"params": {"params.yaml": {"data": {"seed": 1, "stage3": {"beta": beta}}}}, "metrics": metrics}
    return {"rev": name or "0123456789", "name": name, "data": data, "error": None, "experiments": None}


@pytest.mark.unit
def test_rows_and_columns_of_the_short_table() -> None:
    queued = {"revs": [revision("late", 0.3, 0.5)], "executor": {"state": "queued"}, "name": "late"}
    done = {"revs": [revision("early", 0.2, 0.75)], "executor": None, "name": "early"}
    broken = {"rev": "abcdef0123", "name": "bad", "data": None, "error": {"msg": "x"}, "experiments": None}
    shown = [{**revision("main", 0.1, 0.5), "experiments": [queued, done, {"revs": [broken], "executor": None}]}]
    assert experiments.table(experiments.rows(shown)) == [
        ["experiment", "state", "stage3.beta", "known"],
        ["main", "", "0.1", "0.5"],
        ["late", "queued", "0.3", "-"],
        ["early", "done", "0.2", "0.75"],
        ["bad", "failed", "-", "-"],
    ]
    assert experiments.rows(shown, r"systems\..*value")[0]["metrics"] == {"systems.system.fused.known.exact.value": 0.5}
