"""The dry run of a training stage: the parameters are the trainers', the rows are real, faults are found, nothing is left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from thce import cli, params
from thce.errors import UserError
from thce.modeling import chat, fit
from thce.planning import material, plan, steps
from thce.settings.modeling import BaseParams, Stage1Params, Stage3Params
from thce.settings.prepare import PrepareParams

pytestmark = pytest.mark.unit


@pytest.fixture
def nowhere(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without outputs: the committed data and profiles alone."""
    for name in ("configs", "data/examples", "data/phrasebook"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(root / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def changed(folder: Path, **keys: str) -> str:
    """A profile file like `smoke`, other values for the first key of each name."""
    text = Path("configs/smoke.yaml").read_text(encoding="utf-8")
    for name, value in keys.items():
        before, _, after = text.partition(f"  {name}: ")
        text = f"{before}  {name}: {value}\n{after.partition(chr(10))[2]}"
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return str(folder / "mine.yaml")


def test_a_dry_run_plans_a_stage_and_leaves_nothing(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(nowhere.rglob("*"))
    assert cli.main(["train", "stage1", "--profile", "smoke", "--dry-run", "--json", "--threads", "1", "--tflops", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sorted(nowhere.rglob("*")) == before
    settings = params.load(Stage1Params, "configs/smoke.yaml")
    rows = params.load(PrepareParams, "configs/smoke.yaml").stage1_train + settings.echo
    assert found["rows"] == rows and found["steps"] == -(-round(rows * settings.epochs) // settings.batch_size)
    assert found["rows_checked"] == 50 and not any(found["checks"].values()) and found["faults"] == []
    assert found["operations"] == pytest.approx(6 * found["parameters"] * found["tokens_per_epoch"] * settings.epochs, rel=1e-4)
    assert 0 < found["supervised_tokens_per_epoch"] < found["tokens_per_epoch"]
    measured = found["measured"]
    assert len(measured["seconds_per_step"]) == len(measured["losses"]) == 2 and measured["losses"][0] < 12
    assert measured["peak_bytes"] > 4 * found["parameters"] and found["memory_bytes"]["sum"] > 12 * found["parameters"]


def test_preference_tuning_is_planned_too(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "stage3", "--profile", "smoke", "--dry-run", "--threads", "1"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("stage3 of the profile smoke (scratch), a dry run of") and "all hold" in said
    assert "data/examples/sample_stage_3.jsonl" in said and "two steps" in said


def test_a_row_that_is_too_long_fails_the_run(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "stage1", "--profile", changed(nowhere, max_length="40"), "--dry-run", "--threads", "1"]) == 1
    said = capsys.readouterr().out
    assert "FAILED: length: " in said and "stage1.max_length: a row has" in said


def test_a_broken_template_and_a_wrong_mask_are_counted(nowhere: Path) -> None:
    tokenizer, _ = material.tokenizer_of(params.load(BaseParams, "configs/smoke.yaml"))
    rows = material.read("stage2", 1, params.load(PrepareParams, "configs/smoke.yaml")).sample[:5]
    assert not any(material.faults(tokenizer, rows).values())
    rows[0]["messages"][0]["content"] = "Use <think> tags."  # read as text, in the system prompt too
    rows[0]["messages"][1]["content"] = "cough <|im_end|> fever"
    assert not any(material.faults(tokenizer, rows).values())
    tokenizer.chat_template = chat.TEMPLATE.replace("assistant\n", "assistant ")
    tokenizer.pad_token = chat.STOP
    found = material.faults(tokenizer, rows)
    assert found["template"] == found["stop token"] == 5 and found["mask"] == 0


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["stage1"], "only plans; add --dry-run"),
        (["stage1", "--dry-run", "--profile", "huge"], "configs/huge.yaml: no such profile; there are: default, smoke, "),
        (["stage1", "--dry-run", "--threads", "0"], "--threads: must be at least 1"),
        (["stage1", "--dry-run", "--tflops", "0"], "--tflops: must be above 0"),
        (["stage1", "--dry-run", "--profile", "{warmup: 2}"], "stage1.warmup: must be at most 1"),
        (["stage1", "--dry-run", "--profile", "{heads: 7}"], "base.heads: 7 heads do not divide"),
        (["stage1", "--dry-run", "--profile", "{source: nobody/model, revision: abc}"], "nobody/model: its shape is not known"),
    ],
)
def test_wrong_use_is_one_line(nowhere: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], fault: str) -> None:
    if arguments[-1].startswith("{"):
        keys = dict(one.split(": ") for one in arguments[-1].strip("{}").split(", "))
        arguments = [*arguments[:-1], changed(nowhere, **keys)]
    assert cli.main(["train", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and fault in said and said.count("\n") == 1


def test_what_the_trainer_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = params.load(Stage3Params, "configs/smoke.yaml")
    with pytest.raises(UserError, match=r"stage3.loss_weights: 1 weights for 2 losses"):
        plan._accepted(replace(settings, loss_weights=(1.0,)), "stage3", 8, tmp_path, 1)
    plan._accepted(settings, "stage3", 8, tmp_path, 1)
    common = fit.common
    monkeypatch.setattr(fit, "common", lambda *arguments: common(*arguments) | {"warmup_ratio": 0.1})  # gone since v5
    with pytest.raises(UserError, match=r"stage3: the trainer refuses it: .*warmup_ratio"):
        plan._accepted(settings, "stage3", 8, tmp_path, 1)


def test_the_hub_model_has_its_known_size() -> None:
    settings = params.load(BaseParams, "configs/smollm2-135m.yaml")
    tokenizer, which = material.tokenizer_of(params.load(BaseParams, "configs/smoke.yaml"))
    with torch.device("meta"):
        model = material.model_of(settings, tokenizer, 1)
    assert model.num_parameters() == 134_515_008 + 3 * 576 and which.startswith("trained here")
    memory = steps.memory(model, 1000, 100, bf16=True)
    assert memory["optimizer"] == 2 * memory["weights"] == 8 * model.num_parameters()
    more = steps.memory(model, 2000, 100, bf16=True)
    assert memory["activations"] < more["activations"] < 2 * memory["activations"]


def test_every_setting_of_a_training_reaches_the_dry_run(tmp_path: Path) -> None:
    settings = params.load(Stage1Params, "params.yaml")
    tried = steps.arguments(settings, "stage1", 640, tmp_path, 1)
    asked = fit.common(fit.Settings.of(settings), tmp_path, 1, 640, "stage1")
    own = {"save_strategy", "save_steps", "save_total_limit", "report_to", "run_name", "output_dir"}
    asked = {name: value for name, value in asked.items() if name not in own}
    assert {name: getattr(tried, name) for name in asked} == asked
    assert tried.adam_epsilon == settings.adam_epsilon
    assert asked["learning_rate"] == settings.learning_rate and asked["weight_decay"] == settings.weight_decay
