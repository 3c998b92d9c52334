"""Codes named inside the notes of the tabular list: `(E10.-)`, `(C51-C52, C60.-)`, `(E08-E13 with .44)`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from thce.codes.book import CodeBook, Note
from thce.codes.icd10cm import undotted

_CODE = r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?"
_BRACKET = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")
_REFERENCE = re.compile(rf"({_CODE})(?:(?:\.?-)?\s*-\s*({_CODE}))?(?:\.?-)?(?:\s+with\s+([^,;]*))?")
_LOOSE = re.compile(r"[A-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4}")
_CHARACTER = re.compile(r"(fifth or sixth|5th or 6th|fifth|sixth|5th|6th|final) characters? (\d)(?:\s*-\s*(\d))?")
_PLACES = {
    "fifth": (5,),
    "5th": (5,),
    "sixth": (6,),
    "6th": (6,),
    "final": (6,),
    "fifth or sixth": (5, 6),
    "5th or 6th": (5, 6),
}


class Reference(NamedTuple):
    """One code with all below it (`last` empty), or a range in the order of the table; both without dots.

    `tail` is what must follow the dot (`.44`), `places` and `digits` which character must be one of which digits.
    """

    first: str
    last: str = ""
    tail: str = ""
    places: tuple[int, ...] = ()
    digits: str = ""


@lru_cache(maxsize=8192)
def references(text: str) -> tuple[Reference, ...]:
    """All references of a note, in its order; empty for a note that names no code."""
    parts = [match[1] or match[2] or "" for match in _BRACKET.finditer(text)]
    found = [_reference(match) for part in parts for match in _REFERENCE.finditer(part)]
    loose = _BRACKET.sub(" ", text)
    found += [Reference(undotted(code)) for code in _LOOSE.findall(loose)]  # a few notes lack the brackets
    return tuple(dict.fromkeys(found))


def _reference(match: re.Match[str]) -> Reference:
    first, last, condition = match.groups()
    tail, digits = "", ""
    places: tuple[int, ...] = ()
    if condition:
        if character := _CHARACTER.search(condition):
            low, high = int(character[2]), int(character[3] or character[2])
            places, digits = _PLACES[character[1]], "".join(map(str, range(low, high + 1)))
        elif dot := re.match(r"\.([0-9A-Z]+)", condition):
            tail = dot[1]
    return Reference(undotted(first), undotted(last or ""), tail, places, digits)


class Matcher:
    """Tells whether a code is one that a reference names."""

    def __init__(self, book: CodeBook) -> None:
        self.book = book
        self._positions: dict[str, int] | None = None
        self._codes: list[str] = []

    def names(self, reference: Reference, code: str) -> bool:
        """True when `code` (with its dot) is, lies below, or lies within the range of what `reference` names."""
        bare = undotted(code)
        if reference.last:
            if not self._within(reference, bare):
                return False
        elif not bare.startswith(reference.first):
            return False
        if reference.tail and not bare[3:].startswith(reference.tail):
            return False
        return not reference.places or any(bare[place - 1 : place] in reference.digits and len(bare) >= place
                                           for place in reference.places)  # fmt: skip

    def any_of(self, notes: Iterable[Note], code: str) -> bool:
        """True when any of the notes names the code."""
        return any(self.names(reference, code) for note in notes for reference in references(note.text))

    def _within(self, reference: Reference, bare: str) -> bool:
        if self._positions is None:
            self._codes = [undotted(code) for code in self.book.table("ICD10") if "-" not in code]
            self._positions = {code: at for at, code in enumerate(self._codes)}
        at, first, last = (self._positions.get(code) for code in (bare, reference.first, reference.last))
        if at is None or first is None or last is None:
            return False
        if bare.startswith(reference.last):
            return True
        return first <= at <= last


@lru_cache(maxsize=4)
def matcher(book: CodeBook) -> Matcher:
    """The matcher of a code book, made once."""
    return Matcher(book)
