"""The model the stages start from: made from scratch, or taken from the hub or a folder."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from thce.errors import UserError
from thce.files import weights
from thce.modeling import tokenizer as tokenizers
from thce.modeling.headstart import ROPE_THETA
from thce.settings.modeling import BaseParams


def check(params: BaseParams) -> None:
    """Raises `UserError` where the shape of a model from scratch is impossible or cannot take the head start asked for."""
    if params.hidden % params.heads or (params.hidden // params.heads) % 2:
        raise UserError("params.yaml: base.heads", f"{params.heads} heads do not divide {params.hidden} into even widths")
    if params.epochs > 0 and params.heads < 2:
        raise UserError(
            "params.yaml: base.heads", "the head start needs two heads or more", "raise base.heads, or set base.epochs to 0"
        )
    if params.epochs > 0 and not params.code_tokens:
        raise UserError(
            "params.yaml: base.code_tokens",
            "the head start needs a token for every code",
            "set base.code_tokens to true, or base.epochs to 0",
        )


def scratch(params: BaseParams, tokenizer: PreTrainedTokenizerBase, seed: int) -> LlamaForCausalLM:
    """A small Llama with random weights from the seed; token vectors are not shared with the output, and turn slowly."""
    check(params)
    torch.manual_seed(seed % 2**32)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=params.hidden,
            intermediate_size=params.intermediate,
            num_hidden_layers=params.layers,
            num_attention_heads=params.heads,
            num_key_value_heads=params.heads,
            max_position_embeddings=params.context,
            tie_word_embeddings=False,
            rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def pretrained(params: BaseParams) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model and tokenizer from a local folder or, at a pinned revision, from the hub; made fit for the chat format.
    Raises `UserError` without a revision for the hub, or where it cannot be loaded."""
    local = Path(params.source).is_dir()
    if not local and not params.revision:
        raise UserError(
            "params.yaml: base.revision", "a hub model needs a pinned revision", "write the commit hash of the model"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(params.source, revision=params.revision)
        model = AutoModelForCausalLM.from_pretrained(params.source, revision=params.revision, dtype=torch.float32)
    except (OSError, ValueError) as error:
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") else ""
        raise UserError(
            f"params.yaml: base.source: {params.source}",
            f"cannot be loaded{offline}: {str(error).splitlines()[0]}",
            "check the name, the revision and the network",
        ) from None
    extended = tokenizers.extend(tokenizer)
    if len(extended) > model.config.vocab_size:
        torch.manual_seed(0)
        model.resize_token_embeddings(len(extended), mean_resizing=True)
    return model, extended


def load(folder: Path | str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A trained model folder; a missing one is a `UserError` that says how to make it."""
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise UserError(str(folder), "no trained model here", "run `make repro` (or `dvc repro`) first")
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    # without a GPU the fused kernel's backward pass is slower than plain attention at the lengths of a note
    attention = "sdpa" if torch.cuda.is_available() else "eager"
    with weights(folder):
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, attn_implementation=attention
        )
    return model, tokenizer
