"""Diagnoses that are not reported side by side: parts of a combination code, and a general code beside a specific one.

Guideline sections are those of the ICD-10-CM Official Guidelines for Coding and Reporting FY2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from thce.codes.book import CodeBook

_GENERAL = re.compile(r"\bunspecified\b|\bwithout complications$|\buncomplicated$", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+")
_EMPTY = frozenset(("unspecified", "other", "specified", "not", "and", "or", "of", "without", "complications", "uncomplicated"))
_DIABETES = ("E10", "E11", "E13")


class Combination(NamedTuple):
    """`code` is reported instead of `replaced` where the codes `beside` stand on the claim too."""

    code: str
    replaced: str
    beside: tuple[str, ...]
    what: str
    source: str


def combination(codes: Sequence[str]) -> Combination | None:
    """The combination code that these diagnoses call for, None if none; asked again with it in place there may be another.

    The classification presumes that hypertension and diabetes are linked to the conditions named here, unless the note says
    otherwise. Heart failure and the stage of the kidney disease are reported beside the combination code.
    """
    hearts = tuple(code for code in codes if code.startswith("I50"))
    kidneys = tuple(code for code in codes if code.startswith("N18"))
    last = any(code in ("N18.5", "N18.6") for code in kidneys)  # stage 5 and end-stage
    if "I10" in codes and (hearts or kidneys):
        beside = (*hearts, *kidneys)
        if hearts and kidneys:
            found, what, section = "I13.2" if last else "I13.0", "heart failure and chronic kidney disease", "I.C.9.a.3"
        elif hearts:
            found, what, section = "I11.0", "heart failure", "I.C.9.a.1"
        else:
            found, what, section = "I12.0" if last else "I12.9", "chronic kidney disease", "I.C.9.a.2"
        return Combination(found, "I10", beside, f"hypertension with {what}", f"Guidelines {section}")
    for category in _DIABETES:
        if kidneys and f"{category}.9" in codes:
            what = "diabetes with chronic kidney disease"
            return Combination(f"{category}.22", f"{category}.9", kidneys, what, "Guidelines I.A.15, I.C.4.a")
    return None


def general(book: CodeBook, codes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each of the diagnoses that leaves open, or denies, what another of its category says, with that other: J44.9 beside J44.1
    (Guidelines I.A.9.b)."""
    vague = {code for code in codes if (entry := book.find("ICD10", code)) and _GENERAL.search(entry.title)}
    for code in (code for code in codes if code in vague):
        other = next((other for other in codes if other not in vague and says_no_more(book, code, other)), None)
        if other is not None:
            yield code, other


def says_no_more(book: CodeBook, code: str, other: str) -> bool:
    """Whether two diagnoses are of one category, and every telling word in the title of `code` is in that of `other` too."""
    entry, more = book.find("ICD10", code), book.find("ICD10", other)
    return bool(entry and more and code != other and code[:3] == other[:3] and _words(entry.title) <= _words(more.title))


def _words(title: str) -> set[str]:
    return set(_WORD.findall(title.lower())) - _EMPTY
