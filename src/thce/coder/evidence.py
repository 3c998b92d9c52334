"""Where a code was read: the trace's own quotation, a known wording, or the words the lexical prior cannot do without."""

from __future__ import annotations

import re
from dataclasses import dataclass

from thce.coder.prior import Pair, Prior
from thce.reasoning import grammar
from thce.reasoning.words import places

TRACE, WORDING, LEXICAL = "trace", "wording", "lexical"

CLAUSE = re.compile(r"[^.,;:!?\n]+(?:[.,:](?=\S)[^.,;:!?\n]*)*")
"""A piece of a sentence between marks."""

_WORD = re.compile(r"\S+")

_SAME = 1 + 1e-5
"""Log-probabilities within this factor are the same: texts that are read together may be rounded differently."""

_AHEAD = 8
"""Words that are dropped by way of trial in one go."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A piece of the narrative, `narrative[start:end] == text`; `source` is `trace`, `wording` (a known one)
    or `lexical`."""

    text: str
    start: int
    end: int
    source: str


def quoted(reasoning: str, narrative: str, code: str) -> tuple[Evidence, ...]:
    """What the trace quotes for a code, as far as it stands in the narrative.

    A code is named after what is quoted for it, so a quotation belongs to the next code named.
    """
    found: dict[tuple[int, int], Evidence] = {}
    quotes: list[str] = []
    lower = narrative.lower() if len(narrative.lower()) == len(narrative) else ""
    for line in reasoning.split("\n"):
        bullet = grammar.read(line)
        if bullet is None:
            continue
        if bullet.kind == grammar.EVIDENCE:
            quotes.append(bullet["quote"])
        elif bullet.kind == grammar.ANSWER:
            # lowering may change the length of a text with rare letters: then only what stands there literally counts
            for quote in quotes if bullet["code"] == code else ():
                span = next(places(narrative, quote), None) or next(places(lower, quote.lower()), None)
                if span is not None:
                    found.setdefault(span, Evidence(narrative[span[0] : span[1]], *span, TRACE))
            quotes = []
    return tuple(found[span] for span in sorted(found))


def leave_one_out(prior: Prior, narrative: str, pair: Pair) -> tuple[Evidence, ...]:
    """The clause without which the code loses most, cut to the words that carry it; empty for a text without one."""
    if pair not in prior.place:
        return ()
    column = prior.place[pair]
    clauses = [match.span() for match in CLAUSE.finditer(narrative) if match[0].strip()]
    if not clauses:
        return ()
    best = 0
    if len(clauses) > 1:
        without = [narrative[:start] + " " + narrative[end:] for start, end in clauses]
        whole, *left = prior.together([narrative, *without])[:, column].tolist()
        best = left.index(min(left))
        if left[best] >= whole * _SAME:  # said more than once: take the clearest
            best = int(prior.together([narrative[start:end] for start, end in clauses])[:, column].argmax())
    start, end = _trimmed(prior, narrative, clauses[best], column)
    return (Evidence(narrative[start:end], start, end, LEXICAL),)


def _trimmed(prior: Prior, narrative: str, clause: tuple[int, int], column: int) -> tuple[int, int]:
    """Drop words from either end of a clause as long as the rest alone speaks for the code at least as clearly."""
    words = [match.span() for match in _WORD.finditer(narrative, *clause)]
    first, last = 0, len(words) - 1
    for left in (True, False):
        more = True
        while more:
            ahead = range(min(_AHEAD, last - first) + 1)
            parts = [(first + count, last) if left else (first, last - count) for count in ahead]
            clear = prior.together([narrative[words[one][0] : words[two][1]] for one, two in parts])[:, column].tolist()
            count = next((count for count in ahead[1:] if clear[count] < clear[count - 1] * _SAME), len(ahead)) - 1
            first, last = parts[count]
            more = count == _AHEAD
    return words[first][0], words[last][1]
