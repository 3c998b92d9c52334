"""The sentences of a trace: a few wordings per kind of claim, each written and read by the same table.

A bullet is `- ` and one claim. `write` fills one of a claim's wordings; `read` gives the claim back or None. Reading
tries a fixed number of anchored patterns per line, so it is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

EVIDENCE, REASON, PLACEMENT, EXCLUSION, ANSWER = "evidence", "reason", "placement", "exclusion", "answer"
DECISIONS = ("value", "stated", "absent", "other", "contrast", "lack", "range")
"""Kinds of decision claim: a stated value with the words that state it, one without them, something not stated, a residual
code, a word that the neighbour's title lacks, a word of the neighbour's title that the text lacks, a number inside the
title's range."""

KINDS = (EVIDENCE, REASON, PLACEMENT, *DECISIONS, EXCLUSION, ANSWER)

REASONS = {
    "negated": "denied",
    "family_history": "family",
    "ruled_out": "ruled_out",
    "administrative": "",
    "out_of_scope": "",
}
"""Why a text supports no code -> what `words.denial` finds there; empty where only a reader could tell."""

_CODE = r"(?P<code>[A-Z0-9][A-Z0-9.]{2,8})"
_NOT = r"(?P<other>[A-Z0-9][A-Z0-9.]{2,8})"
_WORDINGS: tuple[tuple[str, str, str], ...] = (
    (EVIDENCE, 'Documented: "{quote}"', r'Documented: "(?P<quote>.+)"'),
    (EVIDENCE, 'Stated: "{quote}"', r'Stated: "(?P<quote>.+)"'),
    (EVIDENCE, 'The note says "{quote}"', r'The note says "(?P<quote>.+)"'),
    ("negated", 'Denied: "{quote}"', r'Denied: "(?P<quote>.+)"'),
    ("negated", 'Not present: "{quote}"', r'Not present: "(?P<quote>.+)"'),
    ("family_history", 'Only in the family: "{quote}"', r'Only in the family: "(?P<quote>.+)"'),
    ("family_history", 'A relative\'s condition: "{quote}"', r'A relative\'s condition: "(?P<quote>.+)"'),
    ("ruled_out", 'Ruled out or unconfirmed: "{quote}"', r'Ruled out or unconfirmed: "(?P<quote>.+)"'),
    ("ruled_out", 'Not established: "{quote}"', r'Not established: "(?P<quote>.+)"'),
    ("administrative", 'Administrative: "{quote}"', r'Administrative: "(?P<quote>.+)"'),
    ("administrative", 'No clinical content: "{quote}"', r'No clinical content: "(?P<quote>.+)"'),
    ("out_of_scope", 'Outside the code set: "{quote}"', r'Outside the code set: "(?P<quote>.+)"'),
    ("out_of_scope", 'No code in the set for "{quote}"', r'No code in the set for "(?P<quote>.+)"'),
    (PLACEMENT, "{level}: {label}", r"(?P<level>Category|Subcategory|Block|Chapter|Section): (?P<label>.+)"),
    (PLACEMENT, "Belongs to {label}", r"Belongs to (?P<label>.+)"),
    (PLACEMENT, "Falls under {label}", r"Falls under (?P<label>.+)"),
    ("value", 'Decides: {value} ("{quote}")', r'Decides: (?P<value>[\w /\'-]+) \("(?P<quote>[^"]+)"\)'),
    ("value", 'Decides: "{quote}" means {value}', r'Decides: "(?P<quote>[^"]+)" means (?P<value>[\w /\'-]+)'),
    ("stated", "Decides: {value}, as stated", r"Decides: (?P<value>[\w /'-]+), as stated"),
    ("stated", "Decides: stated as {value}", r"Decides: stated as (?P<value>[\w /'-]+)"),
    ("absent", "Decides: no {thing} named{tail}", r"Decides: no (?P<thing>[\w /'-]+) named(?P<tail>, so unspecified)?"),
    (
        "absent",
        "Decides: no {thing} documented{tail}",
        r"Decides: no (?P<thing>[\w /'-]+) documented(?P<tail>, so unspecified)?",
    ),
    ("other", "Decides: no sibling code names it, so other", r"Decides: no sibling code names it, so other"),
    ("other", "Decides: it has no code of its own, so other", r"Decides: it has no code of its own, so other"),
    ("contrast", 'Decides: it says "{quote}", so not {other}', rf'Decides: it says "(?P<quote>[^"]+)", so not {_NOT}'),
    ("contrast", 'Decides: not {other}, as it says "{quote}"', rf'Decides: not {_NOT}, as it says "(?P<quote>[^"]+)"'),
    ("lack", 'Decides: nothing says "{word}", so not {other}', rf'Decides: nothing says "(?P<word>[^"]+)", so not {_NOT}'),
    ("lack", 'Decides: not {other}, as nothing says "{word}"', rf'Decides: not {_NOT}, as nothing says "(?P<word>[^"]+)"'),
    ("range", 'Decides: "{quote}" lies in {range}', r'Decides: "(?P<quote>[^"]+)" lies in (?P<range>[\d.]+-[\d.]+)'),
    (EXCLUSION, "Excludes1: not {note}", r"Excludes1: not (?P<note>.+)"),
    (EXCLUSION, "Kept apart by Excludes1: {note}", r"Kept apart by Excludes1: (?P<note>.+)"),
    (ANSWER, "Code: {code}", rf"Code: (?:{_CODE}|(?P<none>none))"),
    (ANSWER, "So the code is {code}", rf"So the code is (?:{_CODE}|(?P<none>none))"),
)
_BY_FIRST: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
for _kind, _form, _pattern in _WORDINGS:
    _levels = ("Category:", "Subcategory:", "Block:", "Chapter:", "Section:")
    for _first in _levels if _form.startswith("{level}") else (_form.split(" ", 1)[0],):
        _BY_FIRST.setdefault(_first, []).append((_kind, re.compile(_pattern)))
