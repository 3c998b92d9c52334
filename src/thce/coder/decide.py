"""All sources as one answer: which codes, in which order, and how sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thce.coder.deciding import DECIDING
from thce.coder.decode import Line
from thce.coder.fusion import CLAUSES, LOOKUP, MODEL, PRIOR, Fusion, ground
from thce.coder.lookup import Find, Finds, named
from thce.coder.prior import Pair

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is answered: numbers of the code set (empty: "no code"), the confidence of each and of the whole, and the
    fused log-probabilities [codes]."""

    numbers: list[int]
    sure: list[float]
    confidence: float
    fused: Floats


def decide(
    lines: Sequence[Line],
    sources: Mapping[str, Floats],
    finds: Sequence[Find],
    labels: Sequence[Pair],
    mode: Fusion,
    trust: Mapping[str, float],
    max_codes: int,
) -> Decision:
    """The most probable label of the fused distribution, and what stands beside it.

    If its wording is known and to be trusted, the codes of all such wordings are answered, in the order of the text.
    Where the text has none, the model's further lines follow as far as they are more likely right than wrong. `labels`
    end with "no code".
    """
    if isinstance(finds, Finds):
        sources = {**sources, **finds.deciding(labels)}
    fused = mode.fuse({**sources, MODEL: lines[0].scores})
    winner = int(fused.argmax())
    chance = named(finds, labels, trust)
    confidence = mode.confidence(float(np.exp(fused[winner])), ground(winner, len(labels), winner in chance))
    if winner == len(labels) - 1:
        return Decision([], [], confidence, fused)
    if winner in chance:
        chance[winner] = confidence
        numbers = list(chance)
    else:
        for line in () if chance else lines[1:]:
            chance[line.number] = line.reached * float(np.exp(_later(line, sources, mode)[line.number]))
        chance[winner] = confidence
        written = [line.number for line in lines]
        numbers = [winner, *(number for number in written[1:] if number != winner and chance.get(number, 0.0) > 0.5)]
        if winner in written:
            numbers.sort(key=written.index)
    numbers = numbers[:max_codes]
    sure = [chance[number] for number in numbers]
    return Decision(numbers, sure, min(sure), fused)


def _later(line: Line, sources: Mapping[str, Floats], mode: Fusion) -> Floats:
    """The fused distribution at a later line: the codes that are written already stay ruled out."""
    parts = {MODEL: line.scores}
    for name in (PRIOR, CLAUSES, LOOKUP, *DECIDING):
        if name in sources:
            parts[name] = np.where(np.isfinite(line.scores), sources[name], -np.inf)
    return mode.fuse(parts)
