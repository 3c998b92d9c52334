"""All codes that may be answered, as one tree over token ids.

An answer line is `TYPE: CODE (description)`. Only `TYPE: CODE` is spelled out in the tree: what follows a complete code
is its official description, known without asking the model. Arrays instead of objects keep the whole of ICD-10-CM
(74,719 codes) in a few megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from thce.answers import NONE_ANSWER
from thce.codes.book import Entry
from thce.errors import UserError

Ints = NDArray[np.int32]

NO_CODE = ("NONE", "")
"""The label of "no code", last in every code set."""


@dataclass(frozen=True, slots=True)
class Trie:
    """Node 0 is the root; the children of a node are `first[node]` up to `first[node] + count[node]`, in token order.

    `leaf` is the number of the sequence that ends at a node, else -1. `end` is the first node at or below a node that
    does not have exactly one child: on the way there the model has no choice. `low[node]:high[node]` are the places of
    the sequences below a node in `order`, which lists them as the tree does.
    """

    token: Ints
    first: Ints
    count: Ints
    leaf: Ints
    end: Ints
    low: Ints
    high: Ints
    order: Ints

    @property
    def nbytes(self) -> int:
        """Memory of all arrays, in bytes."""
        return sum(getattr(self, name).nbytes for name in self.__slots__)

    def chain(self, node: int) -> list[int]:
        """Token ids from `node` down to `end[node]`, both included."""
        tokens = [int(self.token[node])]
        while self.count[node] == 1:
            node = int(self.first[node])
            tokens.append(int(self.token[node]))
        return tokens


def build(sequences: Sequence[Sequence[int]]) -> Trie:
    """The tree of `sequences` of token ids; ValueError if there is none, or one is empty, equal to another, or begins it."""
    lengths = np.fromiter((len(sequence) for sequence in sequences), np.int32, len(sequences))
    depth = int(lengths.max(initial=0))
    if not len(sequences) or int(lengths.min()) < 1:
        raise ValueError("a trie needs at least one sequence, and none of them empty")
    table = np.full((len(sequences), depth), -1, np.int32)
    table[np.arange(depth) < lengths[:, None]] = np.fromiter(
        (token for sequence in sequences for token in sequence), np.int32, int(lengths.sum())
    )
    order = np.lexsort(table.T[::-1]).astype(np.int32)
    table, lengths = table[order], lengths[order]
    rows = np.arange(len(sequences), dtype=np.int32)
    started = np.zeros(len(sequences), bool)
    started[0] = True
    above = np.zeros(len(sequences), np.int32)
    tokens: list[Ints] = [np.full(1, -1, np.int32)]
    parents: list[Ints] = [np.full(1, -1, np.int32)]
    leaves: list[Ints] = [np.full(1, -1, np.int32)]
    lows: list[Ints] = [np.zeros(1, np.int32)]
    highs: list[Ints] = [np.full(1, len(rows), np.int32)]
    total = 1
    for level in range(depth):
        started[1:] |= table[1:, level] != table[:-1, level]
        here = table[:, level] >= 0
        begins = np.flatnonzero(started & here).astype(np.int32)
        # the sequences below a node are neighbours; between them and the next node lie only sequences that have ended
        last = np.maximum.accumulate(np.where(here, np.arange(len(rows)), -1))
        high = (last[np.append(begins[1:], len(rows)) - 1] + 1).astype(np.int32)
        number = np.cumsum(started & here, dtype=np.int32) - 1 + total
        tokens.append(table[begins, level])
        parents.append(above[begins])
        final = lengths[begins] == level + 1
        if np.any(final & (high - begins > 1)):
            raise ValueError("a sequence is equal to another or begins it")
        leaves.append(np.where(final, order[begins], np.int32(-1)))
        lows.append(begins)
        highs.append(high)
        above = np.where(here, number, above)
        total += len(begins)
    parent = np.concatenate(parents).astype(np.int32)
    count = np.bincount(parent[1:], minlength=total).astype(np.int32)
    first = np.zeros(total, np.int32)
    first[parent[:0:-1]] = np.arange(total - 1, 0, -1, dtype=np.int32)  # the last write, the smallest child, stays
    end = np.arange(total, dtype=np.int32)
    single = np.flatnonzero(count == 1)[::-1]
    for _ in range(depth):
        end[single] = end[first[single]]
    arrays = (np.concatenate(part).astype(np.int32) for part in (tokens, leaves, lows, highs))
    token, leaf, low, high = arrays
    return Trie(token, first, count, leaf, end, low, high, order)


class Labels(tuple[tuple[str, str], ...]):
    """What may be answered, as (code type, code), by number."""

    @cached_property
    def place(self) -> Mapping[tuple[str, str], int]:
        """The number of each label."""
        return {label: number for number, label in enumerate(self)}

    @cached_property
    def _hash(self) -> int:
        return super().__hash__()

    def __hash__(self) -> int:
        """As that of any tuple, but computed once: what is kept by code set is asked for with every narrative."""
        return self._hash


class CodeSet:
    """The codes an answer may name, spelled in a tokenizer's ids; number `len(entries)` stands for "no code"."""

    def __init__(self, entries: Sequence[Entry], tokenizer: Tokenizer) -> None:
        if not entries:
            raise UserError("code set", "no code is left to choose from", "check code type and date of service")
        self.entries = tuple(entries)
        self.tokenizer = tokenizer
        self.none = len(self.entries)
        self.labels = Labels((*((entry.code_type, entry.code) for entry in self.entries), NO_CODE))
        self.places = {entry.code: place for place, entry in enumerate(self.entries)}
        spelled = [f"{entry.code_type}: {entry.code}" for entry in self.entries]
        encoded = tokenizer.encode_batch_fast([*spelled, NONE_ANSWER.partition(":")[0] + ":"], add_special_tokens=False)
        self.spelled: list[list[int]] = [encoding.ids for encoding in encoded]
        self.trie = build(self.spelled)
        self._tokens: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self.entries) + 1

    def line(self, number: int) -> str:
        """The answer line of a code, or the explicit "no code" line."""
        if number == self.none:
            return NONE_ANSWER
        entry = self.entries[number]
        return f"{entry.code_type}: {entry.code} ({entry.short_title})"

    def lines(self, numbers: Sequence[int], newline: int) -> list[int]:
        """The token ids of several lines below each other."""
        ids = [token for number in numbers for token in (newline, *self.tokens(number))]
        return ids[1:]

    def tokens(self, number: int) -> list[int]:
        """The whole line's token ids, as in training; they begin with `spelled[number]`. Raises `UserError` where the tokenizer
        joins a code with what follows it."""
        if number in self._tokens:
            return self._tokens[number]
        ids: list[int] = self.tokenizer.encode(self.line(number), add_special_tokens=False).ids
        spelled = self.spelled[number]
        if ids[: len(spelled)] != spelled:
            raise UserError(
                "tokenizer", f"joins a code with its description in `{self.line(number)}`", "use another base model"
            )
        self._tokens[number] = ids
        return ids
