"""A head start for a model from scratch: token vectors taught as a bag of pieces before the transformer is trained.

A small transformer with random weights spends most of a short budget on finding out that the words of a phrase, wherever
they stand, point to its code. That much a linear model learns in seconds: the mean of a phrase's token vectors is pulled
towards the vector of its code's token. These vectors then become the model's embeddings, and the first attention layer
starts out as a plain average, so that the model begins where a bag of words ends and learns order, negation and the
difference between neighbours from there.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

from thce import answers
from thce.errors import UserError
from thce.modeling import chat
from thce.seeds import derive

SCALE = 14.0  # sharpness of the softmax over cosines
BATCH = 256


def phrases(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[tuple[str, int]]:
    """(wording, id of its code's token) for every text of the form `wording`, newline, one answer line."""
    vocabulary = tokenizer.get_vocab()
    found = []
    for text in texts:
        wording, _, answer = text.partition("\n")
        parsed = answers.parse(answer)
        if len(parsed.codes) == 1:
            code = parsed.codes[0].code
            if code not in vocabulary:
                raise UserError("params.yaml: base.bag_epochs", "needs base.code_tokens: true", "set bag_epochs to 0")
            found.append((wording, vocabulary[code]))
    return found


def teach(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    epochs: int,
    chop: float,
    spread: float,
    seed: int,
) -> float:
    """Set the embeddings of `model` in place; returns the share of wordings whose nearest code is right at the end.

    `chop` is the probability that a word is cut in two; `spread` the root mean square of an embedding's components.
    """
    pairs = phrases(tokenizer, texts)
    targets = sorted({target for _, target in pairs})
    place = {target: i for i, target in enumerate(targets)}
    width = model.config.hidden_size
    generator = torch.Generator().manual_seed(derive(seed, "bag") % 2**63)
    vectors = torch.nn.Parameter(torch.randn(len(tokenizer), width, generator=generator) * 0.1)
    optimizer = torch.optim.Adam([vectors], lr=0.02)
    ids_of_codes = torch.tensor(targets)
    batches = -(-len(pairs) // BATCH)
    step, right = 0, 0
    for epoch in range(epochs):
        shuffle = random.Random(derive(seed, "bag", epoch))
        order = list(range(len(pairs)))
        shuffle.shuffle(order)
        right = 0
        for begin in range(0, len(order), BATCH):
            chosen = [pairs[i] for i in order[begin : begin + BATCH]]
            rows = [
                [
                    token
                    for piece in chat.cut(wording, shuffle, chop)
                    for token in tokenizer.encode(piece, add_special_tokens=False)
                ]
                for wording, _ in chosen
            ]
            starts = torch.tensor([0] + [len(row) for row in rows[:-1]]).cumsum(0)
            bags = functional.embedding_bag(
                torch.tensor([token for row in rows for token in row]), vectors, starts, mode="mean"
            )
            logits = SCALE * functional.normalize(bags, dim=-1) @ functional.normalize(vectors[ids_of_codes], dim=-1).T
            gold = torch.tensor([place[target] for _, target in chosen])
            for group in optimizer.param_groups:
                group["lr"] = 0.02 * (1 - step / (epochs * batches))
            optimizer.zero_grad()
            functional.cross_entropy(logits, gold).backward()
            optimizer.step()
            right += int((logits.argmax(-1) == gold).sum())
            step += 1
    share = right / max(1, len(pairs))
    print(f"base: bag of pieces names {share:.3f} of {len(pairs)} wordings", file=sys.stderr, flush=True)
    with torch.no_grad():
        embeddings: Any = model.get_input_embeddings()
        embeddings.weight.copy_(functional.normalize(vectors, dim=-1) * width**0.5 * spread)
        first: Any = model.model.layers[0].self_attn
        first.v_proj.weight.copy_(torch.eye(width))
        first.o_proj.weight.copy_(torch.eye(width) * spread * 3)
    return share
