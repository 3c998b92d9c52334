"""Find what may tell who a patient is: numbers, addresses and dates that a note for training must not hold.

Patterns catch identifiers with a fixed form. They do not find names, and they are no proof that a text is de-identified
(45 CFR 164.514(b)(2) lists eighteen kinds of identifiers).
"""

from __future__ import annotations

import re
from typing import NamedTuple

KINDS = ("ssn", "mrn", "phone", "email", "date")
"""Social security number, medical record number, telephone or fax number, e-mail address, date of day, month and
year."""

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH_NUMBER = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:1[89]\d\d|2[01]\d\d)"
_PATTERNS = {
    "email": r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "ssn": r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])",
    "mrn": (
        r"\b(?:mrn|medical record(?: (?:number|no\.?|#))?|chart (?:number|no\.?|#)|patient id)\W{0,3}"
        r"(?=[A-Z0-9-]*\d{4})[A-Z0-9-]{5,15}\b"
    ),
    "phone": r"(?<![\d.-])(?:\+?1[ .-]?)?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}(?![\d-])",
    "date": (
        rf"(?<![\d./-])(?:{_MONTH_NUMBER}([/.-]){_DAY}\1(?:{_YEAR}|\d\d)|{_DAY}([/.])(?:1[0-2]|0?[1-9])\2{_YEAR}|"
        rf"{_YEAR}([/.-]){_MONTH_NUMBER}\3{_DAY})(?![\d/-])(?!\.\d)|"
        rf"\b{_MONTH} {_DAY}(?:st|nd|rd|th)?,? {_YEAR}\b|\b{_DAY}(?:st|nd|rd|th)? (?:of )?{_MONTH},? {_YEAR}\b|"
        rf"\b{_DAY}-{_MONTH}-(?:{_YEAR}|\d\d)\b"
    ),
}
_COMPILED = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _PATTERNS.items()}
_HINT = re.compile(r"\d\d|@|\d[/.-]\d")


class Identifier(NamedTuple):
    """A kind of `KINDS` and where it stands: text[start:end]."""

    kind: str
    start: int
    end: int


def find(text: str) -> list[Identifier]:
    """All identifiers in the text, by place; of two that overlap the one found first in the order of the patterns."""
    if not _HINT.search(text):
        return []
    found: list[Identifier] = []
    for kind, pattern in _COMPILED.items():
        for match in pattern.finditer(text):
            if not any(match.start() < other.end and other.start < match.end() for other in found):
                found.append(Identifier(kind, match.start(), match.end()))
    return sorted(found, key=lambda item: item.start)
