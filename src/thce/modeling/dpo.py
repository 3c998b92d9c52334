"""Stage 3: direct preference optimisation with TRL's DPOTrainer, from pairs of completions to one prompt."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl import DPOConfig
from trl.trainer import dpo_trainer

from thce import files
from thce.errors import UserError
from thce.modeling import base, chat, checkpoints, fit, logprobs, options, runtime
from thce.modeling.trainer import PreferenceTrainer, diverged
from thce.settings.modeling import Stage3Params

LOGGED = {
    "loss": "loss",
    "rewards/margins": "margin",
    "rewards/accuracies": "accuracy",
    "logps/chosen": "logps_chosen",
    "logps/rejected": "logps_rejected",
    "grad_norm": "grad_norm",
}


def texts(rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Pairs as plain text. The prompt is the very text generation starts from; the trainer adds the stop token."""
    return [{"prompt": chat.prompt_text(row["prompt"]), "chosen": row["chosen"], "rejected": row["rejected"]} for row in rows]


def of_origin(rows: Iterable[dict[str, Any]], origins: Sequence[str]) -> list[dict[str, Any]]:
    """The pairs of these origins (`thce.reasoning.pairs.Pair.origin`); a pair that names none stays."""
    return [row for row in rows if row.get("_metadata", {}).get("origin") in (None, *origins)]


def lengths(tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict[str, str]]) -> list[int]:
    """Tokens of prompt and longer completion, stop token included, for each pair."""
    found = []
    for row in rows:
        prompt = len(tokenizer.encode(row["prompt"], add_special_tokens=False))
        sides = [len(chat.encode_completion(tokenizer, row[side])) for side in ("chosen", "rejected")]
        found.append(prompt + max(sides))
    return found


def train_stage(
    parent: Path, out: Path, data: Path, settings: Stage3Params, seed: int
) -> tuple[list[dict[str, float]], dict[str, Any]]:
    """Tune `parent` on `data/train.jsonl` and write the model to `out`; returns the reward curve and the stage's metrics (both
    empty but in the process that writes).

    Metrics are taken on held-out pairs (`data/val.jsonl`) before and after: how often the implicit reward prefers the chosen
    side, its margin, and the log-probabilities of both sides (both can fall while the margin grows).
    Raises `UserError` where no pair has a wanted origin, one is too long, weights do not fit losses, or a loss is no number.
    """
    if len(settings.loss_type) != len(settings.loss_weights):
        raise UserError(
            "params.yaml: stage3.loss_weights",
            f"{len(settings.loss_weights)} weights for {len(settings.loss_type)} losses",
        )
    model, tokenizer = base.load(parent)
    rows = of_origin(files.read_jsonl(data / "train.jsonl"), settings.origins)
    if not rows:
        raise UserError(
            str(data / "train.jsonl"),
            f"holds no pairs of the origins {', '.join(settings.origins)}",
            "name more in stage3.origins, or raise pairs.prompts or pairs.built_share",
        )
    train = texts(rows)
    val = texts(list(files.read_jsonl(data / "val.jsonl")))
    longest = max(lengths(tokenizer, [*train, *val]))
    if longest > settings.max_length:
        raise UserError(
            "params.yaml: stage3.max_length",
            f"a pair has {longest} tokens, the limit is {settings.max_length}",
            f"set it to at least {longest}",
        )
    train = _order(tokenizer, train, settings, seed)

    mark = checkpoints.fingerprint([asdict(settings), seed, json.dumps(train)], [], parent)
    kept = fit.Settings.of(settings)
    arguments = DPOConfig(
        **fit.common(kept, checkpoints.place("stage3", mark), seed, len(train), "stage3"),
        beta=settings.beta,
        loss_type=list(settings.loss_type),
        loss_weights=list(settings.loss_weights),
        # the first process keeps them in a temporary folder of its own, where the others would look in vain
        precompute_ref_log_probs=int(os.environ.get("WORLD_SIZE", "1")) == 1,
    )
    with arguments.main_process_first(local=False):
        run, resume = checkpoints.open_run("stage3", mark)
    curve = fit.Curve({"loss": "loss", "rewards/margins": "margin", "rewards/accuracies": "accuracy"}, "stage3")
    with checkpoints.leave_on_sigterm("stage3") as stop:
        with logprobs.own_head(dpo_trainer):
            trainer = PreferenceTrainer(
                model=model,
                args=arguments,
                train_dataset=Dataset.from_list(train),
                eval_dataset=Dataset.from_list(val),
                processing_class=tokenizer,
                callbacks=[checkpoints.Mark(), curve, stop, *options.stopping(settings.patience, settings.save_steps)[1]],
            )
        fit.drop_printer(trainer)
        before = _held_out(trainer.evaluate())
        fit.train(trainer, "stage3", resume)
    after = _held_out(trainer.evaluate())
    trained = fit.whole(trainer, model, parent)
    if not runtime.main_process():
        return [], {}
    if not math.isfinite(after["loss"]):
        raise diverged("stage3", f"the held-out loss is {after['loss']}")
    points = fit.thin(trainer.state.log_history, LOGGED, len(train) // settings.batch_size)
    metrics = {
        "pairs": len(rows),
        "steps": trainer.state.global_step,
        "longest_pair": longest,
        "held_out": {"before": before, "after": after},
    }
    if settings.patience:
        metrics["best_step"] = trainer.state.best_global_step
    fresh, tokenizer = base.load(parent)
    fresh.load_state_dict(trained.state_dict())
    fit.save(fresh, tokenizer, out, files.read_json(parent / "prompt.json"))
    checkpoints.close_run(run)
    return points, metrics


def _order(
    tokenizer: PreTrainedTokenizerBase, train: list[dict[str, str]], settings: Stage3Params, seed: int
) -> list[dict[str, str]]:
    """Every epoch's pairs in training order, pairs of like length together."""
    sizes = lengths(tokenizer, train)
    indices = fit.schedule(sizes, settings.epochs, settings.batch_size, seed)
    return [train[index] for index in indices]


def _held_out(found: dict[str, float]) -> dict[str, float]:
    keys = {
        "eval_rewards/accuracies": "reward_accuracy",
        "eval_rewards/margins": "reward_margin",
        "eval_logps/chosen": "logps_chosen",
        "eval_logps/rejected": "logps_rejected",
        "eval_loss": "loss",
    }
    return {name: round(float(found[key]), 4) for key, name in keys.items() if key in found}
