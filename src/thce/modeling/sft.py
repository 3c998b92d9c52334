"""Stages 1 and 2: supervised fine-tuning on prompt-completion rows."""

from __future__ import annotations

import random
import re
from itertools import islice
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from thce import files
from thce.modeling import base, chat, fit, runtime
from thce.seeds import derive
from thce.settings.modeling import SFTParams

Messages = list[dict[str, str]]

ECHO = "Repeat the narrative."
_FIRST_WORDS = re.compile(r"\S+(?:\s+\S+){0,59}")


def messages(path: Path, count: int | None = None) -> list[Messages]:
    """The conversations of a prepared file, the first `count` of them if given."""
    return [row["messages"] for row in islice(files.read_jsonl(path), count)]


def echoes(conversations: list[Messages], count: int) -> list[Messages]:
    """The first `count` narratives, each with itself as the answer; of a long one its first sixty words."""
    found = []
    for *_, user, _ in conversations[:count]:
        if match := _FIRST_WORDS.search(chat.as_read(user["content"])):
            turns = (("system", ECHO), ("user", match[0]), ("assistant", match[0]))
            found.append([{"role": role, "content": content} for role, content in turns])
    return found


def row(
    tokenizer: PreTrainedTokenizerBase, conversation: Messages, settings: SFTParams, draw: random.Random, repeats: bool = False
) -> fit.Row:
    """The training row of a conversation: words cut and the description learned or not, as `draw` and the settings have it."""
    cuts = chat.Cuts(draw, settings.chop) if settings.chop else None
    return chat.encode(tokenizer, conversation, cuts, draw.random() < settings.descriptions, repeats)


def train_stage(
    stage: str,
    parent: Path,
    out: Path,
    train: list[Messages],
    val_messages: list[Messages],
    settings: SFTParams,
    seed: int,
) -> tuple[list[dict[str, float]], dict[str, Any]]:
    """Fine-tune `parent` on the conversations in `train` and `settings.echo` echoes of them, and write the model to `out`.

    Returns the loss curve and the metrics, both empty but in the process that writes; validation losses are per supervised
    token, before and after the stage. The first conversation's system prompt is the model's own; that of the parent stays
    known as the one for direct answers.
    """
    model, tokenizer = base.load(parent)
    answers = len(train)
    train = train + echoes(train, settings.echo)
    val = [chat.encode(tokenizer, conversation) for conversation in val_messages]

    def encode(index: int, chop: random.Random) -> fit.Row:
        return row(tokenizer, train[index], settings, chop, repeats=index >= answers)

    rows = fit.epochs_of(encode, len(train), settings.epochs, settings.batch_size, derive(seed, "rows"))
    before = None
    if runtime.main_process():
        model.to(runtime.device())  # type: ignore[arg-type]
        before = round(fit.mean_loss(model, val), 4)
    model.train()
    model, points, metrics = fit.fit(
        stage,
        model,
        tokenizer,
        rows,
        val,
        fit.Settings.of(settings),
        seed,
        parent,
    )
    if not runtime.main_process():
        return points, metrics
    metrics["val_loss"] = {"before": before, "after": metrics["val_loss"]}
    metrics["examples"] = len(train)
    system = train[0][0]["content"]
    before_prompts = parent / "prompt.json"
    direct = files.read_json(before_prompts)["system_direct"] if before_prompts.is_file() else system
    fit.save(model, tokenizer, out, {"system": system, "system_direct": direct})
    return points, metrics
