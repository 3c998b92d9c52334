"""A batch of sequences in the middle of decoding: cache, lengths, and the logits of each row's next token.

Every token of a row lies at the slot of its own position, so rows of any length share a batch without padding on the
left, and what a row computes does not depend on its neighbours' lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from thce.coder.llama import Llama

_GROWTH = 32  # free slots that a cache gets beyond what is asked for


@dataclass(slots=True)
class Prefix:
    """The cache of a token sequence that many prompts begin with: [layers, 1, 2 * kv_heads, tokens, width]."""

    tokens: tuple[int, ...]
    cache: Tensor


class Rows:
    """`numbers` are the caller's names of the rows; `length` [rows] counts the tokens in the cache."""

    def __init__(self, model: Llama, numbers: list[int], cache: Tensor, length: Tensor, logits: Tensor) -> None:
        self.model = model
        self.numbers = numbers
        self.cache = cache
        self.length = length
        self.logits = logits

    @classmethod
    def start(cls, model: Llama, numbers: Sequence[int], prompts: Sequence[Sequence[int]], prefix: Prefix | None) -> Rows:
        """Read the prompts. A prefix is not computed again; every prompt must begin with it and be longer."""
        shared = len(prefix.tokens) if prefix else 0
        longest = max(len(prompt) for prompt in prompts)
        cache = model.cache(len(prompts), longest + _GROWTH)
        if prefix:
            cache[:, :, :, :shared] = prefix.cache
        rows = cls(
            model,
            list(numbers),
            cache,
            torch.full((len(prompts),), shared, device=model.device),
            torch.zeros((len(prompts), model.output.outputs), device=model.device),
        )
        rows.extend([prompt[shared:] for prompt in prompts])
        return rows

    def reserve(self, slots: int) -> None:
        """Make sure the cache has this many slots."""
        have = self.cache.shape[3]
        if slots > have:
            wider = self.model.cache(self.cache.shape[1], slots + _GROWTH)
            wider[:, :, :, :have] = self.cache
            self.cache = wider

    def extend(self, pieces: Sequence[Sequence[int]]) -> None:
        """Append known tokens to each row, in one pass; a row with an empty piece stays as it is."""
        device = self.model.device
        filled = [i for i, piece in enumerate(pieces) if piece]
        if not filled:
            return
        sizes = torch.tensor([len(piece) for piece in pieces], device=device)
        tokens = torch.tensor([token for piece in pieces for token in piece], device=device)
        row = torch.repeat_interleave(sizes)
        place = torch.arange(len(tokens), device=device) - (sizes.cumsum(0) - sizes)[row]
        slots = self.length[row] + place
        self.length = self.length + sizes
        seen = int(self.length.max())
        self.reserve(seen)
        steps = torch.arange(int(sizes.max()), device=device)
        until = (self.length - sizes)[:, None] + steps
        mask = torch.arange(seen, device=device) <= until[:, :, None]
        ends = (sizes.cumsum(0) - 1)[filled]
        self.logits[filled] = self.model.logits(self.model.forward(self.cache, tokens, row, place, slots, slots, mask, ends))

    def step(self, tokens: Tensor) -> None:
        """Append one token [rows] to every row."""
        seen = int(self.length.max()) + 1
        self.reserve(seen)
        row = torch.arange(len(tokens), device=self.model.device)
        mask = (torch.arange(seen, device=self.model.device) <= self.length[:, None])[:, None]
        hidden = self.model.forward(self.cache, tokens, row, torch.zeros_like(row), self.length, self.length, mask, row)
        self.logits = self.model.logits(hidden)
        self.length = self.length + 1

    def take(self, indices: Sequence[int]) -> Rows:
        """A copy of some rows, with no more of the cache than they use."""
        index = torch.tensor(indices, dtype=torch.long, device=self.model.device)
        length = self.length[index]
        used = int(length.max()) if len(indices) else 0
        return Rows(
            self.model,
            [self.numbers[i] for i in indices],
            self.cache[:, :, :, :used].index_select(1, index),
            length,
            self.logits[index],
        )


def join(parts: Sequence[Rows]) -> Rows:
    """Rows of several batches as one, in the order given."""
    if len(parts) == 1:
        return parts[0]
    slots = max(part.cache.shape[3] for part in parts)
    caches = [functional.pad(part.cache, (0, 0, 0, slots - part.cache.shape[3])) for part in parts]
    return Rows(
        parts[0].model,
        [number for part in parts for number in part.numbers],
        torch.cat(caches, dim=1),
        torch.cat([part.length for part in parts]),
        torch.cat([part.logits for part in parts]),
    )


def read_prefix(model: Llama, tokens: Sequence[int]) -> Prefix:
    """Compute a shared prefix once."""
    rows = Rows.start(model, [0], [list(tokens)], None)
    return Prefix(tuple(tokens), rows.cache[:, :, :, : len(tokens)].clone())
