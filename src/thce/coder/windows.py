"""A narrative longer than the model's context, in pieces that fit: whole sections where possible, never a lost word."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

_BREAKS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.;!?])\s+"), re.compile(r"\s+"))
"""Where a text may be parted, best first: between sections, lines, sentences, words."""


def windows(text: str, fits: Callable[[str], bool]) -> list[tuple[int, int]]:
    """Spans that follow one another from the beginning to the end of `text`, each short enough for `fits`.

    Neighbouring pieces share a window as long as they fit. A single character counts as fitting.
    """
    return _part(text, 0, len(text), fits, 0)


def _part(text: str, start: int, end: int, fits: Callable[[str], bool], level: int) -> list[tuple[int, int]]:
    if end - start <= 1 or fits(text[start:end]):
        return [(start, end)]
    if level < len(_BREAKS):
        edges = [start, *(match.end() for match in _BREAKS[level].finditer(text, start, end) if match.end() < end), end]
    else:
        edges = [start, (start + end) // 2, end]
    spans: list[tuple[int, int]] = []
    for left, right in pairwise(edges):
        if spans and fits(text[spans[-1][0] : right]):
            spans[-1] = (spans[-1][0], right)
        elif fits(text[left:right]):
            spans.append((left, right))
        else:
            spans += _part(text, left, right, fits, level + 1)
    return spans
