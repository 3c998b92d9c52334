"""Several codes in one text: the pieces of its sentences that each speak for a code of their own.

A sentence is cut at its inner marks and at "and". Neighbouring cuts are joined again where the prior reads them better
together: of all ways to join, the one whose pieces' best labels are together most probable is taken. So "red eyes, no
discharge" stays one piece, and "red eyes, umbilical hernia" becomes two. Each piece that no answered code was read in
may then earn a code; how probably that is right is a logistic of what `MEASURES` names, fitted on validation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thce.coder.fusion import MODES, SETTINGS, complete
from thce.files import read_json
from thce.narratives.conflicts import related_symptom
from thce.reasoning.words import asserted_spans, sentences

Floats = NDArray[np.float64]
Pair = tuple[str, str]
Span = tuple[int, int]

_CUT = re.compile(r"[,:](?=\s)|\s(?=and\s|\+\s|&\s|plus\s)|\s(?=[-#(]\s?\S)")
_WORD = re.compile(r"[^\W_]")
_NUMBER = re.compile(r"(?:^|(?<=\s))[#(]?(\d{1,2})[.)](?=\s)")

_LONGEST = 4
"""Cuts that are joined at most."""

_FLOOR = -30.0  # a code that the model rules out


MEASURES = ("piece", "model", "words", "listed")
"""What tells right from wrong: the prior's log-odds of the code in its piece, the model's log-probability of it in the
whole text, the logarithm of the piece's number of words, and whether the piece is an item of a list."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text, `text[start:end]`, and what the prior reads in it alone: log-probabilities [labels]."""

    start: int
    end: int
    scores: Floats


def cuts(text: str) -> list[list[Span]]:
    """For each sentence of a text the spans between its inner marks, those without a letter or figure left out."""
    found = []
    for start, end in sentences(text):
        edges = [start, *(match.end() for match in _CUT.finditer(text, start, end)), end]
        spans = [(left, right) for left, right in pairwise(edges) if _WORD.search(text, left, right)]
        if spans:
            found.append(spans)
    return found


def joins(text: str) -> list[dict[tuple[int, int], Span]]:
    """For each sentence the spans that neighbouring cuts make, by the numbers of the first and the last of them."""
    return [
        {
            (first, last): (spans[first][0], spans[last][1])
            for first in range(len(spans))
            for last in range(first, min(first + _LONGEST, len(spans)))
        }
        for spans in cuts(text)
    ]


def pieces(text: str, joined: Sequence[Mapping[tuple[int, int], Span]], scores: Mapping[Span, Floats]) -> list[Piece]:
    """The pieces of a text in its order, those it denies left out. `scores` are log-probabilities [labels], "no code" last,
    of every span in `joined` (see `joins`)."""
    heard = [False] * len(text)
    for start, end in asserted_spans(text):
        heard[start:end] = [True] * (end - start)
    found: list[Piece] = []
    for own in joined:
        value = {group: float(scores[span].max()) for group, span in own.items()}
        for group in _joined(1 + max(last for _, last in own), value):
            start, end = own[group]
            word = _WORD.search(text, start, end)
            if word is not None and heard[word.start()]:
                found.append(Piece(start, end, scores[start, end]))
    return found


