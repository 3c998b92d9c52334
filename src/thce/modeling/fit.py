"""Supervised training with TRL's trainer: rows in a fixed order, padded little, resumed exactly."""

from __future__ import annotations

import math
import os
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig

from thce import files
from thce.errors import UserError
from thce.modeling import base, checkpoints, options
from thce.modeling.runtime import device, main_process, use_bf16
from thce.modeling.trainer import SupervisedTrainer, diverged
from thce.seeds import derive
from thce.settings.modeling import SFTParams, Stage3Params

Row = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Settings:
    """What one run needs to know; the fields mean what they mean in `thce.settings.modeling.SFTParams`. Those that stage 3
    has not have a default; without `decay` the learning rate falls along a cosine."""

    epochs: float
    batch_size: int
    micro_batch: int
    learning_rate: float
    warmup: float
    max_grad_norm: float
    max_length: int
    save_steps: int
    patience: int
    report_to: tuple[str, ...]
    precision: str
    weight_decay: float = 0.0
    muon_learning_rate: float | None = None
    adam_epsilon: float = 1e-8
    decay: float | None = None

    @classmethod
    def of(cls, params: SFTParams | Stage3Params) -> Settings:
        """The settings of a stage."""
        return cls(**{field.name: getattr(params, field.name) for field in fields(cls) if hasattr(params, field.name)})


def order(lengths: Sequence[int], batch: int, shuffle: random.Random) -> list[int]:
    """Indices in training order: rows of like length share a batch, batches come in random order.

    Rows are shuffled first and sorted by length within blocks of 64 batches, so that batches differ from epoch to epoch.
    """
    indices = list(range(len(lengths)))
    shuffle.shuffle(indices)
    block = batch * 64
    batches: list[list[int]] = []
    for start in range(0, len(indices), block):
        part = sorted(indices[start : start + block], key=lambda i: lengths[i])
        batches.extend(part[i : i + batch] for i in range(0, len(part), batch))
    full = [one for one in batches if len(one) == batch]
    rest = [i for one in batches if len(one) < batch for i in one]
    shuffle.shuffle(full)
    return [i for one in full for i in one] + rest


def schedule(lengths: Sequence[int], epochs: float, batch: int, seed: int) -> list[int]:
    """Indices of a whole run: each epoch in an order of its own, the last one cut to its fraction (at least one batch)."""
    indices: list[int] = []
    number = 0
    left = epochs
    while left > 1e-9:
        sequence = order(lengths, batch, random.Random(derive(seed, "order", number)))
        indices.extend(sequence if left >= 1 else sequence[: max(batch, round(len(sequence) * left))])
        left -= 1
        number += 1
    return indices


def epochs_of(encode: Callable[[int, random.Random], Row], count: int, epochs: float, batch: int, seed: int) -> list[Row]:
    """All rows of a run in order, each epoch encoded anew (`encode(index, random)`), the last one cut to its fraction."""
    rows: list[Row] = []
    number = 0
    left = epochs
    while left > 1e-9:
        chop = random.Random(derive(seed, "chop", number))
        encoded = [encode(index, chop) for index in range(count)]
        sequence = order([len(row["input_ids"]) for row in encoded], batch, random.Random(derive(seed, "order", number)))
        if left < 1:
            sequence = sequence[: max(batch, round(len(sequence) * left))]
        rows.extend(encoded[index] for index in sequence)
        left -= 1
        number += 1
    return rows


def check_lengths(rows: Sequence[Row], limit: int, stage: str) -> int:
    """The longest row; raises `UserError` where one is longer than the stage allows, since cutting would lose the answer."""
    longest = max((len(row["input_ids"]) for row in rows), default=0)
    if longest > limit:
        raise UserError(
            f"params.yaml: {stage}.max_length",
            f"a row has {longest} tokens, the limit is {limit}",
            f"set it to at least {longest}",
        )
    return longest


