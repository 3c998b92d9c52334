"""Other forms in which a note may have a known wording: its qualifier behind a comma ("atrial fibrillation, persistent"), and
common abbreviations of its words ("hx of breast cancer").

The phrasebook has a wording as one says it; problem lists turn it round, as the Alphabetic Index does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

Word = tuple[str, int, int]
"""A word of a text in small letters, and where it starts and ends."""

_COMMA = re.compile(r",[ \t]*")
_MARK = re.compile(r"\s*(?:[,.;:()\[\]\n]|$)")
_QUALIFIER = 3
"""Words that a qualifier behind a comma has at most."""

_LONG = {
    "abd": "abdominal",
    "b/l": "bilateral",
    "bilat": "bilateral",
    "ca": "cancer",
    "chol": "cholesterol",
    "chr": "chronic",
    "d/o": "disorder",
    "def": "deficiency",
    "dz": "disease",
    "eval": "evaluation",
    "exac": "exacerbation",
    "f/u": "follow-up",
    "fx": "fracture",
    "htn": "hypertension",
    "hx": "history",
    "infxn": "infection",
    "insuff": "insufficiency",
    "l": "left",
    "lac": "laceration",
    "lt": "left",
    "mod": "moderate",
    "pna": "pneumonia",
    "preg": "pregnancy",
    "pulm": "pulmonary",
    "r": "right",
    "resp": "respiratory",
    "rt": "right",
    "sev": "severe",
    "sz": "seizure",
    "unspec": "unspecified",
    "vit": "vitamin",
    "w": "with",
    "w/o": "without",
}
"""Abbreviations that stand for one word each, whatever stands beside them. They count only where the whole wording fits."""


def spelled(name: str) -> str:
    """The key of a wording with its abbreviations written out."""
    return " ".join([_LONG.get(word, word) for word in name.split(" ")])


def abbreviated(names: Iterable[str]) -> list[str]:
    """Those of the keys that have an abbreviation in them."""
    return [name for name in names if not _LONG.keys().isdisjoint(name.split(" "))]


def inversions(text: str, words: Sequence[Word], longest: int) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Runs of words with a comma between a thing and its qualifiers, turned round: numbers of the first and the last word, and
    of all in the order in which one says them. The thing has at most `longest` words; a qualifier, of three words at most, ends
    at a mark."""
    for comma in range(len(words) - 1):
        if not _COMMA.fullmatch(text, words[comma][2], words[comma + 1][1]):
            continue
        for once in _qualifiers(text, words, comma):
            further = once + 1 < len(words) and _COMMA.fullmatch(text, words[once][2], words[once + 1][1])
            twice = list(_qualifiers(text, words, once)) if further else []
            for first in range(comma, max(-1, comma - longest), -1):
                thing, one = range(first, comma + 1), range(comma + 1, once + 1)
                yield first, once, (*one, *thing)
                for more in twice:
                    two = range(once + 1, more + 1)
                    for order in ((one, thing, two), (two, thing, one), (two, one, thing), (one, two, thing)):
                        yield first, more, tuple(number for part in order for number in part)
                if first and not text[words[first - 1][2] : words[first][1]].isspace():
                    break  # a mark stands before the thing


def parts(text: str, words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    """Words parted where a comma stands between them."""
    start = 0
    for at in range(1, len(words)):
        if _COMMA.fullmatch(text, words[at - 1][2], words[at][1]):
            yield words[start:at]
            start = at
    yield words[start:]


def is_adjective(word: str) -> bool:
    """Whether a word looks like one that only qualifies: `diabetic`, `hypertensive`, `bacterial`."""
    return word.endswith(("ic", "ive", "al", "ous", "ary"))


def _qualifiers(text: str, words: Sequence[Word], comma: int) -> Iterator[int]:
    """The last word of the qualifier that follows word number `comma`, if it ends at a mark soon enough."""
    for last in range(comma + 1, min(comma + 1 + _QUALIFIER, len(words))):
        if _MARK.match(text, words[last][2]):
            yield last
            return
        if last + 1 < len(words) and not text[words[last][2] : words[last + 1][1]].isspace():
            return
