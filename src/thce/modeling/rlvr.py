"""Stage 3, optional second half: reinforcement learning from a reward a program gives, with TRL's GRPOTrainer.

The model writes a group of completions to each prompt, and every one is rewarded with 1 or 0. What counts in a group is the
difference to its mean (group-relative policy optimisation), so a group whose rewards are all alike teaches nothing: such
groups are counted, since a small model can have many of them.

It begins where preference tuning ended: its reward is only ever seen on samples of the model itself, so it wants a model that
already gets some of them right.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer
from trl.trainer import grpo_trainer

from thce import files
from thce.errors import UserError
from thce.modeling import base, chat, fit, logprobs, options
from thce.modeling.runtime import use_bf16
from thce.modeling.trainer import Finite
from thce.settings.modeling import Stage3Params

Judge = Callable[[dict[str, Any], str, bool], bool]
"""Whether a completion (text, and whether it ended its turn) is what a prepared row wants."""


class PolicyTrainer(Finite, GRPOTrainer):
    """TRL's trainer, which stops at the first loss that is not a number."""


@dataclass(slots=True)
class Groups:
    """Counts over the groups seen in training, and the share of rewarded completions of every step."""

    all_wrong: int = 0
    all_right: int = 0
    mixed: int = 0
    steps: tuple[float, ...] = ()

    def add(self, rewards: Sequence[float], size: int) -> None:
        """One step's rewards, `size` consecutive ones to each prompt."""
        for begin in range(0, len(rewards), size):
            total = sum(rewards[begin : begin + size])
            if total == 0:
                self.all_wrong += 1
            elif total == size:
                self.all_right += 1
            else:
                self.mixed += 1
        self.steps = (*self.steps, sum(rewards) / len(rewards))


def train_stage(
    parent: Path,
    out: Path,
    train: Sequence[dict[str, Any]],
    val: Sequence[dict[str, Any]],
    judge: Judge,
    settings: Stage3Params,
    seed: int,
) -> dict[str, Any]:
    """Train `parent` on the prompts of `train` (rows of data/prepared/stage3) and write the model to `out`.

    Returns counts of groups and the mean reward: of the first and last tenth of the steps, and on the held-out prompts `val`
    before and after, one completion each, drawn at the training temperature. An interrupted run starts anew; several
    processes are an error (`UserError`).
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("params.yaml: stage3.rlvr_steps", "several processes are not supported here", "set it to 0")
    model, tokenizer = base.load(parent)
    check_lengths(tokenizer, [*train, *val], int(model.config.max_position_embeddings) - settings.rlvr_max_new_tokens)
    stop = chat.stop_id(tokenizer)
    rows = [*train, *val]
    groups = Groups()
    counting = False

    def reward(completion_ids: list[list[int]], row: list[int], **_: Any) -> list[float]:
        found = []
        for ids, number in zip(completion_ids, row, strict=True):
            stopped = bool(ids) and ids[-1] == stop
            text = tokenizer.decode(ids[:-1] if stopped else ids, skip_special_tokens=False)
            found.append(float(judge(rows[number], str(text), stopped)))
        if counting:
            groups.add(found, settings.rlvr_samples)
        return found

    with tempfile.TemporaryDirectory() as folder:
        with logprobs.own_head(grpo_trainer):
            trainer = PolicyTrainer(
                model=model,
                args=arguments(settings, Path(folder), seed),
                reward_funcs=cast(Any, reward),  # the library's own type allows no keyword of ours
                train_dataset=prompts(train, 0),
                eval_dataset=prompts(val, len(train)),
                processing_class=tokenizer,
                callbacks=[fit.Curve({"reward": "reward", "loss": "loss", "grad_norm": "grad_norm"}, "stage3 rlvr")],
            )
        fit.drop_printer(trainer)
        before = trainer.evaluate()["eval_reward"]
        counting = True
        fit.train(trainer, "stage3", None)
        counting = False
        after = trainer.evaluate()["eval_reward"]
    fresh, tokenizer = base.load(parent)
    fresh.load_state_dict(model.state_dict())
    fit.save(fresh, tokenizer, out, files.read_json(parent / "prompt.json"))
    tenth = max(1, len(groups.steps) // 10)
    return {
        "steps": trainer.state.global_step,
        "groups": {"mixed": groups.mixed, "all_wrong": groups.all_wrong, "all_right": groups.all_right},
        "reward": {
            "first": round(sum(groups.steps[:tenth]) / tenth, 4),
            "last": round(sum(groups.steps[-tenth:]) / tenth, 4),
        },
        "held_out": {"before": round(float(before), 4), "after": round(float(after), 4), "prompts": len(val)},
    }


def prompts(rows: Sequence[dict[str, Any]], first: int) -> Dataset:
    """The text each completion follows, and the row's number, counted from `first`."""
    return Dataset.from_list([{"prompt": chat.prompt_text(row["prompt"]), "row": first + i} for i, row in enumerate(rows)])


def check_lengths(tokenizer: Any, rows: Sequence[dict[str, Any]], limit: int) -> None:
    """Raises `UserError` where a prompt leaves no room for `rlvr_max_new_tokens` in the model's context."""
    longest = max(len(chat.encode_prompt(tokenizer, row["prompt"])) for row in rows)
    if longest > limit:
        raise UserError(
            "params.yaml: stage3.rlvr_max_new_tokens",
            f"a prompt has {longest} tokens, which leaves no room for that many in the model's context",
            "lower it",
        )


def arguments(settings: Stage3Params, folder: Path, seed: int) -> GRPOConfig:
    """A step: `rlvr_prompts` groups of `rlvr_samples`, sampled from the present model and used once, without a penalty for
    leaving the starting point (TRL's default)."""
    rows = settings.rlvr_prompts * settings.rlvr_samples
    micro = math.gcd(rows, 2 * settings.micro_batch)  # a pair of preference tuning is two rows
    return GRPOConfig(
        output_dir=str(folder),
        max_steps=settings.rlvr_steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=rows // micro,
        per_device_eval_batch_size=rows,
        num_generations=settings.rlvr_samples,
        num_generations_eval=1,
        max_completion_length=settings.rlvr_max_new_tokens,
        temperature=settings.rlvr_temperature,
        learning_rate=settings.rlvr_learning_rate,
        lr_scheduler_type="constant",
        weight_decay=0.0,
        max_grad_norm=settings.max_grad_norm,
        bf16=use_bf16(settings.precision),
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        seed=seed % 2**32,
        data_seed=seed % 2**32,
        **options.trackers(settings.report_to, "stage3"),
    )