class Curve(TrainerCallback):
    """Keeps what the trainer logs, without times, as the rows of a plot; one quiet line per tenth of the run."""

    def __init__(self, names: dict[str, str], title: str) -> None:
        self.names = names
        self.title = title
        self.points: list[dict[str, float]] = []

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        found = {name: float(value) for key, value in (logs or {}).items() if (name := self.names.get(key))}
        if not found or not state.is_world_process_zero:
            return
        for name, value in found.items():
            if not math.isfinite(value):
                raise diverged(self.title, f"{name} is {value} at step {state.global_step}")
        self.points.append({"step": state.global_step, **found})
        tenth = max(1, state.max_steps // 10)
        before = self.points[-2]["step"] if len(self.points) > 1 else 0
        if int(before // tenth) != int(state.global_step // tenth):
            text = "  ".join(f"{name} {value:.4g}" for name, value in found.items())
            print(f"{self.title}: step {state.global_step}/{state.max_steps}  {text}", file=sys.stderr, flush=True)


def drop_printer(trainer: Any) -> None:
    """Without a terminal the trainer prints every log record as a dict; the curve says the same in fewer lines."""
    trainer.remove_callback(PrinterCallback)


def micro_batch(settings: Settings, world: int, stage: str) -> int:
    """Rows per forward pass and process. With several processes at most `micro_batch`, so that a step has `batch_size` rows
    whatever their number; `UserError` where they cannot share it evenly."""
    if world == 1:
        return settings.micro_batch
    if settings.batch_size % world:
        raise UserError(f"params.yaml: {stage}.batch_size", f"{settings.batch_size} rows cannot be shared by {world} processes")
    share = settings.batch_size // world
    return max(size for size in range(1, min(settings.micro_batch, share) + 1) if share % size == 0)


def common(settings: Settings, run: Path, seed: int, rows: int, stage: str) -> dict[str, Any]:
    """Arguments every trainer here gets, for `rows` examples. `UserError` where `batch_size` is no multiple of rows per pass
    and processes."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    micro = micro_batch(settings, world, stage)
    per_step = micro * world
    if settings.batch_size % per_step:
        raise UserError(
            f"params.yaml: {stage}.batch_size",
            f"{settings.batch_size} is not a multiple of {per_step} (micro batch x processes)",
        )
    steps = max(1, rows // settings.batch_size)
    warmup = round(settings.warmup * steps)
    falling: dict[str, Any] = {"lr_scheduler_type": "cosine"}
    if settings.decay is not None:
        last = min(round(settings.decay * steps), steps - warmup)
        kind = {"num_decay_steps": last, "decay_type": "linear", "min_lr_ratio": 0.0}
        falling = {"lr_scheduler_type": "warmup_stable_decay", "lr_scheduler_kwargs": kind}
    return {
        "output_dir": str(run),
        "num_train_epochs": 1,
        "per_device_train_batch_size": micro,
        "per_device_eval_batch_size": micro,
        "gradient_accumulation_steps": settings.batch_size // per_step,
        "learning_rate": settings.learning_rate,
        "warmup_steps": warmup,
        **falling,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "bf16": use_bf16(settings.precision),
        "use_cpu": not torch.cuda.is_available(),
        "gradient_checkpointing": False,
        "ddp_find_unused_parameters": False,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "train_sampling_strategy": "sequential",
        "logging_steps": 1,  # the curve thins them out: what is logged then does not depend on where a run was interrupted
        "save_strategy": "steps",
        "save_steps": settings.save_steps,
        "save_total_limit": 2,
        "disable_tqdm": not sys.stderr.isatty(),
        "seed": seed % 2**32,
        "data_seed": seed % 2**32,
        "max_length": settings.max_length,
        **options.trackers(settings.report_to, stage),
        **options.stopping(settings.patience, settings.save_steps)[0],
    }


def fit(
    stage: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[Row],
    val: list[Row],
    settings: Settings,
    seed: int,
    start: Path,
) -> tuple[PreTrainedModel, list[dict[str, float]], dict[str, Any]]:
    """Train `model`, which was loaded from `start`, on `rows` in the order given.

    Returns the trained model (the same object unless several processes trained it), the loss curve and the stage's metrics:
    rows, tokens, supervised tokens, longest row, steps, final training loss, and the mean loss per supervised token on
    `val`. With several processes curve and metrics are those of the first; the others get none.
    """
    longest = check_lengths(rows, settings.max_length, stage)
    check_lengths(val, settings.max_length, stage)
    mark = checkpoints.fingerprint([asdict(settings), seed], rows, start)
    arguments = SFTConfig(
        **common(settings, checkpoints.place(stage, mark), seed, len(rows), stage),
        adam_beta2=0.98,
        adam_epsilon=settings.adam_epsilon,
        pad_to_multiple_of=8,  # few shapes: each new one costs oneDNN a kernel and memory that is never given back
        packing=False,
        completion_only_loss="completion_mask" in rows[0],
    )
    with arguments.main_process_first(local=False):
        run, resume = checkpoints.open_run(stage, mark)
    curve = Curve({"loss": "loss", "grad_norm": "grad_norm"}, stage)
    with checkpoints.leave_on_sigterm(stage) as stop:
        trainer = SupervisedTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_list(rows),
            eval_dataset=Dataset.from_list(val) if settings.patience else None,
            processing_class=tokenizer,
            muon_learning_rate=settings.muon_learning_rate,
            callbacks=[checkpoints.Mark(), curve, stop, *options.stopping(settings.patience, settings.save_steps)[1]],
        )
        drop_printer(trainer)
        train(trainer, stage, resume)
    model = whole(trainer, model, start)
    if not main_process():
        return model, [], {}
    points = thin(trainer.state.log_history, curve.names, len(rows) // settings.batch_size, norm_digits=3)
    rows = rows[: trainer.state.global_step * settings.batch_size]
    with trainer.accelerator.autocast():
        loss = mean_loss(model, val)
    if not math.isfinite(loss):
        raise diverged(stage, f"the validation loss is {loss}")
    metrics: dict[str, Any] = {
        "rows": len(rows),
        "steps": trainer.state.global_step,
        "tokens": sum(len(row["input_ids"]) for row in rows),
        "supervised_tokens": sum(sum(row.get("completion_mask", [1] * len(row["input_ids"]))) for row in rows),
        "longest_row": longest,
        "train_loss": round(points[-1]["loss"], 4) if points else None,
        "val_loss": round(loss, 4),
    }
    if settings.patience:
        metrics["best_step"] = trainer.state.best_global_step
    checkpoints.close_run(run)
    return model, points, metrics


def train(trainer: Any, stage: str, resume: str | None) -> None:
    """Train, from the checkpoint `resume` if there is one."""
    trainer.stage = stage
    if resume and main_process():
        print(f"{stage}: going on from {Path(resume).name}", file=sys.stderr, flush=True)
    trainer.train(resume_from_checkpoint=resume)


def whole(trainer: Any, model: PreTrainedModel, start: Path) -> PreTrainedModel:
    """The trained model with all its weights in this process, however many trained it; those that do not write get `model`."""
    if trainer.accelerator.num_processes == 1:
        return model
    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if not main_process():
        return model
    fresh, _ = base.load(start)
    fresh.load_state_dict({name: value.cpu() for name, value in weights.items()})
    fresh.to(device())  # type: ignore[arg-type]
    return fresh


def thin(history: list[dict[str, Any]], names: dict[str, str], steps: int, norm_digits: int = 4) -> list[dict[str, float]]:
    """About fifty points from the trainer's record of every step, which a resumed run carries over from its checkpoint.

    A point holds the means over its steps, added up in float32 as the trainer does, and the last step's gradient norm.
    """
    every = max(1, steps // 50)
    entries = [entry for entry in history if "loss" in entry]
    points = []
    for begin in range(0, len(entries) - every + 1, every):
        part = entries[begin : begin + every]
        point: dict[str, float] = {"step": part[-1]["step"]}
        for key, name in names.items():
            if key == "grad_norm":
                point[name] = round(float(part[-1][key]), norm_digits)
            elif key in part[-1]:
                total = np.float32(0)
                for entry in part:
                    total += np.float32(entry[key])
                point[name] = round(float(total) / every, 4)
        points.append(point)
    return points


@torch.no_grad()
def mean_loss(model: PreTrainedModel, rows: Sequence[Row], batch: int = 16) -> float:
    """Mean negative log-likelihood in nats per supervised token."""
    model.eval()
    total = 0.0
    count = 0
    place = next(model.parameters()).device
    by_length = sorted(rows, key=lambda row: len(row["input_ids"]))
    for begin in range(0, len(by_length), batch):
        part = by_length[begin : begin + batch]
        width = max(len(row["input_ids"]) for row in part)
        ids = torch.zeros((len(part), width), dtype=torch.long)
        labels = torch.full((len(part), width), -100)
        for i, row in enumerate(part):
            tokens = torch.tensor(row["input_ids"])
            mask = torch.tensor(row.get("completion_mask", [1] * len(tokens)), dtype=torch.bool)
            ids[i, : len(tokens)] = tokens
            labels[i, : len(tokens)] = torch.where(mask, tokens, -100)
        # right padding and causal attention: no real token ever looks at a pad, so no attention mask is needed
        logits = model(input_ids=ids.to(place)).logits[:, :-1].float()
        target = labels[:, 1:].to(place)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=-100, reduction="sum")
        total += float(loss)
        count += int((target != -100).sum())
    return total / max(1, count)


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, prompts: dict[str, str] | None) -> None:
    """A standard Hugging Face folder: weights as safetensors, tokenizer with its chat template, generation settings; and
    `prompt.json` with the system prompts the model was trained with: `system` for its own way of answering, `system_direct`
    for an answer without reasoning. Nothing in it names a time, a path or a run."""
    stop = tokenizer.eos_token_id
    model.config.name_or_path = ""
    model.generation_config.eos_token_id = stop
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.bos_token_id = None
    model.generation_config.do_sample = False
    model.config.eos_token_id = stop
    model.config.pad_token_id = tokenizer.pad_token_id
    model.config.use_cache = True
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if prompts is not None:
        files.write_json(folder / "prompt.json", prompts)