FORMS: dict[str, tuple[str, ...]] = {}
for _kind, _form, _pattern in _WORDINGS:
    FORMS[_kind] = (*FORMS.get(_kind, ()), _form)


@dataclass(frozen=True, slots=True)
class Bullet:
    """One claim as read: its kind (one of `KINDS`), what it names, and for a reason which one of `REASONS`."""

    kind: str
    fields: dict[str, str]
    reason: str = ""

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name) or ""


def groups(bullets: Sequence[Bullet | None]) -> list[range]:
    """Where the bullets of each code stand, as positions in `bullets`.

    What decides follows the code it is about, so the next group opens with the first other claim after a code.
    """
    starts, named = [0], False
    for number, bullet in enumerate(bullets):
        if named and bullet is not None and bullet.kind not in (*DECISIONS, EXCLUSION):
            starts.append(number)
            named = False
        named = named or (bullet is not None and bullet.kind == ANSWER)
    return [range(start, end) for start, end in zip(starts, [*starts[1:], len(bullets)], strict=True) if end > start]


def write(kind: str, pick: int, **fields: Any) -> str:
    """A bullet of one kind (for no-code texts: one of `REASONS`), in the wording that `pick` selects."""
    forms = FORMS[kind]
    return "- " + forms[pick % len(forms)].format(**fields)


def read(line: str) -> Bullet | None:
    """The claim of a line, or None when the line is not one the grammar knows."""
    if not line.startswith("- "):
        return None
    body = line[2:]
    for kind, pattern in _BY_FIRST.get(body.split(" ", 1)[0], ()):
        match = pattern.fullmatch(body)
        if match:
            fields = {name: value for name, value in match.groupdict().items() if value}
            return Bullet(REASON, fields, kind) if kind in REASONS else Bullet(kind, fields)
    return None
