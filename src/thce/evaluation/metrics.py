"""Right or wrong, for one code and for sets of codes: pure functions on (gold, answer).

A gold is a tuple of codes, empty where the text supports none. An answer is a tuple of codes, empty for an explicit "no
code", and None where nothing readable was answered: that is wrong for every gold, and never counts as "no code".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from thce.answers import Code

Gold = tuple[Code, ...]
Answer = tuple[Code, ...] | None


def exact(gold: Gold, answer: Answer) -> bool:
    """The answer holds the gold codes and no other; order does not matter. For one gold code: exactly that code."""
    return answer is not None and set(answer) == set(gold)


def accuracy(golds: Sequence[Gold], answers: Sequence[Answer]) -> float:
    """Share of exact answers; 0 without rows. For sets this is the exact match ratio (subset accuracy)."""
    return mean([exact(gold, answer) for gold, answer in zip(golds, answers, strict=True)])


def mean(values: Sequence[float]) -> float:
    """The mean, 0 for no values."""
    return sum(values) / len(values) if values else 0.0


class Counts(NamedTuple):
    """True positives, false positives and false negatives."""

    tp: int
    fp: int
    fn: int

    @property
    def precision(self) -> float:
        """Right among answered; 0 when nothing was answered."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def recall(self) -> float:
        """Found among gold; 0 when there is no gold."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 without any code on either side."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else 0.0


def counts(gold: Gold, answer: Answer) -> Counts:
    """The counts of one row; an unreadable answer misses every gold code."""
    wanted, given = set(gold), set(answer or ())
    return Counts(len(wanted & given), len(given - wanted), len(wanted - given))


def micro(golds: Sequence[Gold], answers: Sequence[Answer]) -> Counts:
    """Counts summed over all rows and codes."""
    rows = [counts(gold, answer) for gold, answer in zip(golds, answers, strict=True)]
    return Counts(sum(row.tp for row in rows), sum(row.fp for row in rows), sum(row.fn for row in rows))


def macro_f1(golds: Sequence[Gold], answers: Sequence[Answer]) -> float:
    """Mean of the F1 of each code that occurs in the gold or in an answer; codes that occur in neither have no F1.

    Counting absent codes as 0 (as older coding papers did) would halve the number without a meaning.
    """
    per_code: dict[Code, list[int]] = defaultdict(lambda: [0, 0, 0])
    for gold, answer in zip(golds, answers, strict=True):
        wanted, given = set(gold), set(answer or ())
        for code in wanted | given:
            per_code[code][0 if code in wanted and code in given else 1 if code in given else 2] += 1
    return mean([Counts(*triple).f1 for _, triple in sorted(per_code.items())])


def example_f1(gold: Gold, answer: Answer) -> float:
    """F1 of one row. A readable "no code" for a row without codes is 1."""
    return _overlap(gold, answer, lambda both, wanted, given: 2 * both / (wanted + given))


def jaccard(gold: Gold, answer: Answer) -> float:
    """Shared codes over all codes of one row. A readable "no code" for a row without codes is 1."""
    return _overlap(gold, answer, lambda both, wanted, given: both / (wanted + given - both))


def _overlap(gold: Gold, answer: Answer, ratio: object) -> float:
    if answer is None:
        return 0.0
    wanted, given = set(gold), set(answer)
    if not wanted and not given:
        return 1.0
    value: float = ratio(len(wanted & given), len(wanted), len(given))  # type: ignore[operator]
    return value


class Volume(NamedTuple):
    """How many codes are answered: mean per row on both sides, and the shares of rows with too many or too few."""

    gold: float
    answered: float
    over: float
    under: float


def volume(golds: Sequence[Gold], answers: Sequence[Answer]) -> Volume:
    """Over- and under-coding: a row is over-coded with more codes than the gold has, under-coded with fewer."""
    pairs = [(len(set(gold)), len(set(answer or ()))) for gold, answer in zip(golds, answers, strict=True)]
    return Volume(
        mean([gold for gold, _ in pairs]),
        mean([given for _, given in pairs]),
        mean([given > gold for gold, given in pairs]),
        mean([given < gold for gold, given in pairs]),
    )


def rank(gold: Code, ranking: Sequence[Code]) -> int | None:
    """1 for the first place; None when the code is not in the ranking."""
    return next((place for place, code in enumerate(ranking, 1) if code == gold), None)


def top_k(gold: Code, ranking: Sequence[Code], k: int) -> bool:
    """The gold is among the first `k`."""
    place = rank(gold, ranking)
    return place is not None and place <= k


def reciprocal_rank(gold: Code, ranking: Sequence[Code]) -> float:
    """1 / rank, 0 when the code is not in the ranking; its mean over rows is MRR."""
    place = rank(gold, ranking)
    return 1 / place if place else 0.0


def average_precision(gold: Gold, ranking: Sequence[Code]) -> float:
    """Mean over the gold codes of the precision at their place (0 where not ranked); its mean over rows is MAP."""
    wanted, hits, total = set(gold), 0, 0.0
    for place, code in enumerate(ranking, 1):
        if code in wanted:
            hits += 1
            total += hits / place
    return total / len(wanted) if wanted else 0.0


def precision_at(gold: Gold, ranking: Sequence[Code], k: int) -> float:
    """Share of gold codes among the first `k`; always divided by `k`."""
    return len(set(gold) & set(ranking[:k])) / k


def groups_right(groups: Sequence[Hashable], right: Sequence[bool]) -> list[bool]:
    """One value per group, in order of first appearance: every member of it is right."""
    whole: dict[Hashable, bool] = {}
    for group, value in zip(groups, right, strict=True):
        whole[group] = whole.get(group, True) and value
    return list(whole.values())


def no_code(golds: Sequence[Gold], answers: Sequence[Answer]) -> Counts:
    """Detection of rows without a code, "no code" being the positive answer: an unreadable answer is not one."""
    pairs = [(not gold, answer is not None and not answer) for gold, answer in zip(golds, answers, strict=True)]
    return Counts(
        sum(gold and given for gold, given in pairs),
        sum(given and not gold for gold, given in pairs),
        sum(gold and not given for gold, given in pairs),
    )
