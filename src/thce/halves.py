"""Work on many rows shared out to two processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from thce.errors import UserError

Row = TypeVar("Row")
Result = TypeVar("Result")

ENOUGH = 4000
"""Rows from which on a second process saves more than its start takes."""


def in_halves(work: Callable[[Sequence[Row]], list[Result]], rows: Sequence[Row]) -> list[Result]:
    """The results of `work` for the rows, in their order: of many rows one half in each of two processes.

    `work` treats every row by itself, so that results, and the `UserError` of the first wrong row, are those of one call; it
    can be pickled.
    """
    if len(rows) < ENOUGH:
        return work(rows)
    from joblib import Parallel, delayed

    middle = len(rows) // 2
    done = Parallel(n_jobs=2)(delayed(_tried)(work, part) for part in (rows[:middle], rows[middle:]))
    for part in done:
        if isinstance(part, UserError):
            raise part
    return [result for part in done for result in part]


def _tried(work: Callable[[Sequence[Row]], list[Result]], rows: Sequence[Row]) -> list[Result] | UserError:
    """What `work` gives, or what is wrong with a row: raised over there, that of the quicker process would win."""
    try:
        return work(rows)
    except UserError as error:
        return error
