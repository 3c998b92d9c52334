"""Reinforcement learning from a reward a program gives: what is rewarded becomes likelier, what teaches nothing is counted."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from training_settings import DPO, SHAPE

from thce.errors import UserError
from thce.modeling import base, fit, rlvr, runtime, tokenizer

pytestmark = pytest.mark.unit

ROWS = [{"prompt": [{"role": "system", "content": "Code."}, {"role": "user", "content": word}]} for word in ("cough", "fever")]
SETTINGS = replace(
    DPO, rlvr_steps=8, rlvr_prompts=2, rlvr_samples=8, rlvr_learning_rate=0.02, rlvr_max_new_tokens=2, micro_batch=4
)


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runtime.start(1, 3)
    folder = tmp_path_factory.mktemp("parent")
    tok = tokenizer.train(["cough fever chest cold"] * 3, SHAPE.vocabulary)
    fit.save(base.scratch(SHAPE, tok, 1), tok, folder, {"system": "Code."})
    return folder


def small(row: dict[str, Any], text: str, stopped: bool) -> bool:
    """About half of a random model's completions: the first character is below the middle of the alphabet."""
    return bool(text) and text[0] < "m"


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_what_is_rewarded_becomes_likelier_and_a_run_can_be_repeated(parent: Path, tmp_path: Path) -> None:
    first = rlvr.train_stage(parent, tmp_path / "a", ROWS, ROWS[:1], small, SETTINGS, 4)
    again = rlvr.train_stage(parent, tmp_path / "b", ROWS, ROWS[:1], small, SETTINGS, 4)
    assert first["reward"]["last"] > first["reward"]["first"] + 0.2
    assert sum(first["groups"].values()) == first["steps"] * 2 == 16
    assert first == again
    found, repeated = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(torch.equal(found[name], repeated[name]) for name in found)
    assert (tmp_path / "a" / "prompt.json").read_bytes() == (parent / "prompt.json").read_bytes()


def test_groups_without_a_difference_teach_nothing_and_are_counted(parent: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, bool]] = []

    def never(row: dict[str, Any], text: str, stopped: bool) -> bool:
        seen.append((row["prompt"][-1]["content"], stopped))
        return False

    metrics = rlvr.train_stage(parent, tmp_path / "out", ROWS, ROWS[1:], never, replace(SETTINGS, rlvr_steps=2), 4)
    assert metrics["groups"] == {"mixed": 0, "all_wrong": 4, "all_right": 0}
    assert metrics["held_out"] == {"before": 0.0, "after": 0.0, "prompts": 1}
    assert {word for word, _ in seen} == {"cough", "fever"}
    before, after = weights(parent), weights(tmp_path / "out")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_prompt_without_room_for_a_completion_is_refused(parent: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="rlvr_max_new_tokens"):
        rlvr.train_stage(parent, tmp_path / "out", ROWS, ROWS, small, replace(SETTINGS, rlvr_max_new_tokens=60), 4)
    assert not (tmp_path / "out").exists()


def test_a_stage_without_it_does_not_import_it() -> None:
    tree = ast.parse(Path("stages/stage3.py").read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not any("rlvr" in ast.unparse(node) for node in top)
    assert "rlvr" in ast.unparse(tree)
