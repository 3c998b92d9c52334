"""Training that is stopped, goes wrong or is watched: a signal, a loss that is no number, patience, trackers, a launcher."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_modeling_fit import BASE, CODES, SFT, conversations
from training_settings import DPO

from thce import files
from thce.answers import format_answer
from thce.errors import UserError
from thce.modeling import base, chat, checkpoints, dpo, fit, options, runtime, sft, tokenizer
from thce.modeling.trainer import SupervisedTrainer
from thce.settings.modeling import Stage1Params

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runtime.start(1, 3)
    folder = tmp_path_factory.mktemp("base")
    texts = [chat.prompt_text(talk[:-1]) + talk[-1]["content"] for talk in conversations()]
    tok = tokenizer.train(texts, BASE.vocabulary, CODES)
    prompts = {"system": "Give the billing codes.", "system_direct": "Give the billing codes."}
    fit.save(base.scratch(BASE, tok, 3), tok, folder, prompts)
    return folder


@pytest.fixture(autouse=True)
def checkpoints_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THCE_CHECKPOINTS", str(tmp_path / "checkpoints"))


def run(parent: Path, out: Path, settings: Stage1Params) -> tuple[list[dict[str, float]], dict[str, Any]]:
    talks = conversations()
    return sft.train_stage("stage1", parent, out, talks, talks[:6], settings, 11)


def pairs(folder: Path) -> Path:
    rows = [{"prompt": t[:-1], "chosen": t[-1]["content"], "rejected": format_answer([])} for t in conversations()]
    files.write_jsonl(folder / "train.jsonl", rows)
    files.write_jsonl(folder / "val.jsonl", rows[::4])
    return folder


def after(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM arrives while the given step is taken."""

    def strike(self, args, state, control, **kwargs):  # type: ignore[no-untyped-def]
        if state.global_step == step - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(fit.Curve, "on_step_begin", strike, raising=False)


