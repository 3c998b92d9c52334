"""What decides between neighbouring codes: side, course, stage, encounter ... as a text states it and as a title has it.

Wordings never seen are mostly confused among neighbours, and there these few words speak although the wording is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from thce.codes.book import CodeBook
from thce.reasoning.values import VALUES, beginnings
from thce.reasoning.words import asserted

AGREE, SILENT, CONFLICT = "agree", "silent", "conflict"
DECIDING = (AGREE, SILENT, CONFLICT)
"""Facets of a title of which the text states the same value; states nothing; states another value."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Pair = tuple[str, str]

_NAMES = tuple(dict.fromkeys(value.facet for value in VALUES))
_FACET = np.array([_NAMES.index(value.facet) for value in VALUES])


def stated(text: str) -> Flags:
    """Which values of the facets a text asserts, [values]."""
    heard = asserted(text)
    starts = beginnings(heard)
    if not starts:
        return np.zeros(len(VALUES), bool)
    return np.array([any(value.cue.match(heard, start) for start in starts) for value in VALUES])


def scores(said: Flags, labels: Sequence[Pair], book: CodeBook) -> dict[str, Floats]:
    """For each of `DECIDING` a score per label: plus the facets that agree, minus those that are silent or conflict.

    `said` is what `stated` has found. A code whose title has no facet, and "no code", get 0. These are no
    probabilities: they move the fused distribution by their weights.
    """
    has, sets, count = _titles(labels if isinstance(labels, tuple) else tuple(labels), book)
    same, spoken = np.zeros(len(labels)), np.zeros(len(labels))
    here = np.flatnonzero(said)
    for facet in sorted(set(_FACET[here].tolist())):
        same += has[here[_FACET[here] == facet]].any(axis=0)
        spoken += sets[facet]
    return {AGREE: same, SILENT: spoken - count, CONFLICT: same - spoken}


@lru_cache(maxsize=8)
def _titles(labels: tuple[Pair, ...], book: CodeBook) -> tuple[Flags, Flags, Floats]:
    """Which values the titles have [values, labels]; on which facets they have one [facets, labels]; on how many [labels]."""
    entries = [None if number == len(labels) - 1 else book.find(*label) for number, label in enumerate(labels)]
    has = np.array(
        [[entry is not None and value.title.search(entry.title) is not None for entry in entries] for value in VALUES]
    )
    sets = np.zeros((len(_NAMES), len(labels)), bool)
    for value, facet in enumerate(_FACET):
        sets[facet] |= has[value]
    return has, sets, sets.sum(axis=0).astype(np.float64)
