"""What a training may have on top: experiment trackers, and an early end by the validation loss."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from transformers import EarlyStoppingCallback, TrainerCallback

from thce.errors import UserError

TRACKERS = ("wandb", "mlflow", "tensorboard")
"""Experiment trackers `report_to` may name; each is an extra of the package."""


def trackers(names: Sequence[str], stage: str) -> dict[str, Any]:
    """Arguments of the trainer for the trackers in `names`. Without any none is used and nothing leaves the machine.
    Raises `UserError` for one that is unknown or not installed."""
    where = f"params.yaml: {stage}.report_to"
    for name in names:
        if name not in TRACKERS:
            raise UserError(where, f"`{name}` is no tracker", f"use {', '.join(TRACKERS)}, or [] for none")
        if find_spec(name) is None:
            raise UserError(where, f"{name} is not installed", f"pip install -c constraints.txt -e '.[{name}]'")
    if not names:
        return {"report_to": "none"}
    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", f"runs/{stage}")
    os.environ.setdefault("WANDB_PROJECT", "thce")
    os.environ.setdefault("MLFLOW_EXPERIMENT_NAME", "thce")
    return {"report_to": list(names), "run_name": stage}


def stopping(patience: int, every: int) -> tuple[dict[str, Any], list[TrainerCallback]]:
    """Arguments and callback of early stopping by the validation loss, taken every `every` steps; none for patience 0."""
    if not patience:
        return {}, []
    arguments = {
        "eval_strategy": "steps",
        "eval_steps": every,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        "prediction_loss_only": True,
        "restore_callback_states_from_checkpoint": True,
    }
    return arguments, [EarlyStoppingCallback(patience)]
