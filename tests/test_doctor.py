"""`thce doctor`: each fault has its words, a fresh clone alarms nobody, and mending takes away only what is damaged."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import date
from pathlib import Path

import pytest
import small_project
from small_project import call, git

from thce import doctor, doctor_pipeline

PINS = "torch==2.13.0\nsimple_icd_10_cm==1.5.0\nPyYAML==6.0.4\npytest==9.2.0  # a comment\n"


@pytest.mark.unit
def test_packages_are_held_against_the_pins() -> None:
    installed = {"torch": "2.13.0+cpu", "simple-icd-10-cm": "1.5.0", "pyyaml": "6.0.4"}
    check = doctor.packages(PINS, ["torch", "PyYAML"], installed)
    assert (check.state, check.found) == ("ok", "3 of 4 pinned packages, all as pinned")
    check = doctor.packages(PINS, ["torch"], {**installed, "torch": "2.14.0"})
    assert check.state == "warn" and "torch 2.14.0 (not 2.13.0)" in check.found
    check = doctor.packages(PINS, ["torch", "trl"], installed)
    assert (check.state, check.found, check.mend) == ("fail", "missing: trl", "make setup")


@pytest.mark.unit
def test_machine_checks_have_thresholds() -> None:
    assert doctor.python((3, 10, 9)).state == "fail" and doctor.python((3, 11, 0)).state == "ok"
    assert [doctor.disk(int(gb * 1e9)).state for gb in (0.4, 1.0, 2.1)] == ["fail", "warn", "ok"]
    assert [doctor.memory(int(gib * doctor.GIB)).state for gib in (1, 8)] == ["warn", "ok"]
    assert doctor.cores(1, 2, None).state == "warn" and doctor.cores(2, 2, True).found.endswith("bfloat16 in hardware)")


@pytest.mark.unit
def test_a_release_is_out_of_date_from_the_first_of_october(root: Path, tmp_path: Path) -> None:
    inputs = root / "data" / "code_databases"
    release = json.loads((inputs / "icd10_codes.json").read_text(encoding="utf-8"))
    last = date.fromisoformat(release["effective_to"])
    assert doctor.code_sets(last, tmp_path, inputs).state == "ok"
    late = doctor.code_sets(date(last.year, 10, 1), tmp_path, inputs)
    assert late.state == "warn" and release["release"] in late.found and "thce codes import" in late.mend
    built = {"icd10.tsv": {"release": "FY2099", "effective_to": "2099-09-30"}}
    (tmp_path / "manifest.json").write_text(json.dumps(built), encoding="utf-8")
    assert "FY2099" in doctor.code_sets(date(2090, 1, 1), tmp_path, inputs).found


@pytest.mark.unit
def test_a_folder_that_cannot_be_written_fails(tmp_path: Path) -> None:
    assert doctor.writable([tmp_path, tmp_path / "not there"]).state == "ok"
    assert doctor.writable([Path("/proc")]).state == "fail"
    assert not list(tmp_path.iterdir())


STAGES = {
    "one": {"outs": ["a.bin"], "metrics": [{"m.json": {"cache": False}}]},
    "two": {"deps": ["a.bin"], "outs": ["b.bin"]},
    "report": {"outs": [{"r.html": {"cache": False}}]},
}


@pytest.mark.unit
@pytest.mark.parametrize(
    ("status", "state", "words"),
    [
        ({}, "ok", "up to date"),
        (
            {
                "one": [{"changed outs": {"a.bin": "not in cache"}}],
                "two": [{"changed deps": {"a.bin": "deleted"}}, {"changed outs": {"b.bin": "not in cache"}}],
            },
            "ok",
            "the outputs are not built here yet",
        ),
        ({"one": [{"changed outs": {"m.json": "deleted"}}]}, "ok", "outputs are missing for one"),
        ({"two": [{"changed outs": {"b.bin": "modified"}}]}, "warn", "changed outside the pipeline: b.bin"),
        (
            {"two": [{"changed deps": {"params.yaml": {"beta": "modified"}, "x.py": "modified", "a.bin": "modified"}}]},
            "ok",
            "changed since the last run: params.yaml (beta) -> two, x.py -> two",
        ),
        ({"one": ["changed command"]}, "ok", "changed command -> one"),
    ],
)
def test_the_state_of_the_pipeline_in_words(status: dict[str, list[object]], state: str, words: str) -> None:
    found = doctor_pipeline.words(status, STAGES)
    assert found[0] == state and words in found[1]


@pytest.mark.unit
def test_a_stage_without_a_whole_entry_is_named() -> None:
    locked = {"one": {"outs": [{"path": "a.bin"}, {"path": "m.json"}]}, "two": {"outs": []}}
    assert doctor_pipeline.unrecorded(STAGES, locked) == ["two", "report"]
    found = doctor_pipeline.words({"two": [{"changed outs": {"b.bin": "modified"}}]}, STAGES, ["two", "report"])
    assert found[0] == "warn" and "no whole entry for two, report" in found[1]


@pytest.mark.unit
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_lock_cut_short_is_seen(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    monkeypatch.chdir(tmp_path)
    text = (root / "dvc.lock").read_text(encoding="utf-8")
    Path("dvc.lock").write_text(text, encoding="utf-8")
    assert doctor_pipeline.broken_lock() is None
    Path("dvc.lock").write_text(text[: int(len(text) * share)].rstrip("\n"), encoding="utf-8")
    assert doctor_pipeline.broken_lock()


@pytest.mark.unit
def test_a_checkpoint_cut_short_is_seen(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    whole = tmp_path / "stage1" / "mark" / "checkpoint-1"
    whole.mkdir(parents=True)
    save_file({"w": torch.zeros(50), "v": torch.ones(3)}, whole / "model.safetensors")
    torch.save({"step": 1, "w": torch.zeros(50)}, whole / "optimizer.pt")
    (whole / "trainer_state.json").write_text('{"step": 1}', encoding="utf-8")
    (whole / doctor_pipeline.MARKER).touch()
    assert doctor_pipeline.broken_checkpoints(tmp_path) == []
    for number, name in enumerate(("model.safetensors", "optimizer.pt", "trainer_state.json"), 2):
        cut = whole.with_name(f"checkpoint-{number}")
        shutil.copytree(whole, cut)
        content = (cut / name).read_bytes()
        (cut / name).write_bytes(content[:-1])
    found = [path.name for path in doctor_pipeline.broken_checkpoints(tmp_path)]
    assert found == ["checkpoint-2", "checkpoint-3", "checkpoint-4"]


pipeline = pytest.mark.pipeline


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project, with the files `thce doctor` reads in this one."""
    folder = small_project.build(tmp_path_factory.mktemp("built"))
    root = Path(__file__).resolve().parent.parent
    for name in ("pyproject.toml", "constraints.txt", "data/code_databases/icd10_codes.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "more")
    return folder


@pytest.fixture
def project(built: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(built, folder)
    return folder


def state_of(folder: Path, *arguments: str, code: int = 1) -> dict[str, dict[str, str]]:
    """Checks by name. The small project's params.yaml is not ours, so `params` fails and the exit code is 1."""
    printed = json.loads(call(folder, "thce", "doctor", "--json", *arguments, code=code))
    return {check["name"]: check for check in printed["checks"]}


@pipeline
def test_exit_code_and_report(project: Path) -> None:
    checks = state_of(project)
    assert list(checks) == list(doctor.CHECKS)
    assert checks["params"]["state"] == "fail"
    assert checks["pipeline"]["state"] == "ok" and "up to date" in checks["pipeline"]["found"]


@pipeline
def test_this_checkout_is_fit(root: Path) -> None:
    printed = call(root, "thce", "doctor")
    assert "ok    params" in printed and "fail" not in printed


@pipeline
def test_a_fresh_clone_is_not_alarming(project: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(project), "clone")
    check = state_of(tmp_path / "clone")["pipeline"]
    assert check["state"] == "ok" and "not built here yet" in check["found"] and "dvc repro" in check["mend"]


@pipeline
def test_mending_takes_away_what_is_damaged_and_nothing_else(project: Path) -> None:
    whole = {path: path.read_bytes() for path in (project / ".dvc" / "cache" / "files").rglob("*") if path.is_file()}
    assert "mended" not in call(project, "thce", "doctor", "--mend", code=1)
    assert all(path.read_bytes() == content for path, content in whole.items())

    broken = next(path for path, content in whole.items() if content == b"8\n")
    broken.chmod(0o644)
    broken.write_bytes(b"9\n")
    broken.chmod(0o444)
    lock = (project / "dvc.lock").read_bytes()
    (project / "dvc.lock").write_bytes(lock[:-80])
    (project / ".dvc" / "tmp" / "rwlock").write_bytes(b"")
    assert "fail" in state_of(project)["pipeline"]["state"]
    memory = next(path for path in (project / ".dvc" / "cache" / "runs").glob("*/*/*"))
    empty, torn = memory.parent.with_name("0" * 64), memory.with_name(".x.tmp")
    empty.mkdir()
    torn.write_bytes(memory.read_bytes()[:40])

    printed = call(project, "thce", "doctor", "--mend", code=1)
    assert printed.count("mended") == 5
    assert memory.exists() and not empty.exists() and not torn.exists()
    assert not broken.exists() and (project / "dvc.lock").read_bytes() == lock
    call(project, "dvc", "repro")
    assert (project / "one.txt").read_text() == "8\n" and "up to date" in call(project, "dvc", "status")


@pipeline
def test_a_lock_cut_at_any_line_break_is_seen(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    lock = Path("dvc.lock")
    whole = lock.read_bytes()
    assert doctor_pipeline.broken_lock() is None
    lines = whole.splitlines(keepends=True)
    for end in range(len(lines)):
        lock.write_bytes(b"".join(lines[:end]))
        assert doctor_pipeline.broken_lock(), lines[end]


@pipeline
def test_a_lock_that_was_never_committed_cut_between_entries(project: Path) -> None:
    (project / "params.yaml").write_text("one: 2\ntwo: 1\n", encoding="utf-8")
    call(project, "dvc", "repro")
    lock = project / "dvc.lock"
    whole = lock.read_bytes()
    lock.write_bytes(whole.partition(b"  two:\n")[0])
    assert "changed since dvc.lock: stage two" in call(project, "thce")
    check = state_of(project)["pipeline"]
    assert check["state"] == "warn" and "no whole entry for two" in check["found"]
    assert "Running stage 'one'" not in call(project, "dvc", "repro")
    assert lock.read_bytes() == whole


@pytest.mark.unit
def test_no_heavy_import() -> None:
    code = "import sys, thce.doctor, thce.relock, thce.cli_project; print([m for m in ('torch', 'dvc') if m in sys.modules])"
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": "src"})
    assert done.stdout.strip() == "[]"
