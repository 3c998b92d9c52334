"""The nearest known wording of each code: how near it is in the prior's own space, and how much of that is mere spelling.

The prior hears what n-grams have in common over all wordings of a code; a single wording that says the same thing may
still be nearer. Nearness in the prior's space (`near`) speaks for a code. Shared n-grams (`spelled`) speak against one
of equal nearness: what looks alike though the prior does not hear it as alike is mostly another code. Both are asked
only for the codes that the prior finds most probable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thce.coder.prior import Pair, Prior, Reading, as_single, product, read_arrays

FILE = "near.safetensors"
ARRAYS = ("first", "hidden", "start", "index", "weight")
"""What the file holds."""

NEAR, SPELLED = "near", "spelled"
NEARNESS = (NEAR, SPELLED)
"""The cosine of the nearest wording in the prior's space; minus the cosine of that wording's n-grams themselves."""

CANDIDATES = 10
"""Codes that are asked for."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Wordings:
    """Known wordings sorted by label: those of label i of the prior are `first[i]:first[i + 1]`. `hidden` [wordings,
    dim] are unit vectors, rounded to half precision as the file has them; wording j has the n-grams
    `index[start[j]:start[j + 1]]`, of `features` there are, with weights beside them.
    """

    first: NDArray[np.int32]
    hidden: NDArray[np.float32]
    start: NDArray[np.int32]
    index: NDArray[np.int32]
    weight: NDArray[np.float16]
    features: int

    @classmethod
    def of(cls, wordings: Mapping[str, Pair], prior: Prior) -> Wordings:
        """The wordings (text -> code) whose codes the prior knows."""
        from scipy.sparse import csr_matrix

        ordered = sorted((prior.place[pair], text) for text, pair in wordings.items() if pair in prior.place)
        texts = [text for _, text in ordered]
        bag = prior.bag(texts)
        rows = csr_matrix((bag.weight, bag.index, bag.start), shape=(len(texts), len(prior.vocabulary)))
        hidden = rows @ prior.vectors.astype(np.float32)
        length = np.linalg.norm(hidden, axis=1, keepdims=True)
        counts = np.bincount([label for label, _ in ordered], minlength=len(prior.labels))
        return cls(
            first=np.append(0, counts.cumsum()).astype(np.int32),
            hidden=as_single((hidden / np.where(length > 0, length, 1)).astype(np.float16)),
            start=bag.start.astype(np.int32),
            index=bag.index.astype(np.int32),
            weight=bag.weight.astype(np.float16),
            features=len(prior.vocabulary),
        )

    def scores(self, reading: Reading, spans: slice, places: Sequence[int]) -> dict[str, Floats]:
        """For each of `NEARNESS` a score per label of the prior: that of its wording which is nearest to any of the `spans`.

        `places` are the labels asked for. All others get the least that one of these has, "no code" (the last label) gets
        0: these are no probabilities.
        """
        labels = len(self.first) - 1
        asked = [place for place in places if self.first[place] < self.first[place + 1]]
        if not asked:
            return {name: np.zeros(labels) for name in NEARNESS}
        # the wordings of a label lie side by side: copied by the label, not one by one
        blocks = [slice(int(self.first[place]), int(self.first[place + 1])) for place in asked]
        heads = list(accumulate((block.stop - block.start for block in blocks), initial=0))
        own = reading.hidden[spans]
        length = np.linalg.norm(own, axis=1, keepdims=True)
        hidden = np.concatenate([self.hidden[block] for block in blocks])
        every = product((own / np.where(length > 0, length, 1)).astype(np.float32), hidden.T)
        best = every.max(axis=0)
        nearest = [low + int(best[low:high].argmax()) for low, high in pairwise(heads)]
        numbers = [block.start + at - head for block, at, head in zip(blocks, nearest, heads[:-1], strict=True)]
        entries = [slice(self.start[number], self.start[number + 1]) for number in numbers]
        weight = as_single(np.concatenate([self.weight[part] for part in entries]))
        index = np.concatenate([self.index[part] for part in entries])
        features = np.append(reading.features, -1)
        place_of = np.empty(self.features, np.int32)  # holds anything where nothing is written, so what it says is checked
        place_of[reading.features] = np.arange(len(reading.features))
        column = place_of.take(index).clip(0, len(reading.features))
        shared = np.flatnonzero(features[column] == index)
        span = every[:, nearest].argmax(axis=0)  # of each nearest wording the span that it is nearest to
        label = np.arange(len(asked)).repeat([part.stop - part.start for part in entries])[shared]
        same = reading.weights[spans][span[label], column[shared]] * weight[shared]
        spelled = np.bincount(label, same, minlength=len(asked))
        found = {}
        for name, values in ((NEAR, best[nearest].astype(np.float64)), (SPELLED, -spelled)):
            found[name] = np.full(labels, values.min())
            found[name][asked] = values
            found[name][-1] = 0.0
        return found

    def save(self, folder: Path | str) -> None:
        """Write `near.safetensors`."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in ARRAYS}
        arrays["hidden"] = arrays["hidden"].astype(np.float16)
        save_file(arrays, Path(folder) / FILE)

    @classmethod
    def load(cls, folder: Path | str, prior: Prior) -> Wordings:
        """What the stage `calibrate` has written; a missing or broken file is a `UserError`."""
        arrays = read_arrays(Path(folder) / FILE, "known wordings")
        arrays["hidden"] = as_single(arrays["hidden"])
        return cls(**{name: arrays[name] for name in ARRAYS}, features=len(prior.vocabulary))
