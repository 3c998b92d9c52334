"""What may happen to a run, and that `make recover` brings back the same bytes afterwards. A quarter of an hour: `make faults`.

`make recover` is two commands, `thce doctor --mend` and `dvc repro`; `recover` below runs exactly those.
"""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import smoke
from smoke import dvc, git

from thce import params

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]

KILLS = 3
"""Kills per stage."""


@pytest.fixture
def tree(smoke_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished smoke run."""
    folder = tmp_path / "tree"
    shutil.copytree(smoke_run, folder)
    return folder


def recover(folder: Path) -> str:
    """`make recover`, its two commands; returns what they printed."""
    lines = (smoke.ROOT / "Makefile").read_text(encoding="utf-8").split("recover: $(READY)\n")[1].split("\n\n")[0]
    commands = [line.strip() for line in lines.splitlines()]
    assert commands == ["thce doctor --mend", "dvc repro"]
    printed = ""
    for command in commands:
        environment = smoke.environment(PYTHONPATH=str(folder / "src"))
        done = subprocess.run(
            [sys.executable, "-m", *command.split()], cwd=folder, env=environment, capture_output=True, text=True
        )
        printed += done.stdout + done.stderr
        assert done.returncode == 0, printed[-4000:]
    return printed


def assert_same(folder: Path, reference: Path) -> None:
    """The same lock, metrics and models as an undisturbed run, nothing left over, and no file of the user's touched."""
    assert smoke.results(folder) == smoke.results(reference)
    assert git(folder, "status", "--porcelain") == git(reference, "status", "--porcelain")
    for path in sorted((reference / "models").rglob("*")):
        if path.is_file():
            assert (folder / path.relative_to(reference)).read_bytes() == path.read_bytes(), path
    assert dvc(folder, "status").strip().endswith("up to date.")
    assert not [path for path in folder.rglob("*.part") if ".dvc" not in path.parts]


def start(folder: Path, *arguments: str, **more: Any) -> subprocess.Popen[str]:
    """`dvc ARGUMENTS` in a session of its own, its output to be read line by line."""
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=folder,
        env=smoke.environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **more,
    )


def durations(folder: Path) -> dict[str, float]:
    """Seconds between one stage's last file in metrics/ and the next one's."""
    pipeline = params.read_yaml(folder / "dvc.yaml")["stages"]
    found: dict[str, float] = {}
    before = (folder / "params.yaml").stat().st_mtime
    for stage in smoke.STAGES:
        entries = [
            next(iter(one))
            for kind in ("outs", "metrics", "plots")
            for one in pipeline[stage].get(kind, [])
            if not isinstance(one, str)
        ]
        now = max((folder / path).stat().st_mtime for path in entries)
        found[stage] = max(1.0, now - before)
        before = now
    return found


def test_kills_at_random_moments_of_every_stage(smoke_run: Path, tmp_path: Path) -> None:
    """Everything is killed at once, as by a power failure, or the stage alone, as by a machine that ran out of memory."""
    folder = smoke.again(smoke_run, tmp_path / "killed")
    seconds = durations(smoke_run)
    draw = random.Random(20)
    kills: Counter[str] = Counter()
    mended = 0
    for attempt in range(4 * KILLS * len(smoke.STAGES)):
        run = start(folder, "repro")
        assert run.stdout is not None
        victim = None
        printed = ""
        for line in run.stdout:
            printed += line
            found = re.match(r"Running stage '(\w+)'", line)
            if found and kills[found[1]] < KILLS:
                victim = found[1]
                break
        if victim is None:  # the end is reached, or dvc cannot go on
            run.wait()
            if run.returncode == 0:
                spared = [stage for stage in smoke.STAGES if kills[stage] < KILLS]
                if not spared:
                    break
                for stage in spared:  # it ended before its kill came: run it again, kill it sooner
                    drop(folder, stage)
                    seconds[stage] /= 2
                continue
            assert re.search(r"dvc\.lock|rwlock|join\(\) argument must be str", printed), printed[-3000:]
            recover(folder)
            mended += 1
            continue
        time.sleep(draw.uniform(0, 1.15) * seconds[victim])
        if attempt % 2:
            stage = subprocess.run(["pgrep", "-g", str(run.pid), "-f", "stages/"], capture_output=True, text=True)
            for pid in stage.stdout.split():
                with suppress(ProcessLookupError):  # it has just ended by itself
                    os.kill(int(pid), signal.SIGKILL)
            if not stage.stdout:  # between two stages: take all
                os.killpg(run.pid, signal.SIGKILL)
        else:
            os.killpg(run.pid, signal.SIGKILL)
        later = re.findall(r"^Running stage '(\w+)'", run.stdout.read(), re.MULTILINE)
        run.wait()
        if run.returncode:
            kills[later[-1] if later else victim] += 1
    print(f"{kills.total()} kills: {dict(kills)}; DVC could not go on {mended} times")
    assert kills.total() >= 30 and all(kills[stage] >= KILLS for stage in smoke.STAGES)
    recover(folder)
    assert_same(folder, smoke_run)