def test_sigterm_leaves_a_checkpoint_and_the_next_run_ends_with_the_same_bytes(
    parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = replace(SFT, epochs=8.0, save_steps=100)  # 54 steps and more than one per point of the curve
    whole = run(parent, tmp_path / "whole", settings)
    handler = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        after(7, patch)
        with pytest.raises(SystemExit) as stopped:
            run(parent, tmp_path / "cut", settings)
    assert stopped.value.code == 75
    said = [text for text in capsys.readouterr().err.splitlines() if "SIGTERM" in text]
    assert said == [
        "stage1: stopped by SIGTERM after step 7, a checkpoint is written; run the same command again to go on from it"
    ]
    assert signal.getsignal(signal.SIGTERM) is handler
    assert not (tmp_path / "cut").exists()
    assert [path.name for path in (tmp_path / "checkpoints" / "stage1").glob("*/checkpoint-*")] == ["checkpoint-7"]
    again = run(parent, tmp_path / "cut", settings)
    assert "going on from checkpoint-7" in capsys.readouterr().err
    assert again == whole
    for name in ("model.safetensors", "config.json", "prompt.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_sigterm_at_the_last_step_ends_the_stage(parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    after(7, monkeypatch)
    _, metrics = run(parent, tmp_path / "out", replace(SFT, epochs=1.0))
    assert metrics["steps"] == 7 and (tmp_path / "out" / "model.safetensors").is_file()


def test_preference_tuning_heeds_sigterm_too(parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pairs(tmp_path)
    whole = dpo.train_stage(parent, tmp_path / "whole", data, DPO, 4)
    with monkeypatch.context() as patch:
        after(2, patch)
        with pytest.raises(SystemExit) as stopped:
            dpo.train_stage(parent, tmp_path / "cut", data, DPO, 4)
    assert stopped.value.code == checkpoints.TRY_AGAIN and not (tmp_path / "cut").exists()
    assert dpo.train_stage(parent, tmp_path / "cut", data, DPO, 4) == whole
    assert (tmp_path / "cut" / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_stage_and_writes_nothing(
    parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    honest = SupervisedTrainer.compute_loss

    def broken(self, *arguments, **named):  # type: ignore[no-untyped-def]
        loss = honest(self, *arguments, **named)
        return loss * value if self.state.global_step == 2 else loss

    monkeypatch.setattr(SupervisedTrainer, "compute_loss", broken)
    with pytest.raises(UserError, match=rf"stage1.learning_rate: the loss is {value} at step 3, nothing was written; lower it"):
        run(parent, tmp_path / "out", SFT)
    assert not (tmp_path / "out").exists()


def test_a_learning_rate_out_of_reason_is_named(parent: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"stage1.learning_rate: .* (nan|inf)"):
        run(parent, tmp_path / "out", replace(SFT, learning_rate=1e38, max_grad_norm=1e30, warmup=0.0))
    assert not (tmp_path / "out").exists()


def test_patience_stops_early_and_keeps_the_best_weights(parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[int, float] = {}

    def note(self, args, state, control, metrics, **kwargs):  # type: ignore[no-untyped-def]
        found[state.global_step] = metrics["eval_loss"]

    monkeypatch.setattr(fit.Curve, "on_evaluate", note, raising=False)
    settings = replace(SFT, learning_rate=0.03, epochs=20.0, save_steps=3, patience=2, warmup=0.0)
    talks = conversations()
    wrong = [[*talk[:-1], other[-1]] for talk, other in zip(talks, talks[9:], strict=False)][::3]
    _, metrics = sft.train_stage("stage1", parent, tmp_path / "out", talks, wrong, settings, 11)
    assert metrics["best_step"] == min(found, key=lambda step: found[step])
    assert metrics["steps"] == max(found) == metrics["best_step"] + 6 < 134
    assert metrics["rows"] == metrics["steps"] * 4
    model, tok = base.load(tmp_path / "out")
    loss = fit.mean_loss(model, [chat.encode(tok, talk) for talk in wrong])
    assert loss == pytest.approx(metrics["val_loss"]["after"], abs=1e-3)
    assert min(found, key=lambda step: abs(found[step] - loss)) == metrics["best_step"]


def test_patience_in_preference_tuning(parent: Path, tmp_path: Path) -> None:
    _, metrics = dpo.train_stage(parent, tmp_path / "out", pairs(tmp_path), replace(DPO, patience=1, learning_rate=0.0), 4)
    assert metrics["steps"] == 2 and metrics["best_step"] == 1


QUIET = """
import socket, sys
sys.path[:0] = {path!r}
from test_modeling_interruption import *
runtime.start(1, 3)
def refuse(*arguments, **named): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = refuse
for trackers in ((), ("mlflow",)):
    settings = replace(SFT, epochs=0.1, report_to=trackers)
    try:
        sft.train_stage("stage1", Path({parent!r}), Path({out!r}), conversations(), conversations()[:2], settings, 1)
        print("quiet")
    except SystemExit as error:
        print(error)
"""


def test_without_trackers_none_is_used_and_nothing_connects(parent: Path, tmp_path: Path, root: Path) -> None:
    fakes = {"mlflow": "raise SystemExit('used')", "tensorboard": "raise SystemExit('used')"}
    fakes["wandb"] = "run = None\ndef init(*a, **k): raise SystemExit('used')"  # TRL imports it wherever it is installed
    for name, text in fakes.items():
        files.write_text(tmp_path / "fake" / name / "__init__.py", text + "\n")
    path = [str(tmp_path / "fake"), str(root / "tests"), str(root / "src")]

    script = QUIET.format(path=path, parent=str(parent), out=str(tmp_path / "out"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.split() == ["quiet", "used"], done.stderr[-2000:]


def test_an_unknown_tracker_and_one_that_is_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"stage2.report_to: `comet` is no tracker; use wandb, mlflow, tensorboard"):
        options.trackers(["comet"], "stage2")
    monkeypatch.setattr(options, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"stage2.report_to: mlflow is not installed; pip install .*\[mlflow\]"):
        options.trackers(["mlflow"], "stage2")


def test_several_processes_share_a_step_of_the_same_size() -> None:
    settings = fit.Settings.of(replace(SFT, batch_size=32, micro_batch=32))
    assert [fit.micro_batch(settings, world, "stage1") for world in (1, 2, 4, 32)] == [32, 16, 8, 1]
    assert fit.micro_batch(fit.Settings.of(replace(SFT, batch_size=24, micro_batch=5)), 2, "stage1") == 4
    with pytest.raises(UserError, match=r"stage1.batch_size: 32 rows cannot be shared by 3 processes"):
        fit.micro_batch(settings, 3, "stage1")


def test_a_stage_starts_under_the_launcher_in_the_environment(tmp_path: Path, root: Path) -> None:
    script = tmp_path / "stage.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(root / 'stages')!r})\n"
        "import os, json, _launch\n"
        "def main(): print(json.dumps([os.environ.get('RANK'), 'THCE_LAUNCH' in os.environ]))\n"
        "if __name__ == '__main__': _launch.run(main)\n"
    )
    for launch, found in (("", [None, False]), (f"env RANK=3 '{sys.executable}'", ["3", False])):
        environment = {**os.environ, "THCE_LAUNCH": launch}
        done = subprocess.run([sys.executable, "stage.py"], env=environment, capture_output=True, text=True, cwd=tmp_path)
        assert json.loads(done.stdout) == found, done.stderr
    environment["THCE_LAUNCH"] = "no-such-launcher --n 2"
    done = subprocess.run([sys.executable, "stage.py"], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("error: THCE_LAUNCH: no-such-launcher: no such command")


@pytest.mark.parametrize(("change", "fault"), [({"heads": 1}, "base.heads"), ({"code_tokens": False}, "base.code_tokens")])
def test_a_head_start_that_cannot_be_given_is_refused(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(UserError, match=f"params.yaml: {fault}: the head start needs"):
        base.check(replace(BASE, **change))
    base.check(replace(BASE, epochs=0.0, **change))
