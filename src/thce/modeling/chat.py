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
_DESCRIPTION = re.compile(rf"^\w+: \S+ \((?P<inside>.*)\)(?:{re.escape(STOP)})?$", re.M)
_WORD = re.compile(r"[^\W\d_]{4,}")
WHOLE = re.compile(r".+", re.S)
"""Where an answer that repeats the note has its words."""
QUOTED = re.compile(r'"[^"\n]*"')
"""Where any other answer has them. Of a quotation with quotation marks inside (one of three hundred) a part lies outside."""


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


def encode_prompt(tokenizer: PreTrainedTokenizerBase, messages: Messages, cuts: Cuts | None = None) -> list[int]:
    """Token ids of the prompt; with `cuts`, words of the user turn are cut in two before they are tokenized."""
    if cuts is None:
        return tokenizer.encode(prompt_text(messages), add_special_tokens=False)
    head = [f"{START}{message['role']}\n{as_read(message['content'])}{STOP}\n" for message in messages[:-1]]
    last = messages[-1]
    first, *rest = cuts.pieces(as_read(last["content"])) or [""]
    ids = tokenizer.encode("".join(head) + f"{START}{last['role']}\n{first}", add_special_tokens=False)
    for piece in rest:
        ids.extend(tokenizer.encode(piece, add_special_tokens=False))
    ids.extend(tokenizer.encode(f"{STOP}\n{START}assistant\n", add_special_tokens=False))
    return ids


class Cuts:
    """Which words of a row are cut in two before they are tokenized, and where, so that the model meets a word in other pieces
    too (a reproducible stand-in for BPE dropout, whose generator cannot be seeded).

    A word of four letters or more, as it is spelled, is cut with probability `rate`, each time at the same place: a quoted word
    keeps the pieces it has in the note, or copying could not be learned. One object serves one row.
    """

    def __init__(self, draw: random.Random, rate: float) -> None:
        self.draw, self.rate = draw, rate
        self.places: dict[str, int] = {}

    def pieces(self, text: str) -> list[str]:
        """The text in pieces; of a word met for the first time it is decided here whether and where it is cut."""
        for word in _WORD.findall(text):
            if word not in self.places:
                self.places[word] = self.draw.randint(1, len(word) - 1) if self.draw.random() < self.rate else 0
        return self.again(text, WHOLE)

    def again(self, text: str, inside: re.Pattern[str]) -> list[str]:
        """Another text in pieces: the words met before, cut as they were, where they stand in a match of `inside`."""
        words = (word for span in inside.finditer(text) for word in _WORD.finditer(text, *span.span()))
        places = [word.start() + self.places[word[0]] for word in words if self.places.get(word[0])]
        edges = [0, *places, len(text)]
        return [text[left:right] for left, right in pairwise(edges) if left < right]


def encode_completion(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of the assistant's text and the stop token, as they follow the prompt."""
    return tokenizer.encode(text + STOP, add_special_tokens=False)


def encode(
    tokenizer: PreTrainedTokenizerBase,
    messages: Messages,
    cuts: Cuts | None = None,
    descriptions: bool = True,
    repeats: bool = False,
) -> dict[str, list[int]]:
    """A training row: `input_ids` of prompt and completion, and `completion_mask`, 1 where the loss applies.

    Words are cut as `cuts` says, in the user turn and where the answer quotes it: between quotation marks, or everywhere if the
    answer `repeats` the turn. Without `descriptions` the loss does not apply to what stands in brackets on an answer line.
    """
    *prompt, answer = messages
    prompt_ids = encode_prompt(tokenizer, prompt, cuts)
    text = answer["content"] + STOP  # no word of it is long enough to be cut
    # the prompt was first: it has decided which words are cut
    pieces = [text] if cuts is None else cuts.again(text, WHOLE if repeats else QUOTED)
    lines = () if descriptions else _DESCRIPTION.finditer(text, text.rfind(THINK_CLOSE) + 1)
    untold = [match.span("inside") for match in lines]
    ids: list[int] = []
    mask: list[int] = []
    at = 0
    for piece in pieces:
        encoded = tokenizer(piece, add_special_tokens=False, return_offsets_mapping=True)
        ids += encoded["input_ids"]
        # a word behind a bracket is read with a blank that belongs to the bracket: where a token begins tells less than its end
        ends = [at + end for _, end in encoded["offset_mapping"]]
        mask += [int(not any(low < end <= high for low, high in untold)) for end in ends]
        at += len(piece)
    return {"input_ids": prompt_ids + ids, "completion_mask": [0] * len(prompt_ids) + mask}


def stop_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Id of the token that ends a turn."""
    token_id: Any = tokenizer.convert_tokens_to_ids(STOP)
    return int(token_id)
