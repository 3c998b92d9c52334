"""What a dry run works on: real rows, a tokenizer, and a model of the profile's shape with random weights."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from thce import files
from thce.errors import UserError
from thce.modeling import base, chat, dpo, sft
from thce.modeling import tokenizer as tokenizers
from thce.settings.modeling import BaseParams, SFTParams, Stage3Params
from thce.settings.prepare import PrepareParams

SHAPES: dict[str, dict[str, Any]] = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": {
        "vocab_size": 49152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": True,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 100_000.0},
    }
}
"""Shapes of hub models, from their config.json, so that a dry run needs no network."""

SAMPLE = 600
"""Rows of each file that are tokenized and checked."""

_HEAD = re.compile(r"^(ICD10|CPT|HCPCS) (\S+)", re.MULTILINE)
_FALLBACK = {"stage1": "sample_stage_1", "stage2": "sample_stage_2", "stage3": "sample_stage_3"}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one kind in a training: a sample of them, where it is from, and how many the whole training has."""

    source: str
    sample: list[dict[str, Any]]
    count: int


def read(stage: str, count: int, prepare: PrepareParams) -> Rows:
    """A sample of a stage's rows, with the profile's system prompt; from the pipeline's outputs where they are, else from the
    committed examples. `count` is how many the training will have. Raises `UserError` for a file without rows."""
    name = "data/pairs/train.jsonl" if stage == "stage3" else f"data/prepared/{stage}/train.jsonl"
    path = Path(name) if Path(name).is_file() else Path(f"data/examples/{_FALLBACK[stage]}.jsonl")
    sample = list(islice(files.read_jsonl(path), SAMPLE))
    if not sample:
        raise UserError(str(path), "holds no rows", "run `dvc repro`, or restore it with git")
    system = prepare.system_stage1 if stage == "stage1" else prepare.system_stage2
    for row in sample:
        messages = row["prompt"] if stage == "stage3" else row["messages"]
        if messages[0]["role"] == "system":
            messages[0]["content"] = system
    return Rows(str(path), sample, count)


def echoes(rows: Rows, settings: SFTParams | Stage3Params) -> list[Rows]:
    """The narratives of `rows` that the training repeats as well, if there are any."""
    if isinstance(settings, Stage3Params) or not settings.echo:
        return []
    talks = sft.echoes([row["messages"] for row in rows.sample], len(rows.sample))
    sample = [{"messages": talk, "repeats": True} for talk in talks]
    return [Rows(f"{rows.source}, repeated", sample, min(settings.echo, rows.count))]


def tokenizer_of(params: BaseParams) -> tuple[PreTrainedTokenizerBase, str]:
    """A tokenizer and what it is: the model's own where it is on this machine, else one trained here on the examples and the
    phrasebook, whose token counts are an estimate."""
    if params.source != "scratch":
        try:
            own = AutoTokenizer.from_pretrained(params.source, revision=params.revision, local_files_only=True)
            return tokenizers.extend(own), "the model's own"
        except (OSError, ValueError):
            pass
    texts = list(_texts())
    traces = texts if params.code_tokens and params.source == "scratch" else []
    names = tokenizers.names(set(_codes()), traces) if traces else []
    tokenizer = tokenizers.train(texts, params.vocabulary, names, tokenizers.pieces(traces))
    return tokenizer, "trained here on the committed examples: counts are estimates"


def _texts() -> Iterator[str]:
    for path in sorted(Path("data/phrasebook").glob("*.txt")):
        for line in files.read_text(path).splitlines():
            yield line.strip().partition("  ")[2].strip() or line.strip()
    for name in ("sample_stage_1", "sample_stage_2"):
        for row in files.read_jsonl(f"data/examples/{name}.jsonl"):
            yield chat.prompt_text(row["messages"][:-1]) + row["messages"][-1]["content"]


def _codes() -> Iterator[str]:
    for path in sorted(Path("data/phrasebook").glob("*.txt")):
        for kind, code in _HEAD.findall(files.read_text(path)):
            yield code
            if kind == "ICD10":
                yield code[:3]