@pytest.mark.parametrize("cut", [None, "model.safetensors", "optimizer.pt", "trainer_state.json"])
def test_training_goes_on_from_a_whole_checkpoint_and_never_from_a_cut_one(
    tree: Path, smoke_run: Path, cut: str | None
) -> None:
    path = tree / "params.yaml"
    settings = path.read_text(encoding="utf-8")
    head, stage1 = settings.split("\nstage1:\n")
    path.write_text(f"{head}\nstage1:\n{stage1.replace('save_steps: 200', 'save_steps: 6', 1)}", encoding="utf-8")
    run = start(tree, "repro", "stage1")
    while run.poll() is None and not list((tree / ".checkpoints").glob("stage1/*/checkpoint-18/complete")):
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    last = max((tree / ".checkpoints").glob("stage1/*/checkpoint-*"), key=lambda one: int(one.name.rpartition("-")[2]))
    if cut:
        content = (last / cut).read_bytes()
        (last / cut).write_bytes(content[: len(content) // 2])
    printed = recover(tree)
    assert "stage1: going on from checkpoint-" in printed
    assert (f"going on from {last.name}" in printed) == (cut is None)
    assert ("damaged checkpoint" in printed) == bool(cut)
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (tree / "models" / "stage1" / name).read_bytes() == (smoke_run / "models" / "stage1" / name).read_bytes()


def cached(folder: Path, path: str) -> Path:
    """The cache object of an output."""
    stages = params.read_yaml(folder / "dvc.lock")["stages"].values()
    name = next(out["md5"] for entry in stages for out in entry["outs"] if out["path"] == path)
    return folder / ".dvc" / "cache" / "files" / "md5" / name[:2] / name[2:]


@pytest.mark.parametrize("output", ["data/codes/icd10.tsv", "models/stage3", "data/predictions/system.jsonl"])
@pytest.mark.parametrize("gone", [True, False])
def test_a_corrupted_object_of_the_cache(tree: Path, smoke_run: Path, output: str, gone: bool) -> None:
    """A flipped byte. DVC itself trusts a write-protected object and would hand it out."""
    path = cached(tree, output)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)
    if gone:  # the output in the workspace as well
        target = tree / output
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    assert "damaged object" in recover(tree)
    assert_same(tree, smoke_run)


def test_half_written_metrics(tree: Path, smoke_run: Path) -> None:
    for name in ("codes.json", "stage2.json", "evaluate.json", "report.html"):
        path = tree / "metrics" / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    recover(tree)
    assert_same(tree, smoke_run)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.77, 0.999])
def test_a_lock_cut_short(tree: Path, smoke_run: Path, share: float) -> None:
    path = tree / "dvc.lock"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    recover(tree)
    assert_same(tree, smoke_run)


def drop(folder: Path, stage: str) -> None:
    """Delete a stage's outputs with their cache objects and the memory of its runs: it must run again."""
    entry = params.read_yaml(folder / "dvc.yaml")["stages"][stage]
    for out in [*entry.get("outs", []), *entry.get("metrics", []), *entry.get("plots", [])]:
        path = out if isinstance(out, str) else next(iter(out))
        if isinstance(out, str):
            cached(folder, path).unlink(missing_ok=True)
        target = folder / path
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
    shutil.rmtree(folder / ".dvc" / "cache" / "runs", ignore_errors=True)


@pytest.mark.parametrize("limit", [2_000, 40_000, 1_000_000])
def test_a_full_disk(tree: Path, smoke_run: Path, limit: int) -> None:
    """No file may grow beyond the limit, for DVC's own files as for the stage's."""
    drop(tree, "codes")
    drop(tree, "report")
    run = start(tree, "repro", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    printed = run.communicate()[0]
    assert run.returncode != 0
    print(printed[-500:])
    recover(tree)
    assert_same(tree, smoke_run)


@pytest.mark.parametrize(("stage", "closed"), [("codes", "data/codes"), ("baselines", "metrics"), ("report", "metrics")])
def test_a_folder_that_cannot_be_written(tree: Path, smoke_run: Path, stage: str, closed: str) -> None:
    """For root, who may write anywhere, that right is laid down first."""
    drop(tree, stage)
    before = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []
    if before and not shutil.which("setpriv"):
        pytest.skip("as root this needs setpriv")
    (tree / closed).mkdir(exist_ok=True)
    (tree / closed).chmod(0o555)
    try:
        command = [*before, sys.executable, "-m", "dvc", "repro"]
        done = subprocess.run(command, cwd=tree, env=smoke.environment(), capture_output=True, text=True)
        assert done.returncode != 0
        assert "Traceback" not in done.stdout + done.stderr
        assert "ermission denied" in done.stdout + done.stderr
    finally:
        (tree / closed).chmod(0o755)
    recover(tree)
    assert_same(tree, smoke_run)


def test_two_runs_at_once(tree: Path, smoke_run: Path) -> None:
    """The second waits its turn or is refused; neither spoils the other."""
    drop(tree, "baselines")
    drop(tree, "report")
    runs = [start(tree, "repro"), start(tree, "repro")]
    printed = [run.communicate()[0] for run in runs]
    codes = sorted(run.returncode for run in runs)
    print(codes, [text[-300:] for text in printed])
    assert codes[0] == 0
    recover(tree)
    assert_same(tree, smoke_run)
