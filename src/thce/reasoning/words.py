"""Words of narratives and titles, and what a sentence denies.

All functions are pure and take time linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

_WORD = re.compile(r"[a-z0-9]+(?:\.\d+)?")
_SENTENCE = re.compile(r"(?:[.!?;](?=[\s\])\"]|$)|\n|(?<=\s)\d{1,2}\)(?=\s))+\s*")
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

_KIN = (
    "mother|father|mom|mum|dad|sister|brother|aunt|uncle|grand(?:mother|father|parents?)|cousin|"
    "parents?|siblings?|half-sister|"
    "half-brother|niece|nephew|twin|son|daughter|relatives?"
)
_KIN_VERB = (
    "is|was|w/|with|has|had|have|got|reportedly|tx|treated|takes|known|dx|diagnosed|carrie[ds]|"
    "carries|suffer(?:s|ed)?|lives with|died"
)
_BEFORE = {
    "family": (rf"family|fhx?|pedigree|runs on my|has an? (?:{_KIN})|(?:{_KIN})(?:'s side)?(?: (?:{_KIN_VERB})(?!\w)|:| -)"),
    "denied": (
        r"no|not|den(?:y|ies|ied|ying)|neg(?:ative)?|without|w/o|absent|never|free of|none|asked about|"
        r"cannot exclude|"
        r"nothing to suggest|nothing suggests|lacks|absence of"
    ),
    "ruled_out": (
        r"rul(?:es?|ed|ing) out|r/o|disprove[ds]?|refute[ds]?|exclud(?:e|es|ed|ing)|possibl[ey]|"
        r"probabl[ey]|suspect(?:ed|s|ing)?|question(?:ed)? of|"
        r"previously questioned|concern(?:ed)? for|differential|worr(?:y|ied) about|might be|label of|"
        r"deleted after testing|"
        r"entered in error"
    ),
    "not_done": (
        r"cancel(?:led)?|discontinue|hold|void|skipped|advise against|order for|duplicate|removed from|"
        r"did not get|not ordered"
    ),
    "carried": r"copied|old note|old entry|previous entry|last year's note|resolved|inactive|carried forward",
}
_AFTER = {
    "denied": r"is absent|none|not present|never present",
    "family": rf"runs (?:in|on)|in the family|in (?:his |her |my |the |a )?(?:{_KIN})|(?:\W{{1,2}})(?:{_KIN})\)?$",
    "ruled_out": (
        r"(?:ruled|rules) out|excluded|not confirmed|not borne out|withdrawn|suspected|unproven|"
        r"not yet established|not examined|"
        r"will test|considered|to be checked|awaiting results|visit booked|work-up arranged|follow-up as outpatient"
    ),
    "not_done": (
        r"written off|reversed|not done|deferred|not needed|not performed|not indicated|not required|"
        r"postponed|called off|"
        r"cancelled|held off|voided|not requested|no longer needed|left for a later|entered by mistake|removed"
    ),
    "carried": r"resolved|no longer present|out of date|now gone|struck out",
}
_TURN = re.compile(r"\b(?:but|however|although|now with|presents with|here for)\b", re.I)
BEFORE = {kind: re.compile(rf"(?<![\w-])(?:{cue})(?![\w-])", re.I) for kind, cue in _BEFORE.items()}
AFTER = {kind: re.compile(rf"(?<![\w-])(?:{cue})(?![\w-])", re.I) for kind, cue in _AFTER.items()}


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


def around(text: str, start: int, end: int) -> tuple[str, str]:
    """What stands in the same sentence before and after a span, at most `_REACH` characters on each side."""
    before = text[max(0, start - _REACH) : start]
    after = text[end : end + _REACH]
    ends = [match.end() for match in _SENTENCE.finditer(before)]
    first = _SENTENCE.search(after)
    before = before[ends[-1] :] if ends else before
    after = after[: first.start()] if first else after
    turns = list(_TURN.finditer(before))
    return (before[turns[-1].end() :] if turns else before), after


def denial(text: str, start: int, end: int) -> str:
    """Why the words of a span do not count: denied, family, ruled_out, not_done, carried; empty when nothing says so.

    A lexical test of the words before and after the span in its sentence, in the manner of NegEx.
    """
    return next(iter(denials(text, start, end)), "")


def denials(text: str, start: int, end: int) -> list[str]:
    """Every reason why the words of a span do not count, what stands before them first."""
    before, after = around(text, start, end)
    found = ["ruled_out"] if before.rstrip().endswith("?") else []
    found += [kind for kind, cue in BEFORE.items() if cue.search(before)]
    return found + [kind for kind, cue in AFTER.items() if cue.search(after)]


_OPENING = {
    "denied": r"den(?:y|ies|ied|ying)|negative for|neg for|no (?:evidence|signs?|history|hx|complaints?) of|"
    r"absence of|free of|never had",
    "family": r"family (?:history|hx)|fhx?|(?:mother|father|sister|brother|aunt|uncle|grandmother|grandfather|"
    r"cousin) (?:with|has|had)",
    "ruled_out": r"rul(?:es?|ed|ing) out|r/o|possible|possibly|probable|suspected|suspect|questionable|"
    r"concern for|worried about",
    "not_done": r"cancelled|discontinue|void",
    "carried": r"copied from|old note|previous entry",
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


def asserted_spans(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of what each sentence asserts, possibly nothing."""
    for start, end in sentences(text):
        sentence = text[start:end]
        if any(cue.search(sentence) for cue in AFTER.values()):
            continue
        cuts = [match.start() for cue in BEFORE.values() if (match := cue.search(sentence))]
        yield start, start + min(cuts, default=end - start)


def says(sentence: str, kind: str) -> bool:
    """Whether a sentence carries a cue of one kind of denial; `ruled_out` stands for anything left open or not done."""
    if BEFORE[kind].search(sentence) or AFTER[kind].search(sentence):
        return True
    return kind == "ruled_out" and (
        "?" in sentence or any(says(sentence, other) for other in ("denied", "not_done", "carried"))
    )


def denied_inside(sentence: str) -> bool:
    """Whether a sentence carries a cue of any kind."""
    return any(says(sentence, kind) for kind in BEFORE)
