"""Work on many rows shared out to two processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Row = TypeVar("Row")
Result = TypeVar("Result")

ENOUGH = 4000
"""Rows from which on a second process saves more than its start takes."""


def in_halves(work: Callable[[Sequence[Row]], list[Result]], rows: Sequence[Row]) -> list[Result]:
    """The results of `work` for the rows, in their order: of many rows one half in each of two processes.

    `work` treats every row by itself, so that the results are those of one call; it can be pickled.
    """
    if len(rows) < ENOUGH:
        return work(rows)
    from joblib import Parallel, delayed

    middle = len(rows) // 2
    one, other = Parallel(n_jobs=2)(delayed(work)(part) for part in (rows[:middle], rows[middle:]))
    return [*one, *other]
