"""Rows shared out to two processes: the same results, in the same order."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from thce.errors import UserError
from thce.halves import ENOUGH, in_halves

pytestmark = pytest.mark.unit


def _squared(rows: Sequence[int]) -> list[tuple[int, int]]:
    return [(row * row, os.getpid()) for row in rows]


def _refuse(rows: Sequence[int]) -> list[int]:
    raise UserError(f"row {rows[0]}", "is wrong", "mend it")


def test_few_rows_stay_in_this_process() -> None:
    assert in_halves(_squared, range(9)) == [(row * row, os.getpid()) for row in range(9)]


def test_many_rows_are_shared_out_and_come_back_in_order() -> None:
    found = in_halves(_squared, range(ENOUGH + 1))
    assert [value for value, _ in found] == [row * row for row in range(ENOUGH + 1)]
    assert os.getpid() not in {process for _, process in found}


def test_what_is_wrong_with_a_row_is_said_as_ever() -> None:
    with pytest.raises(UserError, match=r"row 0.*is wrong"):
        in_halves(_refuse, range(ENOUGH))  # both halves are wrong: the first is named