def model_of(params: BaseParams, tokenizer: PreTrainedTokenizerBase, seed: int) -> LlamaForCausalLM:
    """A model of the profile's shape with random weights. Raises `UserError` for a hub model whose shape is not known here."""
    torch.manual_seed(seed)
    if params.source == "scratch":
        base.check(params)
        return base.scratch(params, tokenizer, seed)
    if Path(params.source).is_dir():
        config = AutoConfig.from_pretrained(params.source, local_files_only=True)
    elif params.source in SHAPES:
        config = LlamaConfig(**SHAPES[params.source])
    else:
        raise UserError(
            f"base.source: {params.source}",
            "its shape is not known without the hub",
            f"name a local folder, or one of {', '.join(SHAPES)}",
        )
    # the chat format adds at most three tokens: the two think tags and the pad token
    config.vocab_size = max(config.vocab_size + 3, len(tokenizer))
    config.pad_token_id, config.eos_token_id, config.bos_token_id = tokenizer.pad_token_id, tokenizer.eos_token_id, None
    return LlamaForCausalLM(config)


def encode(
    tokenizer: PreTrainedTokenizerBase, sample: list[dict[str, Any]], settings: SFTParams, seed: int
) -> list[dict[str, list[int]]]:
    """Training rows of the conversations, as the stage makes them."""
    chop = random.Random(seed)
    return [sft.row(tokenizer, row["messages"], settings, chop, row.get("repeats", False)) for row in sample]


def faults(tokenizer: PreTrainedTokenizerBase, sample: list[dict[str, Any]]) -> dict[str, int]:
    """How many of the rows fail each check of template, mask and special tokens."""
    found = dict.fromkeys(("prompt is a prefix", "template", "mask", "stop token", "read back", "control tokens"), 0)
    special = {tokenizer.convert_tokens_to_ids(name) for name in (chat.START, chat.STOP)}
    for row in sample:
        *prompt, answer = row["messages"] if "messages" in row else [*row["prompt"], {"content": row["chosen"]}]
        answer = {"role": "assistant", "content": answer["content"]}
        ids = chat.encode_prompt(tokenizer, prompt)
        whole = chat.encode(tokenizer, [*prompt, answer])
        text = chat.prompt_text(prompt)
        learned = [token for token, on in zip(whole["input_ids"], whole["completion_mask"], strict=True) if on]
        plain = [{**message, "content": chat.as_read(message["content"])} for message in prompt]
        rendered = tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=True)
        found["prompt is a prefix"] += whole["input_ids"][: len(ids)] != ids
        found["template"] += rendered != text
        found["mask"] += tokenizer.decode(learned) != answer["content"] + chat.STOP
        found["stop token"] += learned[-1] != chat.stop_id(tokenizer) or tokenizer.pad_token_id == tokenizer.eos_token_id
        found["read back"] += tokenizer.decode(learned, skip_special_tokens=True) != answer["content"]
        found["control tokens"] += sum(token in special for token in ids) != 2 * len(prompt) + 1
    return found


def pair_tokens(tokenizer: PreTrainedTokenizerBase, sample: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """For each pair: tokens of both its sides together with their prompts, and of the longer one."""
    found = []
    for row in dpo.texts(sample):
        prompt = len(tokenizer.encode(row["prompt"], add_special_tokens=False))
        sides = [len(chat.encode_completion(tokenizer, row[side])) for side in ("chosen", "rejected")]
        found.append((2 * prompt + sum(sides), prompt + max(sides)))
    return found


def longest(lengths: list[int], settings: SFTParams | Stage3Params, stage: str) -> str | None:
    """The fault of a row beyond `max_length`, if there is one."""
    most = max(lengths)
    if most <= settings.max_length:
        return None
    return f"{stage}.max_length: a row has {most} tokens, the limit is {settings.max_length}; set it to at least {most}"
