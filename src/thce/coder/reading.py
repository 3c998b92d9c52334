"""What the lexical prior reads in a text: the whole, its clauses, its pieces, and the known wordings nearest to them.

All of it is read in one go: the same words stand in the text, in a clause and in a piece.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thce.coder.evidence import CLAUSE
from thce.coder.fusion import CLAUSES, PRIOR, highest
from thce.coder.near import CANDIDATES, NEARNESS, Wordings
from thce.coder.prior import Ints, Prior, Reading, log_total
from thce.coder.several import Piece, joins, pieces
from thce.coder.trie import CodeSet

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Read:
    """`sources` [codes]: log-probabilities by `PRIOR` and `CLAUSES`, scores by `NEARNESS`; `pieces` of the text that may
    each speak for a code of their own.
    """

    sources: dict[str, Floats]
    pieces: list[Piece]


class Reader:
    """A prior and, if given, the known wordings it is asked beside."""

    def __init__(self, prior: Prior, wordings: Wordings | None = None) -> None:
        self.prior = prior
        self.wordings = wordings
        self._columns: dict[CodeSet, Ints] = {}

    def log_probs(self, texts: Sequence[str], codes: CodeSet) -> Floats:
        """The prior's log-probabilities [texts, codes] over a code set, "no code" last; a code the prior does not know
        gets its smallest.
        """
        return self._over(self.prior.log_probs(texts), codes)

    def read(self, texts: Sequence[str], codes: CodeSet) -> list[Read]:
        """Read texts. Of the clauses of one the one counts that speaks most for a code, and least for "no code"."""
        clauses = [[match.span() for match in CLAUSE.finditer(text) if match[0].strip()] or [(0, len(text))] for text in texts]
        joined = [joins(text) for text in texts]
        spans = [
            [(0, len(text)), *first, *(span for own in second for span in own.values())]
            for text, first, second in zip(texts, clauses, joined, strict=True)
        ]
        readings = self.prior.read_each(list(zip(texts, spans, strict=True)))
        return [
            self._read(text, codes, own, reading, slice(1, 1 + len(first)), second)
            for text, own, reading, first, second in zip(texts, spans, readings, clauses, joined, strict=True)
        ]

    def _read(
        self,
        text: str,
        codes: CodeSet,
        spans: Sequence[tuple[int, int]],
        reading: Reading,
        parts: slice,
        joined: Sequence[Mapping[tuple[int, int], tuple[int, int]]],
    ) -> Read:
        """What a reading of a text says: of the whole, of its clauses (`parts` of the spans), of its joined cuts (the rest)."""
        scores = self._over(reading.scores, codes)
        best = np.append(scores[parts, :-1].max(axis=0), scores[parts, -1].min())
        sources = {PRIOR: scores[0], CLAUSES: best - log_total(best)}
        if self.wordings is not None:
            columns = self._places(codes)
            likely = highest((sources[PRIOR] + sources[CLAUSES])[:-1], CANDIDATES)
            asked = columns[likely]
            near = self.wordings.scores(reading, parts, asked[asked >= 0].tolist())
            for name in NEARNESS:
                sources[name] = np.where(columns >= 0, near[name][columns], near[name].min())
        rows = dict(zip(spans[parts.stop :], scores[parts.stop :], strict=True))
        return Read(sources, pieces(text, joined, rows))

    def _places(self, codes: CodeSet) -> Ints:
        """Where the prior has each code of a set, -1 for nowhere."""
        if codes not in self._columns:
            self._columns[codes] = np.array([self.prior.place.get(label, -1) for label in codes.labels], np.int64)
        return self._columns[codes]

    def _over(self, scores: Floats, codes: CodeSet) -> Floats:
        columns = self._places(codes)
        if len(columns) == scores.shape[1] and (columns == np.arange(len(columns))).all():
            return scores
        found = np.where(columns >= 0, scores[:, columns], scores.min(axis=1, keepdims=True))
        result: Floats = found - log_total(found)
        return result
