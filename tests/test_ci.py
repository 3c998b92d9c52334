"""The files for other programs: the workflow runs what the Makefile has, hooks run here, variables are those we read."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import smoke
import yaml

from thce import profiles

pytestmark = pytest.mark.unit

WORKFLOW: dict[Any, Any] = yaml.safe_load((smoke.ROOT / ".github/workflows/tests.yaml").read_text(encoding="utf-8"))
STEPS = [(name, step) for name, job in WORKFLOW["jobs"].items() for step in job["steps"]]
MAKEFILE = (smoke.ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


def test_what_the_workflow_runs_is_there() -> None:
    targets = {word for _, step in STEPS for word in re.findall(r"^make (\w+)$", step.get("run", ""), re.MULTILINE)}
    assert {"lint", "unit", "pipeline", "lock", "docs", "dist"} <= targets <= TARGETS
    phony = set(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[0].split())
    assert phony == TARGETS


def test_every_kind_of_check_is_in_the_workflow() -> None:
    """Lint and types, tests and notebooks, a run of the pipeline, the lock, site and package: by what the targets do."""
    recipe = {name: re.search(rf"^{name}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE) for name in TARGETS}
    does = {name: found[1] if found else "" for name, found in recipe.items()}
    assert "ruff check" in does["lint"] and "ruff format --check" in does["lint"] and "mypy" in does["lint"]
    assert "mkdocs build" in does["docs"] and "-m build" in does["dist"]
    assert "dvc repro --dry" in does["lock"]
    assert '"unit and not pipeline"' in does["unit"] and "-m pipeline" in does["pipeline"]
    marks = {path.stem: path.read_text(encoding="utf-8") for path in (smoke.ROOT / "tests").glob("test_*.py")}
    assert "pytestmark = pytest.mark.unit" in marks["test_notebooks"] and "NotebookClient" in marks["test_notebooks"]
    named = [word for _, step in STEPS for word in re.findall(r"tests/\w+\.py", step.get("run", ""))]
    assert named and all((smoke.ROOT / name).is_file() and "pytest.mark.long" in marks[Path(name).stem] for name in named)


def test_no_action_of_third_parties() -> None:
    used = {step["uses"].split("/")[0] for _, step in STEPS if "uses" in step}
    assert used == {"actions"}


def test_two_versions_of_python_from_the_oldest_that_is_supported() -> None:
    versions = WORKFLOW["jobs"]["unit"]["strategy"]["matrix"]["python"]
    oldest = tomllib.loads((smoke.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert len(set(versions)) == 2 and f">={versions[0]}" == oldest


def test_jobs_that_ask_for_history_have_it() -> None:
    for name in ("unit", "smoke", "lock", "metrics"):
        checkout = next(step for job, step in STEPS if job == name and "checkout" in step.get("uses", ""))
        assert checkout["with"]["fetch-depth"] == 0, name


def test_no_untrusted_text_reaches_a_shell() -> None:
    for name, step in STEPS:
        assert "${{" not in step.get("run", ""), name
    assert WORKFLOW["permissions"] == {"contents": "read"}


def lock_says(folder: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """`make lock` in a folder, with set-up taken as done."""
    (folder / ".venv").mkdir(exist_ok=True)
    (folder / ".venv" / ".ready").touch()
    return subprocess.run(
        ["make", "lock", "-o", ".venv/.ready"], cwd=folder, env=smoke.environment(), capture_output=True, text=True
    )


@pytest.mark.pipeline
@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_the_lock_check_reads_the_text(tmp_path: Path, smoke_run: Path) -> None:
    folder = smoke.again(smoke_run, tmp_path / "clone")
    shutil.copyfile(smoke_run / "dvc.lock", folder / "dvc.lock")
    shutil.copytree(smoke_run / "metrics", folder / "metrics", dirs_exist_ok=True)
    done = lock_says(folder, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for path, old, new in (
        ("params.yaml", "cpt: demo", "cpt: 'off'"),  # the first stage: dvc's exit code is 0
        ("params.yaml", "beta: 0.1", "beta: 0.2"),
        ("stages/report.py", "import", "import os\nimport"),
    ):
        text = (folder / path).read_text(encoding="utf-8")
        assert old in text
        (folder / path).write_text(text.replace(old, new, 1), encoding="utf-8")
        done = lock_says(folder, tmp_path)
        assert done.returncode != 0, (path, done.stdout)
        (folder / path).write_text(text, encoding="utf-8")


HOOKS: list[dict[str, Any]] = [
    hook
    for repo in yaml.safe_load((smoke.ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    for hook in repo["hooks"]
    if repo["repo"] == "local"
]


def hook(name: str, *files: str) -> subprocess.CompletedProcess[str]:
    """Run a hook as pre-commit does: its entry, then the files."""
    entry = next(one for one in HOOKS if one["id"] == name)["entry"]
    command = [*shlex.split(entry), *files]
    environment = smoke.environment()
    return subprocess.run(command, cwd=smoke.ROOT, env=environment, capture_output=True, text=True)


def test_hooks_are_local_and_ask_dvc_nothing() -> None:
    repos = yaml.safe_load((smoke.ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert {repo["repo"] for repo in repos} == {"local"}
    assert all(one["language"] == "system" and "dvc " not in one["entry"] for one in HOOKS)


def test_every_hook_passes_here_and_fails_on_a_fault(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import os\n", encoding="utf-8")
    assert hook("ruff", "src/thce/files.py").returncode == 0
    assert hook("ruff", str(bad)).returncode != 0

    pattern = next(one for one in HOOKS if one["id"] == "params")["files"]
    names = ["params.yaml", *(f"configs/{path.name}" for path in sorted((smoke.ROOT / "configs").glob("*.yaml")))]
    checked = [name for name in names if re.search(pattern, name)]
    assert len(checked) == 4
    assert hook("params", *checked).returncode == 0
    wrong = tmp_path / "params.yaml"
    wrong.write_text((smoke.ROOT / "params.yaml").read_text(encoding="utf-8").replace("seed:", "sed:"), encoding="utf-8")
    assert profiles.check(wrong) and hook("params", "params.yaml", str(wrong)).returncode == 1

    large = tmp_path / "large.bin"
    large.write_bytes(bytes(1_000_001))
    assert hook("size", "params.yaml").returncode == 0
    assert hook("size", "params.yaml", str(large)).returncode == 1


def test_the_example_names_the_variables_that_are_read() -> None:
    text = (smoke.ROOT / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^#?(THCE_\w+)=", text, re.MULTILINE))
    folders = ("src", "stages", "benchmarks", "tests")
    sources = [path for folder in folders for path in (smoke.ROOT / folder).rglob("*.py") if path.name != Path(__file__).name]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    assert named == set(re.findall(r"""["'](THCE_[A-Z_]+)["']""", code))
    for line in text.splitlines():  # the file can be sourced
        assert not line or line.startswith("#") or re.fullmatch(r"[A-Z_]+=\S*", line)
