"""Words of narratives and titles, and what a sentence denies.

All functions are pure and take time linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from thce.reasoning import cues

_WORD = re.compile(r"[a-z0-9]+(?:\.\d+)?")
_SENTENCE = re.compile(
    rf"(?:(?:(?<!\bvs)\.|[!;]|(?<=[^\s(:,\"“])\?(?!{cues.ANSWERED}))(?=[\s\])\"]|$)|\n|(?<=\s)\d{{1,2}}\)(?=\s)|"
    r"(?<=\w[\w.]\]) (?=[A-Z]))+\s*"
)
_SUFFIXES = (
    "ations",
    "ation",
    "ating",
    "ated",
    "ings",
    "ing",
    "ies",
    "ity",
    "ied",
    "ed",
    "es",
    "al",
    "ic",
    "s",
    "y",
    "e",
)
_REACH = 200  # characters on either side of a quote that are searched for a denial

_STOP = (
    "a an and any are as at be by due each for from has have in into is it its less more nec no nor nos not of on or "
    "other per than that the their this through to under up use used using was with without elsewhere classified "
    "specified unspecified certain encounter type disease disorder condition level"
)
STOP = frozenset(_STOP.split())
"""Words that never tell one code from another: function words and the classification's own stock words."""

_FILLER = (
    "pt patient man woman male female year old yr yo who seen today here visit note dx diagnosis assessment plan exam "
    "history hx presents reports he she his her the and with for of a an to in on is was has"
)
FILLER = frozenset(_FILLER.split())
"""Words that are no evidence when nothing else is quoted."""


def _compiled(*alternatives: str) -> re.Pattern[str]:
    # cues are written in lower case and looked for in `lower` text: a third of the time that ignoring case takes
    return re.compile(rf"(?<![\w-])(?:{'|'.join(alternatives)})(?![\w-])")


BEFORE = {kind: _compiled(told) for kind, told in cues.BEFORE.items()}
"""Cues that deny what follows them."""

AFTER = {kind: _compiled(told) for kind, told in cues.AFTER.items()}
"""Cues that deny what stands before them."""

_ANY_BEFORE, _ANY_AFTER = _compiled(*cues.BEFORE.values()), _compiled(*cues.AFTER.values())

_TURN = re.compile(cues.TURN)
"""Where a sentence turns to something else."""

_CAUSE = re.compile(r"\b(?:secondary to|due to|because of|caused by)\b")
"""The cause of what is absent is there: "no fever secondary to pneumonia"."""

_QUERY = re.compile(r"(?:^|(?<=[\s(:,]))\?\s?(?=[\w]|$)|(?<=\s[\"“])\?(?=\w)")
"""A question mark before a word: "?PE", "? early PE"."""


def words(text: str) -> list[str]:
    """The words of a text in order, lower case, without punctuation; a decimal number is one word."""
    return _WORD.findall(text.lower())


@lru_cache(maxsize=65_536)
def root(word: str) -> str:
    """A word without its commonest ending, so that `wheeled` and `wheels` are the same; at least four letters stay."""
    if word[-1:].isdigit():
        return word
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4 and not word.endswith(("ss", "us", "is")):
            return word[: -len(suffix)]
    return word


def roots(text: str) -> frozenset[str]:
    """The roots of the words that can tell codes apart."""
    told = ((word, root(word)) for word in words(text) if len(word) > 1 or word.isdigit())
    return frozenset(short for word, short in told if word not in STOP and short not in STOP)


def is_evidence(quote: str) -> bool:
    """A quote says something: a word that is neither a function word nor part of every note."""
    return sum(len(word) for word in words(quote) if word not in FILLER) >= 2


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of the sentences of a note; a line break ends one too, the point in `3.5` does not."""
    start = 0
    for match in _SENTENCE.finditer(text):
        if match.start() > start:
            yield start, match.start()
        start = match.end()
    if start < len(text):
        yield start, len(text)


def places(text: str, quote: str, limit: int = 20) -> Iterator[tuple[int, int]]:
    """Where a quote stands in the text as whole words; at most `limit` occurrences are looked at."""
    at = -1
    for _ in range(limit):
        at = text.find(quote, at + 1)
        if at < 0 or not quote:
            return
        end = at + len(quote)
        left = at == 0 or not (text[at - 1].isalnum() and quote[0].isalnum())
        right = end == len(text) or not (text[end].isalnum() and quote[-1].isalnum())
        if left and right:
            yield at, end


def lower(text: str) -> str:
    """A text in lower case, every character at its place: the few that would become two stay."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(one if len(one.lower()) > 1 else one.lower() for one in text)


