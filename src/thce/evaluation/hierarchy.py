"""How near a wrong code is, by the hierarchy of its code set.

Three levels: `chapter` (ICD-10-CM chapter, CPT section, HCPCS letter), `category` (ICD-10-CM: three characters; CPT and HCPCS
have no such level and use the section) and `code`. A code that does not exist is placed by its prefix, so that a near
miss by one character still shows as near.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from thce.answers import Code
from thce.codes.book import CodeBook
from thce.evaluation.metrics import Answer, Counts, Gold, mean

LEVELS = ("chapter", "category", "code")

Place = Callable[[Code], str]
"""The node of a code at one level; "" where it has none, which equals nothing."""


def places(book: CodeBook) -> dict[str, Place]:
    """For each level the function that places a code; look-ups are kept."""

    @cache
    def chapter(code: Code) -> str:
        if code.code_type == "HCPCS":
            return f"HCPCS {code.code[:1]}"
        known = code.code if code.code_type == "CPT" else code.code[:3]
        path = book.path(code.code_type, known)
        return f"{code.code_type} {path[0].code}" if path else ""

    @cache
    def category(code: Code) -> str:
        if code.code_type != "ICD10":
            return chapter(code)
        return f"ICD10 {code.code[:3]}" if book.find("ICD10", code.code[:3]) else ""

    return {"chapter": chapter, "category": category, "code": lambda code: f"{code.code_type} {code.code}"}


def near(gold: Gold, answer: Answer, place: Place) -> bool:
    """Every gold code and every answered code meet at the level: the same set of nodes. "No code" meets only "no code"."""
    if answer is None:
        return False
    wanted, given = {place(code) for code in gold}, {place(code) for code in answer}
    return wanted == given and "" not in wanted


def prefix_overlap(gold: Code, answered: Code) -> float:
    """Shared leading characters (dot left out) over the length of the longer code; 0 across code types."""
    if gold.code_type != answered.code_type:
        return 0.0
    left, right = gold.code.replace(".", ""), answered.code.replace(".", "")
    different = (place for place, (a, b) in enumerate(zip(left, right, strict=False)) if a != b)
    return next(different, min(len(left), len(right))) / max(len(left), len(right))


def mean_prefix_overlap(gold: Gold, answer: Answer) -> float:
    """For each gold code the best overlap with an answered one, averaged; a readable "no code" on no gold is 1."""
    if not gold:
        return float(answer is not None and not answer)
    return mean([max((prefix_overlap(code, other) for other in answer or ()), default=0.0) for code in gold])


def count_preserving(golds: Sequence[Gold], answers: Sequence[Answer], place: Place) -> Counts:
    """CoPHE (Falis et al. 2021): per row and node, how many gold and answered codes lie below it, compared as counts.

    Two answered codes under a node that has one gold code give one true and one false positive there, where a plain set
    comparison of nodes would see no fault.
    """
    tp = fp = fn = 0
    for gold, answer in zip(golds, answers, strict=True):
        wanted, given = _count(set(gold), place), _count(set(answer or ()), place)
        for node in wanted.keys() | given.keys():
            # a code without a node is a miss on either side: it cannot meet anything
            both = 0 if node == "" else min(wanted[node], given[node])
            tp, fp, fn = tp + both, fp + given[node] - both, fn + wanted[node] - both
    return Counts(tp, fp, fn)


def _count(codes: Iterable[Code], place: Place) -> Counter[str]:
    return Counter(place(code) for code in codes)
