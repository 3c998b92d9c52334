"""All sources as one answer: which codes, in which order, and how sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from thce.coder.deciding import DECIDING
from thce.coder.decode import Line
from thce.coder.fusion import CLAUSES, EMPTY, LOOKUP, MODEL, PRIOR, UNNAMED, Fusion, ground
from thce.coder.lookup import DENIED, Find, Finds, named
from thce.coder.near import NEARNESS
from thce.coder.prior import Pair
from thce.coder.several import Piece, Several, akin, candidates, home

Floats = NDArray[np.float64]

_CERTAIN = 0.9
"""Trust above which a known wording is answered beside a winner that no wording names."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is answered: numbers of the code set (empty: "no code"), the confidence of each and of the whole, and the
    fused log-probabilities [codes]. `ground`: what it stands on (see `thce.coder.fusion.ground`). `pieces`: where the
    text has several pieces, the span each code was read in. `missing`: how probable the most probable further code is
    that was not added; 0 where none was asked for, as in a note longer than any that was fitted."""

    numbers: list[int]
    sure: list[float]
    confidence: float
    fused: Floats
    ground: str = EMPTY
    pieces: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    missing: float = 0.0


@dataclass(frozen=True, slots=True)
class Weighed:
    """All sources as one distribution: the fused log-probabilities [codes], the number of the winner ("no code" is the last),
    and for each code that a trusted wording names how far that is to be trusted."""

    sources: Mapping[str, Floats]
    fused: Floats
    winner: int
    named: Mapping[int, float]

    @property
    def empty(self) -> bool:
        """Whether "no code" wins."""
        return self.winner == len(self.fused) - 1

    @property
    def settled(self) -> bool:
        """Whether the answer is known without the model's further lines."""
        return self.empty or self.winner in self.named


def weigh(
    model: Floats,
    sources: Mapping[str, Floats],
    finds: Sequence[Find],
    labels: Sequence[Pair],
    mode: Fusion,
    trust: Mapping[str, float],
) -> Weighed:
    """Fuse the model's log-probabilities [labels] of its first line with the other sources. `labels` end with "no code"."""
    if isinstance(finds, Finds):
        sources = {**sources, **finds.deciding(labels)}
    fused = mode.fuse({**sources, MODEL: model})
    return Weighed(sources, fused, int(fused.argmax()), named(finds, labels, trust))


def decide(weighed: Weighed, lines: Sequence[Line], labels: Sequence[Pair], mode: Fusion, max_codes: int) -> Decision:
    """The most probable label of the fused distribution, and what stands beside it.

    If its wording is known and to be trusted, the codes of all such wordings are answered, in the order of the text; if not,
    those of the wordings that are all but certain follow it. Where the text has none, the model's further lines do, as far
    as they are more likely right than wrong.
    """
    fused, winner = weighed.fused, weighed.winner
    chance = dict(weighed.named)
    stands = ground(winner, len(fused), winner in chance)
    confidence = mode.confidence(float(np.exp(fused[winner])), stands)
    if weighed.empty:
        return Decision([], [], confidence, fused)
    if winner in chance:
        chance[winner] = confidence
        numbers = list(chance)
    else:
        for line in () if chance else lines[1:]:
            chance[line.number] = line.reached * float(np.exp(_later(line, weighed.sources, mode)[line.number]))
        chance[winner] = confidence
        written = [line.number for line in lines]
        numbers = [winner, *(number for number in written[1:] if number != winner and chance.get(number, 0.0) > 0.5)]
        if winner in written:
            numbers.sort(key=written.index)
        numbers += [
            number
            for number, trust in weighed.named.items()
            if trust > _CERTAIN and number not in numbers and not akin(labels[number], labels[winner])
        ]
    numbers = numbers[:max_codes]
    sure = [chance[number] for number in numbers]
    return Decision(numbers, sure, min(sure), fused, stands)


def _later(line: Line, sources: Mapping[str, Floats], mode: Fusion) -> Floats:
    """The fused distribution at a later line: the codes that are written already stay ruled out."""
    parts = {MODEL: line.scores}
    for name in (PRIOR, CLAUSES, LOOKUP, *NEARNESS, *DECIDING):
        if name in sources:
            parts[name] = np.where(np.isfinite(line.scores), sources[name], -np.inf)
    return mode.fuse(parts)


def extend(
    decision: Decision,
    text: str,
    found: Sequence[Piece],
    finds: Sequence[Find],
    model: Floats,
    labels: Sequence[Pair],
    several: Several,
    max_codes: int,
) -> Decision:
    """The decision with the codes that further pieces of the text speak for, in the order of the text.

    A code is added as far as it is probable enough (`several.least`), the most probable first. `model` are the model's
    log-probabilities for the whole text. No known wording names what is added, so the answer then stands on none. "No
    code" stays as it is, and so does the answer to a text of more words than was fitted (`several.longest`).
    """
    if not decision.numbers or len(text.split()) > several.longest:
        return decision
    told = spans_of(decision.numbers, finds, labels)
    further = [(several.chance(one.measures), one) for one in candidates(text, found, told, model, labels)]
    further.sort(key=lambda one: -one[0])
    room = max_codes - len(decision.numbers)
    added = [one for one in further if one[0] >= several.least][:room]
    missing = further[len(added)][0] if len(added) < len(further) else 0.0
    if not added:
        return replace(decision, missing=missing)
    pieces = {one.number: (one.piece.start, one.piece.end) for _, one in added}
    for number, spans in told.items():
        own = found[home(found, number, spans)[0]] if not spans else None
        pieces[number] = (own.start, own.end) if own else (spans[0][0], spans[-1][1])
    sure = dict(zip(decision.numbers, decision.sure, strict=True)) | {one.number: chance for chance, one in added}
    numbers = sorted(sure, key=lambda number: pieces[number])
    ordered = [sure[number] for number in numbers]
    return replace(
        decision, numbers=numbers, sure=ordered, confidence=min(ordered), ground=UNNAMED, pieces=pieces, missing=missing
    )


def spans_of(numbers: Sequence[int], finds: Sequence[Find], labels: Sequence[Pair]) -> dict[int, list[tuple[int, int]]]:
    """Where the known wordings of answered codes stand, by number."""
    return {
        number: [(find.start, find.end) for find in finds if find.kind != DENIED and find.pair == labels[number]]
        for number in numbers
    }
