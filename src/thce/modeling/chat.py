"""One chat template for training and inference, and the token rows both are made of.

The template is ChatML. `encode` builds a training row as prompt + completion from the same text that generation starts
from, so the prompt is an exact prefix of what was trained, the loss covers the completion with its stop token and nothing
else, and a control token inside a narrative is read as plain text.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from transformers import PreTrainedTokenizerBase

from thce.answers import THINK_CLOSE
from thce.capitals import small

START = "<|im_start|>"
STOP = "<|im_end|>"
PAD = "<|pad|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

Messages = Sequence[dict[str, str]]

_CONTROL = re.compile(r"<\|(?=[a-z_]+\|>)|<(?=/?think>)")
_DESCRIPTION = re.compile(r"^\w+: \S+ \((?P<inside>.*)\)$", re.M)
_WORD = re.compile(r"[^\W\d_]{4,}")


def as_read(text: str) -> str:
    """A narrative as the model gets it: a note in capitals in small letters, and a blank after the first character of every
    control token: `<|im_end|>` becomes `< |im_end|>`.

    The tokenizer then reads control tokens as ordinary characters; offsets of evidence are taken on the original text.
    """
    return _CONTROL.sub(lambda match: "< " + match[0][1:], small(text))


def prompt_text(messages: Messages) -> str:
    """The text a completion follows: system and user turns and the opening of the assistant's."""
    parts = [f"{START}{message['role']}\n{as_read(message['content'])}{STOP}\n" for message in messages]
    return "".join(parts) + f"{START}assistant\n"


def encode_prompt(
    tokenizer: PreTrainedTokenizerBase, messages: Messages, chop: random.Random | None = None, rate: float = 0.0
) -> list[int]:
    """Token ids of the prompt.

    With `rate` > 0 some words of the user turn are cut in two before they are tokenized, so that the model meets a word in
    other pieces too (a reproducible stand-in for BPE dropout, whose generator cannot be seeded).
    """
    if chop is None or rate <= 0:
        return tokenizer.encode(prompt_text(messages), add_special_tokens=False)
    head = [f"{START}{message['role']}\n{as_read(message['content'])}{STOP}\n" for message in messages[:-1]]
    last = messages[-1]
    first, *rest = cut(as_read(last["content"]), chop, rate) or [""]
    ids = tokenizer.encode("".join(head) + f"{START}{last['role']}\n{first}", add_special_tokens=False)
    for piece in rest:
        ids.extend(tokenizer.encode(piece, add_special_tokens=False))
    ids.extend(tokenizer.encode(f"{STOP}\n{START}assistant\n", add_special_tokens=False))
    return ids


def cut(text: str, chop: random.Random, rate: float) -> list[str]:
    """The text in pieces, each word of four letters or more cut inside with probability `rate`."""
    cuts = [match.start() + chop.randint(1, len(match[0]) - 1) for match in _WORD.finditer(text) if chop.random() < rate]
    edges = [0, *cuts, len(text)]
    return [text[left:right] for left, right in pairwise(edges) if left < right]


def encode_completion(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of the assistant's text and the stop token, as they follow the prompt."""
    return tokenizer.encode(text + STOP, add_special_tokens=False)


def encode(
    tokenizer: PreTrainedTokenizerBase,
    messages: Messages,
    chop: random.Random | None = None,
    rate: float = 0.0,
    descriptions: bool = True,
) -> dict[str, list[int]]:
    """A training row: `input_ids` of prompt and completion, and `completion_mask`, 1 where the loss applies.

    Without `descriptions` it does not apply to what stands in brackets on an answer line.
    """
    *prompt, answer = messages
    prompt_ids = encode_prompt(tokenizer, prompt, chop, rate)
    completion_ids = encode_completion(tokenizer, answer["content"])
    mask = [1] * len(completion_ids) if descriptions else told(tokenizer, answer["content"])
    return {"input_ids": prompt_ids + completion_ids, "completion_mask": [0] * len(prompt_ids) + mask}


def told(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """1 for every token of `encode_completion`, 0 for those that lie inside the brackets of an answer line."""
    start = text.rfind(THINK_CLOSE) + 1
    spans = [match.span("inside") for match in _DESCRIPTION.finditer(text, start)]
    offsets = tokenizer(text + STOP, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return [int(not any(low <= begin and end <= high for low, high in spans)) for begin, end in offsets]


def stop_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Id of the token that ends a turn."""
    token_id: Any = tokenizer.convert_tokens_to_ids(STOP)
    return int(token_id)
