"""Diagnoses that are not reported side by side: parts of a combination code, and a general code beside a specific one.

Guideline sections are those of the ICD-10-CM Official Guidelines for Coding and Reporting FY2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from thce.codes.book import CodeBook

_GENERAL = re.compile(r"\bunspecified\b|\bwithout complications$|\buncomplicated$", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+|\d+")
_EMPTY = frozenset(("unspecified", "other", "specified", "not", "and", "or", "of", "without", "complications", "uncomplicated"))
_DIABETES = ("E10", "E11", "E13")


class Combination(NamedTuple):
    """`code` is reported instead of `replaced` where the codes `beside` stand on the claim too."""

    code: str
    replaced: str
    beside: tuple[str, ...]
    what: str
    source: str


def combinations(codes: Sequence[str]) -> Iterator[Combination]:
    """The combination codes that these diagnoses call for; with one in place there may be another.

    The classification presumes that hypertension and diabetes are linked to the conditions named here, unless the note says
    otherwise. Heart failure and the stage of the kidney disease are reported beside the combination code.
    """
    hearts = tuple(code for code in codes if code.startswith("I50"))
    kidneys = tuple(code for code in codes if code.startswith("N18"))
    last = any(code in ("N18.5", "N18.6") for code in kidneys)  # stage 5 and end-stage
    if "I10" in codes and (hearts or kidneys):
        if hearts and kidneys:
            found, what, section = "I13.2" if last else "I13.0", "heart failure and chronic kidney disease", "I.C.9.a.3"
        elif hearts:
            found, what, section = "I11.0", "heart failure", "I.C.9.a.1"
        else:
            found, what, section = "I12.0" if last else "I12.9", "chronic kidney disease", "I.C.9.a.2"
        yield Combination(found, "I10", (*hearts, *kidneys), f"hypertension with {what}", f"Guidelines {section}")
    for category in _DIABETES:
        if kidneys and f"{category}.9" in codes:
            what = "diabetes with chronic kidney disease"
            yield Combination(f"{category}.22", f"{category}.9", kidneys, what, "Guidelines I.A.15, I.C.4.a")


def general(book: CodeBook, codes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each of the diagnoses that leaves open what another of them says, with that other."""
    for code in codes:
        other = next((other for other in codes if leaves_open(book, code, other)), None)
        if other is not None:
            yield code, other


def leaves_open(book: CodeBook, code: str, other: str) -> bool:
    """Whether a diagnosis leaves open, or denies, what another of its category says: J44.9 and J44.1, E11.9 and E11.40
    (Guidelines I.A.9.b). Every telling word of its title is in that of the other, which has more of them if it leaves something
    open itself."""
    entry, more = book.find("ICD10", code), book.find("ICD10", other)
    if entry is None or more is None or code == other or code[:3] != other[:3] or not _GENERAL.search(entry.title):
        return False
    own, others = _words(entry.title), _words(more.title)
    return own < others if _GENERAL.search(more.title) else own <= others


def _words(title: str) -> set[str]:
    return set(_WORD.findall(title.lower())) - _EMPTY