def _joined(count: int, value: dict[tuple[int, int], float]) -> list[tuple[int, int]]:
    """The groups of neighbouring cuts, first and last number, whose values have the greatest sum; fewer groups on a
    tie."""
    best: list[tuple[float, list[tuple[int, int]]]] = [(0.0, [])]
    for end in range(count):
        options = [
            (best[first][0] + value[first, end], [*best[first][1], (first, end)])
            for first in range(max(0, end - _LONGEST + 1), end + 1)
        ]
        best.append(max(options, key=lambda one: (one[0], -len(one[1]))))
    return best[-1][1]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A code that a piece of its own speaks for, by its number, and its `MEASURES`."""

    number: int
    piece: Piece
    measures: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Several:
    """What was fitted: weights of `MEASURES` and `bias`, the least probability from which a further code is answered
    (above 1: never), and the words of the longest note it was fitted on. In a longer one nothing is added: of much text
    that speaks for no code in scope, some always looks as if it did. `doubt` is the least probability of a further code
    that is not answered from which the answer is too often incomplete to go without review (above 1: never)."""

    weights: Mapping[str, float]
    bias: float
    least: float
    longest: int
    doubt: float

    def chance(self, measures: Sequence[float]) -> float:
        """The probability that a further code is right."""
        total = self.bias + sum(self.weights[name] * value for name, value in zip(MEASURES, measures, strict=True))
        return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, total))))


def load(folder: Path | str) -> dict[str, Several]:
    """What `coder.json` holds for several codes, by way of answering; a way for which nothing was fitted is missing."""
    path = Path(folder) / SETTINGS
    stored = read_json(path)
    parts = {mode: stored[mode]["several"] for mode in MODES if stored.get(mode, {}).get("several")}
    with complete(path):
        found = {mode: Several(*(part[field.name] for field in fields(Several))) for mode, part in parts.items()}
        # a file of an earlier version may lack a measure
        return {mode: replace(one, weights={name: one.weights[name] for name in MEASURES}) for mode, one in found.items()}


def home(found: Sequence[Piece], number: int, spans: Sequence[tuple[int, int]]) -> list[int]:
    """The pieces an answered code uses up: those its known wordings (`spans`) stand in, else the one that speaks for it
    most."""
    if spans:
        return [i for i, piece in enumerate(found) if any(piece.start < end and start < piece.end for start, end in spans)]
    return [int(np.argmax([piece.scores[number] for piece in found]))] if found else []


def candidates(
    text: str,
    found: Sequence[Piece],
    answered: Mapping[int, Sequence[tuple[int, int]]],
    model: Floats,
    labels: Sequence[Pair],
) -> list[Candidate]:
    """Codes that pieces of their own speak for, beside the answered ones (number -> spans of its known wordings), the
    clearest first. `model` [labels] are the model's log-probabilities for the whole text.

    A code of the same category as one before it is left out, and so is a symptom of a disease before it.
    """
    used = {i for number, spans in answered.items() for i in home(found, number, spans)}
    free = [(piece, int(piece.scores.argmax())) for i, piece in enumerate(found) if i not in used]
    chosen = [labels[number] for number in answered]
    result: list[Candidate] = []
    for piece, number in sorted(free, key=lambda one: -float(one[0].scores[one[1]])):
        if number == len(labels) - 1 or any(akin(labels[number], other) for other in chosen):
            continue
        chosen.append(labels[number])
        share = min(float(piece.scores[number]), -1e-6)
        words = len(text[piece.start : piece.end].split())
        odds = share - math.log(-math.expm1(share))
        in_list = float(listed(text, piece.start, piece.end))
        measures = (odds, max(float(model[number]), _FLOOR), math.log(words), in_list)
        result.append(Candidate(number, piece, measures))
    return result


def listed(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` is an item of a list: its number ("2.", "2)") stands before it or opens it, or a semicolon sets
    it off. A problem list tells one problem an item; in running text a piece is more often half of a wording."""
    first = end - len(text[start:end].lstrip())
    numbered = any(low <= first and not text[high:first].strip() for low, high in _numbers(text))
    return numbered or text[:first].rstrip().endswith(";") or text[end:].lstrip().startswith(";")


def _numbers(text: str) -> list[Span]:
    """The numbers of lists in a text, counted up from 1: "BMI 45. Hernia" holds none."""
    found: list[Span] = []
    due = 1
    for match in _NUMBER.finditer(text):
        if int(match[1]) in (1, due):
            found.append(match.span())
            due = int(match[1]) + 1
    return found


def akin(one: Pair, two: Pair) -> bool:
    """Whether two codes are the same, of one category, or a symptom and a disease it is usually a sign of."""
    if one[0] != two[0]:
        return False
    if one[0] == "ICD10":
        return one[1][:3] == two[1][:3] or related_symptom(one[1], two[1]) or related_symptom(two[1], one[1])
    return one[1][:4] == two[1][:4]
