"""What may have been meant by a code that is not in the table: a short, ranked list."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from thce.codes.book import CodeBook
from thce.codes.icd10cm import dotted, undotted

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOOKALIKES = {"O": "0", "0": "O", "I": "1", "1": "I", "L": "1", "S": "5", "5": "S", "B": "8", "8": "B"}
LIMIT = 10


class Suggestion(NamedTuple):
    """A code of the table close to the one asked for; `distance` counts edited characters (0: the same stem)."""

    code: str
    reason: str
    distance: int


def near_misses(book: CodeBook, code_type: str, code: str, limit: int = LIMIT) -> tuple[Suggestion, ...]:
    """Billable codes close to `code`: padded with X, look-alikes, one edit away, and those below its longest prefix.

    Ranked by kind of nearness, then by how often a code is billed, then by the length of the common beginning.
    """
    table = book.table(code_type)
    bare = undotted(code)
    found: dict[str, tuple[int, Suggestion]] = {}

    def offer(rank: int, candidate: str, reason: str, distance: int) -> None:
        name = dotted(candidate) if code_type == "ICD10" else candidate
        row = table.get(name)
        if row is not None and row.split("\t", 3)[2] == "1" and (name not in found or found[name][0] > rank):
            found[name] = (rank, Suggestion(name, reason, distance))

    if code_type == "ICD10" and 4 <= len(bare) < 7:
        offer(0, bare[:-1].ljust(6, "X") + bare[-1], "placeholder X before the 7th character", 7 - len(bare))
    for candidate, changed in _lookalikes(bare):
        offer(1, candidate, "look-alike character", changed)
    for candidate, reason in _edits(bare):
        offer(2, candidate, reason, 1)
    if code_type == "ICD10":
        for length in range(len(bare) - 1, 2, -1):
            stem = dotted(bare[:length])
            if stem in table:
                offer(1, bare[:length], "shorter code", len(bare) - length)
                for below in book.billable_codes_below("ICD10", stem)[:500]:
                    offer(3, undotted(below), f"below {stem}", 0)
                break
    ranks = book.ranks

    def order(item: tuple[int, Suggestion]) -> tuple[int, int, int, int, str]:
        rank, suggestion = item
        return (
            rank,
            suggestion.distance,
            ranks.get((code_type, suggestion.code), 10**6),
            -_common(code, suggestion.code),
            suggestion.code,
        )

    return tuple(suggestion for _, suggestion in sorted(found.values(), key=order)[:limit])


def _lookalikes(code: str) -> Iterator[tuple[str, int]]:
    """Every reading of the characters that are mistaken for another, with the number of characters changed."""
    choices = [(character, LOOKALIKES[character]) if character in LOOKALIKES else (character,) for character in code[:7]]
    for picked in product(*choices):
        candidate = "".join(picked) + code[7:]
        if candidate != code:
            yield candidate, sum(a != b for a, b in zip(candidate, code, strict=True))


def _edits(code: str) -> Iterator[tuple[str, str]]:
    """Every string one edit away, with the name of the edit."""
    for place in range(len(code) - 1):
        yield code[:place] + code[place + 1] + code[place] + code[place + 2 :], "transposed characters"
    for place in range(len(code)):
        for character in ALPHABET:
            yield code[:place] + character + code[place + 1 :], "one character differs"
    for place in range(len(code)):
        yield code[:place] + code[place + 1 :], "one character too many"
    for place in range(len(code) + 1):
        for character in ALPHABET:
            yield code[:place] + character + code[place:], "one character missing"


def _common(left: str, right: str) -> int:
    """Length of the common beginning."""
    for place, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return place
    return min(len(left), len(right))
