"""Codes that were read side by side, as they are reported: a combination code instead of its parts, a specific code without the
general one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from thce.coder.decide import Decision, spans_of
from thce.coder.lookup import Find, numbers
from thce.coder.prior import Pair
from thce.codes.book import CodeBook
from thce.codes.combinations import combinations, general


def settle(decision: Decision, finds: Sequence[Find], labels: Sequence[Pair], book: CodeBook) -> Decision:
    """The decision with its diagnoses settled among themselves, as far as the codes are in the code set.

    A combination code stands before the codes it is reported with (their notes "code first" and its "use additional code" ask
    for that, Guidelines I.A.13, I.B.7), is read where the code it replaces was read, and is no surer than any of its parts. A
    general code is dropped where a specific one of its category says more; no other takes its place.
    """
    place = numbers(labels)
    sure = dict(zip(decision.numbers, decision.sure, strict=True))
    pieces = dict(decision.pieces)

    def diagnoses() -> list[str]:
        return [labels[number][1] for number in sure if labels[number][0] == "ICD10"]

    for code, _ in list(general(book, diagnoses())):
        del sure[place["ICD10", code]]
    while found := next((one for one in combinations(diagnoses()) if ("ICD10", one.code) in place), None):
        old, new = place["ICD10", found.replaced], place["ICD10", found.code]
        spans = spans_of([old], finds, labels)[old]
        if spans:
            pieces[new] = spans[0]
        elif old in pieces:
            pieces[new] = pieces[old]
        members = [place["ICD10", code] for code in (found.replaced, *found.beside)]
        first = min(list(sure).index(number) for number in members)
        least = min(sure[number] for number in members)
        rest = [(number, chance) for number, chance in sure.items() if number not in (old, new)]
        sure = dict([*rest[:first], (new, least), *rest[first:]])
    if list(sure) == decision.numbers:
        return decision
    return replace(decision, numbers=list(sure), sure=list(sure.values()), confidence=min(sure.values()), pieces=pieces)
