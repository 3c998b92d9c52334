"""`thce relock`: what changed in form alone is relocked, what changed in meaning is refused by file and line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import small_project
from small_project import SHARED, call, git

from thce import params, relock
from thce.errors import UserError

OLD = b'''"""Doc."""
import os


class A:
    """Doc."""

    x: int = 1
    """What x is."""


def f(a, b=(1, 2)):
    if a:
        return "a" "b"
    return os.sep
'''


@pytest.mark.unit
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"""Doc."""\n', b"# nothing here\n\n"),
        (b"import os\n", b"import os  # paths\n"),
        (b'    """What x is."""\n', b""),
        (b"(1, 2)", b"(\n    1,\n    2,\n)"),
        (b'"a" "b"', b"('ab')"),
        (b"\n", b"\r\n"),
    ],
)
def test_comments_docstrings_and_layout_are_form(before: bytes, after: bytes) -> None:
    assert before in OLD
    assert relock.difference(relock.tree(OLD, "a.py"), relock.tree(OLD.replace(before, after), "a.py")) is None


@pytest.mark.unit
@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (b"x: int = 1", b"x: int = 2", 8),
        (b"x: int = 1", b"x: int = True", 8),
        (b"x: int = 1", b"x: float = 1", 8),
        (b"import os", b"import sys as os", 2),
        (b"b=(1, 2)", b"b=(1, 2.0)", 12),
        (b"    return os.sep", b"    a += 1\n    return os.sep", 15),
        (b"    return os.sep\n", b"", 14),
        (b'"a" "b"', b'f"ab"', 14),
        (b"    if a:", b"    if not a:", 13),
    ],
)
def test_a_real_change_is_found_with_its_line(before: bytes, after: bytes, line: int) -> None:
    assert before in OLD
    assert relock.difference(relock.tree(OLD, "a.py"), relock.tree(OLD.replace(before, after), "a.py")) == line


@pytest.mark.unit
def test_the_sign_of_zero_is_code() -> None:
    assert relock.difference(relock.tree(b"x = 0.0", "a"), relock.tree(b"x = 0", "a")) == 1
    assert relock.difference(relock.tree(b"x = -0.0", "a"), relock.tree(b"x = 0.0", "a")) == 1


@pytest.mark.unit
@pytest.mark.parametrize("text", [b"print(__doc__)", b"f.__doc__", b"import inspect", b"from pydoc import getdoc"])
def test_a_module_that_reads_docstrings_is_known(text: bytes) -> None:
    assert relock.reads_docstrings(text)
    assert not relock.reads_docstrings(b'"""Of __doc__ and inspect."""\nimport os\n')


@pytest.mark.unit
def test_a_file_that_is_not_python_is_named_with_its_line() -> None:
    with pytest.raises(UserError, match=r"a\.py:2: is not Python"):
        relock.tree(b"x = 1\ndef\n", "a.py")


pipeline = pytest.mark.pipeline


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_project.build(tmp_path_factory.mktemp("built"))


@pytest.fixture
def project(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the built project, and we are in it."""
    folder = tmp_path / "project"
    shutil.copytree(built, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return folder


def edit(path: str, old: str, new: str) -> None:
    text = Path(path).read_text(encoding="utf-8")
    assert old in text
    Path(path).write_text(text.replace(old, new, 1), encoding="utf-8")


@pipeline
def test_a_comment_costs_a_relock_and_no_run(project: Path) -> None:
    edit("shared.py", "# times", "# how much larger")
    edit("shared.py", '"""Scaled."""', '"""The scaled number."""')
    assert "Running stage 'one'" in call(project, "dvc", "repro", "--dry")
    printed = call(project, "thce", "relock")
    assert "relocked one, two" in printed and "shared.py" in printed
    assert "up to date" in call(project, "dvc", "status")
    assert "Running" not in call(project, "dvc", "repro")
    assert "nothing to relock" in call(project, "thce", "relock")


@pipeline
def test_only_the_changed_module_changes_in_the_lock(project: Path) -> None:
    before = params.read_yaml("dvc.lock")["stages"]
    edit("shared.py", "# times", "# how much larger")
    call(project, "thce", "relock", "one")
    after = params.read_yaml("dvc.lock")["stages"]
    assert after["two"] == before["two"] and after["one"] != before["one"]
    for stage in (before["one"], after["one"]):
        stage["deps"] = [entry for entry in stage["deps"] if entry["path"] != "shared.py"]
    assert after["one"] == before["one"]


@pipeline
def test_a_relocked_run_is_remembered(project: Path) -> None:
    edit("shared.py", "# times", "# how much larger")
    call(project, "thce", "relock")
    call(project, "dvc", "exp", "run", "-S", "one=5")
    printed = call(project, "dvc", "exp", "run", "-S", "one=1")
    assert "Stage 'one' is cached - skipping run" in printed


@pipeline
def test_a_real_change_is_refused_with_file_and_line(project: Path) -> None:
    lock = Path("dvc.lock").read_bytes()
    edit("shared.py", "FACTOR = 2", "FACTOR = 3")
    printed = call(project, "thce", "relock", code=1)
    assert "shared.py:3: the code differs" in printed and "one, two" in printed
    assert Path("dvc.lock").read_bytes() == lock


@pipeline
@pytest.mark.parametrize(
    ("path", "old", "new", "reason"),
    [
        ("params.yaml", "one: 1", "one: 2", "params.yaml: one changed"),
        ("start.txt", "3", "4", "start.txt: modified"),
        ("two.txt", "1", "2", "two.txt: modified, though two did not run"),
        ("dvc.yaml", "python stage.py one", "python -s stage.py one", "dvc.yaml: one: changed command"),
        (
            "dvc.yaml",
            "stage.py, start.txt]",
            "stage.py, start.txt, params.yaml]",
            "params.yaml: a dependency that dvc.lock does not know",
        ),
    ],
)
def test_another_change_beside_the_comment_is_refused(project: Path, path: str, old: str, new: str, reason: str) -> None:
    edit("shared.py", "# times", "# how much larger")
    lock = Path("dvc.lock").read_bytes()
    edit(path, old, new)
    printed = call(project, "thce", "relock", code=1)
    assert reason in printed
    assert Path("dvc.lock").read_bytes() == lock


@pipeline
def test_the_locked_version_is_found_in_earlier_commits(project: Path) -> None:
    for number in range(3):
        edit("shared.py", "# ", f"# {number} ")
        git(project, "commit", "-qam", "comment")
    assert "relocked one, two" in call(project, "thce", "relock")


@pipeline
def test_a_version_that_git_never_saw_is_refused_kindly(project: Path) -> None:
    edit("shared.py", "# times", "# tried")
    call(project, "dvc", "repro", "-q")
    edit("shared.py", "# tried", "# tried again")
    printed = call(project, "thce", "relock", code=1)
    assert "shared.py: no commit holds the version" in printed and "Traceback" not in printed


@pipeline
def test_docstrings_count_where_a_module_reads_them(project: Path) -> None:
    edit("stage.py", "name, source", "print(scale.__doc__)\nname, source")
    call(project, "dvc", "repro", "-q")
    git(project, "commit", "-qam", "reads docstrings")
    edit("shared.py", '"""Scaled."""', '"""The scaled number."""')
    assert "shared.py:7: the code differs" in call(project, "thce", "relock", code=1)
    Path("shared.py").write_text(SHARED.replace("# times", "# factor"), encoding="utf-8")
    assert "relocked" in call(project, "thce", "relock")


@pipeline
def test_a_clone_without_outputs_is_relocked_to_the_same_lock(project: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(project), str(clone))
    for folder in (project, clone):
        (folder / "shared.py").write_text(SHARED.replace("# times", "# factor"), encoding="utf-8")
        call(folder, "thce", "relock")
    assert (clone / "dvc.lock").read_bytes() == (project / "dvc.lock").read_bytes()
    assert "Running stage" not in call(clone, "dvc", "repro", "--dry", "--allow-missing")


@pipeline
def test_a_dry_run_tells_and_writes_nothing(project: Path) -> None:
    lock = Path("dvc.lock").read_bytes()
    edit("shared.py", "# times", "# factor")
    found = json.loads(call(project, "thce", "relock", "--dry-run", "--json"))
    assert found == {"relocked": {"one": ["shared.py"], "two": ["shared.py"]}, "refused": {}}
    assert Path("dvc.lock").read_bytes() == lock


@pipeline
def test_wrong_use_is_one_line(project: Path) -> None:
    assert call(project, "thce", "relock", "three", code=2) == "error: three: no such stage; there are: one, two\n"
    (project / "below").mkdir()
    assert "holds no dvc.yaml; go to the project's folder" in call(project / "below", "thce", "relock", code=2)