def _around(text: str, start: int, end: int) -> tuple[str, str]:
    """What stands in the same sentence before and after a span, at most `_REACH` characters on each side, in lower case."""
    left, right = max(0, start - _REACH), min(len(text), end + _REACH)
    ends = [match.end() for match in _SENTENCE.finditer(text, left, start)]
    first = _SENTENCE.search(text, end, right)
    before = lower(text[ends[-1] if ends else left : start])
    after = lower(text[end : first.start() if first else right])
    turns = list(_TURN.finditer(before))
    turn = _TURN.search(after)
    return (before[turns[-1].end() :] if turns else before), (after[: turn.start()] if turn else after)


def denial(text: str, start: int, end: int) -> str:
    """Why the words of a span do not count: denied, family, ruled_out, not_done, carried; empty when nothing says so.

    A lexical test of the words before and after the span in its sentence, in the manner of NegEx.
    """
    return next(iter(denials(text, start, end)), "")


def denials(text: str, start: int, end: int) -> list[str]:
    """Every reason why the words of a span do not count, what stands before them first."""
    before, after = _around(text, start, end)
    found = ["ruled_out"] if before.rstrip().endswith("?") or _QUERY.search(before) else []
    found += [kind for kind, cue in BEFORE.items() if cue.search(before)]
    if (
        "denied" in found
        and (causes := list(_CAUSE.finditer(before)))
        and not BEFORE["denied"].search(before[causes[-1].end() :])
    ):
        found.remove("denied")
    return found + [kind for kind, cue in AFTER.items() if cue.search(after)]


_OPENING = {
    "denied": r"den(?:y|ies|ied|ying)|neg(?:ative)? for|-ve for|no (?:evidence|signs?|history|hx|complaints?|indication) of|"
    r"absence of|free of|never had|lack of evidence|nothing to suggest|fail(?:s|ed)? to (?:reveal|show)",
    "family": r"family (?:history|hx)|fhx?|(?:mother|father|sister|brother|aunt|uncle|grandmother|grandfather|"
    r"cousin) (?:with|has|had|died)|(?:maternal|paternal) (?:history|hx|side)",
    "ruled_out": r"rul(?:es?|ed|ing)[ -]out|r/o|possible|possibly|probable|probably|suspected|suspect|questionable|query|"
    r"\?|concern(?:s|ed|ing)? for|worried about|presumed|suspicio(?:us for|n (?:of|for))|doubtful|unlikely|unconfirmed|"
    r"likely|ddx",
    "not_done": r"cancell?ed|discontinue|void(?:ed)?|deleted|struck|entered (?:in error|by mistake)|wrong (?:chart|patient)",
    "carried": r"copied from|old note|previous entry|carried (?:forward|over)|copy[- ]forward",
}
OPENING = {kind: re.compile(rf"(?:{cue})(?![\w-])", re.I) for kind, cue in _OPENING.items()}


def opens_with_denial(quote: str) -> str:
    """The kind of denial a quote itself begins with ("denies chest pain"); empty for none.

    Narrower than `denial`: "no bowel movement for five days" is a finding.
    """
    return next((kind for kind, cue in OPENING.items() if cue.match(quote)), "")


def spare(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with spans blanked, offsets kept: a cue inside one item of a list says nothing about the next item."""
    for start, end in spans:
        text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
    return text


def asserted(text: str) -> str:
    """The text without what its sentences deny: from "denies" on, or all of a sentence such as "X was ruled out"."""
    return "\n".join(text[start:end] for start, end in asserted_spans(text))


@lru_cache(maxsize=256)  # one note is asked for several times in a row
def asserted_spans(text: str) -> tuple[tuple[int, int], ...]:
    """(start, end) of what each sentence asserts, possibly nothing."""
    found = []
    low = lower(text)
    for start, end in sentences(text):
        for first, last in _clauses(low, start, end):
            clause = low[first:last]
            if not _ANY_AFTER.search(clause):
                cuts = [match.start() for cue in (_ANY_BEFORE, _QUERY) if (match := cue.search(clause))]
                found.append((first, first + min(cuts, default=last - first)))
    return tuple(found)


def _clauses(low: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence, in lower case, cut where it turns to something else."""
    for turn in _TURN.finditer(low, start, end):
        yield start, turn.start()
        start = turn.start()
    yield start, end


def says(sentence: str, kind: str) -> bool:
    """Whether a sentence carries a cue of one kind of denial; `ruled_out` stands for anything left open or not done."""
    low = lower(sentence)
    kinds = ("ruled_out", "denied", "not_done", "carried") if kind == "ruled_out" else (kind,)
    found = any(BEFORE[one].search(low) or AFTER[one].search(low) for one in kinds)
    return found or (kind == "ruled_out" and "?" in sentence)


def denied_inside(sentence: str) -> bool:
    """Whether a sentence carries a cue of any kind."""
    low = lower(sentence)
    return "?" in sentence or bool(_ANY_BEFORE.search(low) or _ANY_AFTER.search(low))
