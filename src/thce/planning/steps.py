"""Two real optimizer steps of a stage's trainer on a slice of its rows, timed and weighed; and what memory they should take."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
from datasets import Dataset
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase, TrainerCallback
from trl import DPOConfig, SFTConfig
from trl.trainer import dpo_trainer

from thce.modeling import fit, logprobs
from thce.modeling.trainer import PreferenceTrainer, SupervisedTrainer
from thce.settings.modeling import SFTParams, Stage3Params

LIBRARIES = 80 << 20
"""Bytes the trainer takes whatever the model: modules it imports late, the table of rows, compiled kernels."""


@dataclass(slots=True)
class Peak:
    """Resident memory of this process in bytes: before, and the highest seen."""

    before: int = 0
    highest: int = 0


@contextmanager
def watch() -> Iterator[Peak]:
    """Looks at the resident memory every five milliseconds. The kernel's own high-water mark cannot be set back everywhere."""
    process = psutil.Process()
    peak = Peak(process.memory_info().rss)
    peak.highest = peak.before
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.005):
            peak.highest = max(peak.highest, process.memory_info().rss)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
        peak.highest = max(peak.highest, process.memory_info().rss)


@dataclass(slots=True)
class Watch(TrainerCallback):
    """Seconds of every optimizer step and the losses."""

    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    begun: float = 0.0

    def on_step_begin(self, *arguments: Any, **named: Any) -> None:
        """The clock starts."""
        self.begun = time.perf_counter()

    def on_step_end(self, *arguments: Any, **named: Any) -> None:
        """The step's seconds are kept."""
        self.seconds.append(time.perf_counter() - self.begun)

    def on_log(self, *arguments: Any, logs: dict[str, Any] | None = None, **named: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append(float(logs["loss"]))


def arguments(settings: SFTParams | Stage3Params, stage: str, rows: int, run: Path, seed: int, **changes: Any) -> Any:
    """The trainer's own arguments: its dataclass refuses what it does not know. `changes` replace single settings."""
    kept = replace(fit.Settings.of(settings), report_to=(), patience=0, **changes)
    common = fit.common(kept, run, seed, rows, stage) | {"save_strategy": "no"}
    if isinstance(settings, Stage3Params):
        return DPOConfig(
            **common,
            beta=settings.beta,
            loss_type=list(settings.loss_type),
            loss_weights=list(settings.loss_weights),
            precompute_ref_log_probs=True,
        )
    return SFTConfig(
        **common,
        adam_beta2=0.98,
        adam_epsilon=settings.adam_epsilon,
        pad_to_multiple_of=8,
        packing=False,
        completion_only_loss=True,
    )


def take(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, Any]],
    settings: SFTParams | Stage3Params,
    stage: str,
    seed: int,
) -> tuple[Watch, Peak]:
    """Two optimizer steps, each on half of `rows` in one pass, with the profile's learning rate and precision."""
    watched = Watch()
    half = len(rows) // 2
    with tempfile.TemporaryDirectory() as folder, watch() as peak:
        shared = {
            "model": model,
            "args": arguments(settings, stage, len(rows), Path(folder), seed, batch_size=half, micro_batch=half, warmup=0.0),
            "train_dataset": Dataset.from_list(rows),
            "processing_class": tokenizer,
            "callbacks": [watched],
        }
        if isinstance(settings, Stage3Params):
            with logprobs.own_head(dpo_trainer):
                trainer: Any = PreferenceTrainer(**shared, eval_dataset=Dataset.from_list(rows[:1]))
        else:
            trainer = SupervisedTrainer(**shared, muon_learning_rate=settings.muon_learning_rate)
        trainer.stage = stage
        fit.drop_printer(trainer)
        trainer.train()
    return watched, peak


def memory(model: LlamaForCausalLM, tokens: int, projected: int, bf16: bool) -> dict[str, int]:
    """Bytes that training takes at its peak: weights, gradients, two moments of AdamW (Muon has one, and is counted as
    AdamW), and activations of one pass over `tokens` tokens, padding included, of which `projected` meet the vocabulary.

    Activations are what the backward pass reads again: inputs of every matrix product (half as wide in bfloat16), and what
    normalisation, rotation, gating and softmax keep in float32. Attention keeps no square: the processor's kernel computes
    it in blocks.
    """
    config: Any = model.config
    size, count = 2 if bf16 else 4, model.num_parameters()
    narrow = config.num_key_value_heads / config.num_attention_heads
    hidden, inner = config.hidden_size, config.intermediate_size
    layer = hidden * (4 * 4 + 4 * size + 8 * (1 + narrow) + size * (2 + 2 * narrow)) + inner * 4 * size
    return {
        "weights": 4 * count,
        "gradients": 4 * count,
        "optimizer": 8 * count,
        "libraries": LIBRARIES,
        "low_precision_copy": 2 * count if bf16 else 0,
        "activations": int(tokens * layer * config.num_hidden_layers + projected * config.vocab_size * (2 * size + 12)),
    }
