"""The lexical prior: which codes the words of a text speak for, whatever the language model says.

A text becomes the bag of its character n-grams (inside words) and of its words and word pairs, weighted by TF-IDF. A
narrow linear layer (a vector per n-gram, a vector per code) is trained with a softmax over all codes and "no code", on
training wordings and training narratives only. Most n-grams are left out at random at each step, so that no single one
decides: that is what carries over to wordings never seen.
"""

from __future__ import annotations

import math
import re
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thce.errors import UserError
from thce.files import read_json, weights, write_json
from thce.reasoning.words import asserted_spans

WEIGHTS = "prior.safetensors"
VOCABULARY = "prior.json"
SHORTEST, LONGEST = 2, 5

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Pair = tuple[str, str]
Span = tuple[int, int]
Told = list[tuple[int, str, bool]]
"""Of each word of a text: where it starts, the word, and whether the text asserts it."""


_KEPT = 100_000
"""Words whose n-grams are kept."""

_TOGETHER = 16
"""Texts that are counted together in one table of texts and n-grams, or scored together."""

_OFTEN = np.append(0.0, 1.0 + np.log(np.arange(1, 4096)))
"""The weight of an n-gram by how often it occurs, before it is scaled; more often than this counts no more."""

_TINY = 1e-12  # the square of no n-grams at all, to divide by

_NOTHING: Ints = np.zeros(0, np.int64)

_WORD = re.compile(r"[^\W_]+")


def _grams(word: str) -> tuple[str, ...]:
    padded = f" {word} "
    sizes = range(SHORTEST, LONGEST + 1)
    return tuple(padded[start : start + size] for size in sizes for start in range(max(1, len(padded) - size + 1)))


def features(told: Told, grams: Callable[[str], Iterable[str]] = _grams) -> set[str]:
    """The n-grams of a text: ` c`, `co`, `cou` ... of each word between blanks; `=cough`, `=chronic cough` for words.

    Words that the text denies (`words.asserted_spans`) count as `=!fever` alone, so that they do not speak for the code
    they would otherwise name. `grams` gives those of a word; one that keeps them makes many texts quicker.
    """
    return set(_names(told)).union(*(grams(word) for _, word, asserted in told if asserted))


def listen(text: str) -> Told:
    """The words of a text, in its order."""
    heard = [False] * len(text)
    for start, end in asserted_spans(text):
        heard[start:end] = [True] * (end - start)
    return [(match.start(), match[0].casefold(), heard[match.start()]) for match in _WORD.finditer(text)]


def _names(told: Told) -> list[str]:
    """Of n words their own names, then those of the n - 1 pairs."""
    marked = [word if asserted else f"!{word}" for _, word, asserted in told]
    return [*(f"={word}" for word in marked), *(f"={left} {right}" for left, right in pairwise(marked))]


@dataclass(frozen=True, slots=True)
class Bag:
    """Sparse rows: row i holds `index[start[i]:start[i + 1]]` with the weights beside it."""

    start: Ints
    index: Ints
    weight: Floats


@dataclass(frozen=True, slots=True)
class Reading:
    """What the prior reads in spans of one text: `scores` [spans, labels], log-probabilities; `hidden` [spans, dim], the
    spans in its own space; `weights` [spans, features], the n-grams that `features` [features] numbers."""

    scores: NDArray[np.float64]
    hidden: Floats
    features: Ints
    weights: Floats


def product(left: Floats, right: Floats) -> Floats:
    """The product of two matrices, on as many threads as torch has: numpy's would spin beside them, and would add up in
    another order on another number of cores.
    """
    import torch

    result: Floats = (torch.from_numpy(left) @ torch.from_numpy(right)).numpy()
    return result


def as_single(values: NDArray[np.floating[Any]]) -> Floats:
    """Values in half precision as single; torch does it ten times as fast as numpy."""
    import torch

    result: Floats = torch.from_numpy(values).float().numpy()
    return result


def log_softmax(raw: Floats) -> NDArray[np.float64]:
    """Log-probabilities over the last axis. The sum is taken in double precision: evidence is weighed by what a word changes
    where the probability is all but 1.
    """
    low = raw - raw.max(axis=-1, keepdims=True)
    result: NDArray[np.float64] = low.astype(np.float64) - np.log(np.exp(low).sum(axis=-1, keepdims=True, dtype=np.float64))
    return result


