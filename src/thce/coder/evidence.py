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
    without = prior.log_probs([narrative[:start] + " " + narrative[end:] for start, end in clauses])[:, column]
    best = int(without.argmin())
    if without[best] >= prior.log_probs([narrative])[0, column]:  # said more than once: take the clearest
        best = int(prior.log_probs([narrative[start:end] for start, end in clauses])[:, column].argmax())
    words = [
        (clauses[best][0] + match.start(), clauses[best][0] + match.end())
        for match in _WORD.finditer(narrative[slice(*clauses[best])])
    ]
    words = _trimmed(prior, narrative, words, column)
    start, end = words[0][0], words[-1][1]
    return (Evidence(narrative[start:end], start, end, LEXICAL),)


def _trimmed(prior: Prior, narrative: str, words: list[tuple[int, int]], column: int) -> list[tuple[int, int]]:
    """Drop words from either end as long as the rest alone speaks for the code at least as clearly."""

    def score(part: list[tuple[int, int]]) -> float:
        return float(prior.log_probs([narrative[part[0][0] : part[-1][1]]])[0, column])

    known = score(words)
    for side in (slice(1, None), slice(None, -1)):
        while len(words) > 1 and (shorter := score(words[side])) >= known:
            words, known = words[side], shorter
    return words
