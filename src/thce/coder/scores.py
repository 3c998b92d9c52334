"""The probability of every code at once: the tree of codes searched level by level, all rows and branches in one pass.

A branch's probability is the model's, with the tokens no code continues with left out. Where one token is left, no
model is asked. Branches below the cut-off are not followed: their mass is spread evenly over the codes below them, and
reported.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thce.coder.rows import Rows
from thce.coder.trie import Trie

Floats = NDArray[np.float64]


def code_scores(rows: Rows, trie: Trie, beam: int = 16, cutoff: float = 0.01) -> tuple[Floats, Floats]:
    """Log-probabilities [rows, sequences] of every sequence of `trie` as the next tokens, and the mass left out [rows].

    At each level at most `beam` branches per row are followed, and only those at least `cutoff` times as probable as
    the row's best code or branch. Each row of the result sums to one. The rows themselves are left as they were.
    """
    count = len(rows.numbers)
    result = np.full((count, len(trie.order)), -np.inf)
    left_out = np.zeros(count)
    margin = math.log(cutoff) if cutoff > 0 else -math.inf
    tree = _Tree(rows)
    at_row, at_node, at_score = np.arange(count), np.zeros(count, np.int64), np.zeros(count)
    logits, tops = rows.logits, [-1] * count
    if trie.count[0] == 1:  # nothing to choose at the root
        stop = int(trie.end[0])
        if trie.leaf[stop] >= 0:
            result[:, trie.leaf[stop]] = 0.0
            return result, left_out
        logits = tree.read(at_row, [trie.chain(int(trie.first[0]))] * count, tops)
        at_node, tops = np.full(count, stop), tree.last
    while len(at_row):
        sizes = trie.count[at_node]
        starts = np.cumsum(sizes) - sizes
        parent = np.repeat(np.arange(len(at_node)), sizes)
        child = np.arange(int(sizes.sum())) - np.repeat(starts - trie.first[at_node], sizes)
        picked = logits[
            torch.from_numpy(parent).to(logits.device), torch.from_numpy(trie.token[child]).long().to(logits.device)
        ]
        value = picked.cpu().numpy().astype(np.float64)
        high = np.maximum.reduceat(value, starts)
        total = high + np.log(np.add.reduceat(np.exp(value - high[parent]), starts))
        score = at_score[parent] + value - total[parent]
        row, below = at_row[parent], trie.end[child]
        leaf = trie.leaf[below]
        done = leaf >= 0
        result[row[done], leaf[done]] = score[done]
        open_ = np.flatnonzero(~done)
        best = open_[np.lexsort((child[open_], -score[open_], row[open_]))]
        rank = np.arange(len(best)) - np.searchsorted(row[best], row[best])
        peak = result.max(axis=1)
        np.maximum.at(peak, row, score)
        keep = (rank < beam) & (score[best] >= peak[row[best]] + margin)
        for i in best[~keep].tolist():
            low, top = int(trie.low[below[i]]), int(trie.high[below[i]])
            result[row[i], trie.order[low:top]] = score[i] - math.log(top - low)
            left_out[row[i]] += math.exp(score[i])
        kept = best[keep]
        at_row, at_node, at_score = row[kept], below[kept].astype(np.int64), score[kept]
        if len(kept):
            logits = tree.read(at_row, [trie.chain(int(node)) for node in child[kept]], [tops[i] for i in parent[kept]])
            tops = tree.last
    return result, left_out


class _Tree:
    """Branches behind each row's sequence, in slots of their own: a token sees its row's sequence and its own
    ancestors.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.base = int(rows.length.max())
        self.lengths = rows.length.tolist()
        self.used = [0] * len(rows.numbers)
        self.lines: list[list[list[int]]] = [[] for _ in rows.numbers]  # per row and tree token: its ancestors and itself
        self.last: list[int] = []

    def read(self, at_row: NDArray[np.int64], chains: list[list[int]], parents: list[int]) -> Tensor:
        """Append chains of tokens below `parents` (tree tokens of the same row, -1: the row's end).

        Returns the logits after each chain; `last` then names the chains' last tree tokens.
        """
        rows, model = self.rows, self.rows.model
        width = [0] * len(rows.numbers)
        ends: list[int] = []
        self.last = []
        fresh: list[tuple[int, int, int, int]] = []  # row, place in the pass, token, tree token
        for row, chain, parent in zip(at_row.tolist(), chains, parents, strict=True):
            line = self.lines[row][parent] if parent >= 0 else []
            for token in chain:
                number = len(self.lines[row])
                line = [*line, number]
                self.lines[row].append(line)
                fresh.append((row, width[row], token, number))
                width[row] += 1
            ends.append(len(fresh) - 1)
            self.last.append(len(self.lines[row]) - 1)
        seen = self.base + max(len(lines) for lines in self.lines)
        rows.reserve(seen)
        mask = np.zeros((len(rows.numbers), max(width), seen), bool)
        mask[:] = np.arange(seen) < np.array(self.lengths)[:, None, None]
        for row, place, _, number in fresh:
            mask[row, place, [self.base + ancestor for ancestor in self.lines[row][number]]] = True
        depth = [self.lengths[row] + len(self.lines[row][number]) - 1 for row, _, _, number in fresh]
        columns = zip(*fresh, strict=True)
        row_of, place_of, tokens, numbers = (torch.tensor(column, device=model.device) for column in columns)
        hidden = model.forward(
            rows.cache,
            tokens,
            row_of,
            place_of,
            torch.tensor(depth, device=model.device).clamp(max=model.context - 1),
            numbers + self.base,
            torch.from_numpy(mask).to(model.device),
            torch.tensor(ends, device=model.device),
        )
        return model.logits(hidden)