def log_total(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of the sum of exp(scores) over the last axis, which stays."""
    high = scores.max(axis=-1, keepdims=True)
    result: NDArray[np.float64] = high + np.log(np.exp(scores - high).sum(axis=-1, keepdims=True))
    return result


def read_arrays(path: Path, what: str) -> dict[str, NDArray[Any]]:
    """The arrays of a file that the stage `calibrate` has written; a missing or broken one is a `UserError`."""
    from safetensors.numpy import load_file

    if not path.is_file():
        raise UserError(str(path.parent), f"no {what} here", "run `make repro` (or `dvc repro calibrate`) first")
    with weights(path):
        return load_file(path)


class Prior:
    """`labels` are (code type, code), the last one `NO_CODE`; `vectors` [n-grams, dim], `output` [labels, dim], `bias`
    [labels].
    """

    def __init__(
        self,
        labels: Sequence[Pair],
        vocabulary: Sequence[str],
        idf: Floats,
        vectors: Floats,
        output: Floats,
        bias: Floats,
    ) -> None:
        self.labels = tuple(labels)
        self.place = {label: i for i, label in enumerate(labels)}
        self.vocabulary = tuple(vocabulary)
        self.number = {feature: i for i, feature in enumerate(vocabulary)}
        self.idf = idf
        self.vectors = vectors
        self.output = output
        self.bias = bias
        self._kept: dict[str, Ints] = {}

    def bag(self, texts: Sequence[str]) -> Bag:
        """Whole texts as rows: (1 + log count) * idf, characters and words each scaled to half of a unit vector's square."""
        return self._bag([listen(text) for text in texts])

    def _bag(self, texts: Sequence[Told]) -> Bag:
        sizes, index, weight = [_NOTHING], [_NOTHING], [np.zeros(0, np.float32)]
        for first in range(0, len(texts), _TOGETHER):
            features, weights, _ = self._weights([(told, [(0, sys.maxsize)]) for told in texts[first : first + _TOGETHER]])
            row, column = weights.nonzero()
            sizes.append(np.bincount(row, minlength=len(weights)))
            index.append(features[column])
            weight.append(weights[row, column])
        return Bag(np.append(0, np.concatenate(sizes).cumsum()), np.concatenate(index), np.concatenate(weight))

    def _weights(self, texts: Sequence[tuple[Told, Sequence[Span]]]) -> tuple[Ints, Floats, list[int]]:
        """The n-grams [features] that spans of texts have, their weights [rows, features], and the row of each span: spans of
        the same words share one. What is denied, and what its words are, is said by the whole text.
        """
        grams: list[Ints] = []  # of each word
        names: list[int] = []  # text by text those of its words, then those of its pairs of words
        rows: dict[tuple[Span, Span, Span], int] = {}  # by n-grams, words and pairs of a span
        row_of: list[int] = []
        size = 0
        for told, spans in texts:
            places = [place for place, _, _ in told]
            word_at = len(names)
            pair_at = word_at + len(told)
            names += [self.number.get(name, -1) for name in _names(told)]
            each = [self._grams_of(word) if asserted else _NOTHING for _, word, asserted in told]
            until = list(accumulate(map(len, each), initial=size))  # where each word's n-grams begin
            grams += each
            size = until[-1]
            for start, end in spans:
                first, last = bisect_left(places, start), bisect_left(places, end)
                part = (
                    (until[first], until[last]),
                    (word_at + first, word_at + last),
                    (pair_at + first, pair_at + max(first, last - 1)),
                )
                row_of.append(rows.setdefault(part, len(rows)))
        named = np.array(names, np.int64)
        named[named >= 0] += len(self.vocabulary)  # so that names come behind all n-grams
        keys, column = np.unique(np.concatenate([*grams, named]), return_inverse=True)
        gram_column, name_column = column[:size], column[size:]
        cells = [gram_column[low:high] for (low, high), _, _ in rows]
        cells += [name_column[low:high] for _, *two in rows for low, high in two]
        row = np.concatenate([np.arange(len(rows)), np.arange(len(rows)).repeat(2)])
        at = (row * len(keys)).repeat([len(cell) for cell in cells]) + np.concatenate([_NOTHING, *cells])
        times = np.bincount(at, minlength=len(rows) * len(keys)).reshape(len(rows), len(keys))
        unknown = int(np.searchsorted(keys, 0))
        split = int(np.searchsorted(keys, len(self.vocabulary))) - unknown
        features = keys[unknown:]
        features[split:] -= len(self.vocabulary)
        values = _OFTEN.take(times[:, unknown:], mode="clip") * self.idf[features]
        for half in (values[:, :split], values[:, split:]):
            square = np.einsum("ij,ij->i", half, half)[:, None]
            half *= np.sqrt(0.5 / np.maximum(square, _TINY))
        return features, values.astype(np.float32), row_of

    def _grams_of(self, word: str) -> Ints:
        """Numbers of a word's character n-grams; notes repeat their words, so they are kept."""
        if word not in self._kept:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            numbers = [number for name in _grams(word) if (number := self.number.get(name)) is not None]
            self._kept[word] = np.array(numbers, np.int64)
        return self._kept[word]

    def read(self, text: str, spans: Sequence[Span]) -> Reading:
        """Read spans (start, end) of a text, all in one go."""
        return next(self.read_each([(text, spans)]))

    def read_each(self, texts: Sequence[tuple[str, Sequence[Span]]]) -> Iterator[Reading]:
        """As `read`, for many texts; on a processor (see `Product`) what is read in one does not depend on the others."""
        for first in range(0, len(texts), _TOGETHER):
            weighed = [self._weights([(listen(text), spans)]) for text, spans in texts[first : first + _TOGETHER]]
            hidden = [product(weights, as_single(self.vectors[features])) for features, weights, _ in weighed]
            scores = log_softmax(self._to_scores(np.concatenate(hidden)) + self.bias)
            start = 0
            for (features, weight, rows), own in zip(weighed, hidden, strict=True):
                yield Reading(scores[start : start + len(own)][rows], own[rows], features, weight[rows])
                start += len(own)

    @cached_property
    def _to_scores(self) -> Callable[[Floats], Floats]:
        """The product with `output`, which is laid out once."""
        import torch

        from thce.coder.llama import Product

        times = Product(torch.from_numpy(self.output))
        return lambda hidden: times(torch.from_numpy(hidden)).numpy()

    def together(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """As `log_probs`, in one go: much faster, but the last digits may depend on the other texts."""
        features, weights, rows = self._weights([(listen(text), [(0, len(text))]) for text in texts])
        return log_softmax(self._to_scores(product(weights, as_single(self.vectors[features]))) + self.bias)[rows]

    def log_probs(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Log-probability of every label for every text, [texts, labels]."""
        every = [one.scores for one in self.read_each([(text, [(0, len(text))]) for text in texts])]
        return np.concatenate(every) if every else np.zeros((0, len(self.labels)))

    def save(self, folder: Path | str) -> None:
        """Two files: the arrays (vectors in half precision) and the names of n-grams and labels."""
        from safetensors.numpy import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"idf": self.idf, "vectors": self.vectors.astype(np.float16), "output": self.output, "bias": self.bias}
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / WEIGHTS)
        write_json(folder / VOCABULARY, {"features": list(self.vocabulary), "labels": [list(label) for label in self.labels]})

    @classmethod
    def load(cls, folder: Path | str) -> Prior:
        """The prior that the stage `calibrate` has written; a missing or broken one is a `UserError`."""
        folder = Path(folder)
        arrays = read_arrays(folder / WEIGHTS, "lexical prior")
        names = read_json(folder / VOCABULARY)
        labels = [(str(code_type), str(code)) for code_type, code in names["labels"]]
        return cls(labels, names["features"], arrays["idf"], arrays["vectors"], arrays["output"], arrays["bias"])


def fit(
    texts: Sequence[str],
    targets: Sequence[int],
    labels: Sequence[Pair],
    *,
    dim: int,
    epochs: int,
    learning_rate: float,
    dropout: float,
    seed: int,
    min_count: int = 2,
    batch: int = 128,
) -> Prior:
    """Train a prior; `targets` are places in `labels`. N-grams of fewer than `min_count` texts are left out."""
    import torch
    from torch.nn import functional

    told = [listen(text) for text in texts]
    present: Counter[str] = Counter()
    grams = lru_cache(maxsize=_KEPT)(_grams)
    for one in told:
        present.update(features(one, grams))
    vocabulary = sorted(name for name, count in present.items() if count >= min_count)
    idf = np.array([math.log((1 + len(texts)) / (1 + present[name])) + 1 for name in vocabulary], np.float32)
    empty = np.zeros((0, dim), np.float32)
    bag = Prior(labels, vocabulary, idf, empty, empty, np.zeros(0, np.float32))._bag(told)
    generator = torch.Generator().manual_seed(seed % 2**63)
    vectors = torch.nn.EmbeddingBag(len(vocabulary), dim, mode="sum", sparse=True)
    output = torch.nn.Linear(dim, len(labels))
    for weight in (vectors.weight, output.weight):
        torch.nn.init.normal_(weight, 0.0, 0.05, generator=generator)
    torch.nn.init.zeros_(output.bias)
    optimizers = [
        torch.optim.SparseAdam(vectors.parameters(), lr=learning_rate),
        torch.optim.Adam(output.parameters(), lr=learning_rate),
    ]
    index, weight_of = torch.from_numpy(bag.index), torch.from_numpy(bag.weight)
    target = torch.tensor(targets)
    per_epoch = max(1, len(texts) // batch)
    for step in range(epochs * per_epoch):
        if step % per_epoch == 0:
            order = torch.randperm(len(texts), generator=generator).numpy()
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = learning_rate * (1 - step / (epochs * per_epoch))
            optimizer.zero_grad()
        rows = order[step % per_epoch * batch :][:batch]
        sizes = bag.start[rows + 1] - bag.start[rows]
        places = torch.from_numpy(np.repeat(bag.start[rows] - np.cumsum(sizes) + sizes, sizes) + np.arange(int(sizes.sum())))
        keep = torch.rand(len(places), generator=generator) >= dropout
        weight = weight_of[places] * keep / (1 - dropout)
        hidden = vectors(index[places], torch.from_numpy(np.cumsum(sizes) - sizes), per_sample_weights=weight)
        functional.cross_entropy(output(hidden), target[rows]).backward()
        for optimizer in optimizers:
            optimizer.step()
    with torch.no_grad():
        arrays = [part.detach().numpy().copy() for part in (vectors.weight, output.weight, output.bias)]
    return Prior(labels, vocabulary, idf, *arrays)
