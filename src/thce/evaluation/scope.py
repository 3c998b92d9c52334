"""Gold codes of a user's own notes: spelled as in the tables, and counted or restricted to what the system can answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from thce.answers import CODE_TYPES, Code
from thce.codes.book import CodeBook
from thce.codes.spelling import normalise
from thce.errors import UserError
from thce.evaluation.data import Item


class Scope(NamedTuple):
    """What the gold of some rows asks for.

    `codes` gold codes stand on `rows` rows; `in_scope` of them can be answered; `not_in_tables` are in no code table here
    (retired, a procedure code of ICD-10-PCS, CPT beyond the demo set). `dropped` rows were left out because none of
    their codes is in scope.
    """

    rows: int
    codes: int
    in_scope: int
    not_in_tables: int
    dropped: int

    def as_dict(self, only: bool) -> dict[str, Any]:
        """For a result file."""
        return self._asdict() | {"only": only}

    def sentence(self, only: bool) -> str:
        """The same in words."""
        rest = self.codes - self.in_scope
        tables = f" ({self.not_in_tables} in no code table here)" if self.not_in_tables else ""
        what = f"were left out, with {self.dropped} of {self.rows} rows" if only else "count as misses"
        return f"{self.in_scope} of {self.codes} gold codes are in scope; the other {rest}{tables} {what}"


def spelled(items: Sequence[Item], book: CodeBook) -> list[Item]:
    """The items with every gold code as its table spells it (`e119` becomes `E11.9`), none twice.

    Raises `UserError` for a code type that is none of ours: its codes would count as misses without a word.
    """
    return [replace(item, gold=tuple(dict.fromkeys(_spelled(code, item, book) for code in item.gold))) for item in items]


def _spelled(code: Code, item: Item, book: CodeBook) -> Code:
    if code.code_type not in CODE_TYPES:
        problem = f"has the code type `{code.code_type}`"
        raise UserError(f"{item.test_set}: row {item.id}", problem, f"use one of {', '.join(CODE_TYPES)}")
    if book.find(code.code_type, code.code) is not None:
        return code
    return Code(code.code_type, normalise(code.code, code.code_type).code or code.code)


def restricted(items: Sequence[Item], book: CodeBook, only: bool) -> tuple[list[Item], Scope]:
    """The items, and what their gold asks for.

    With `only` the gold is cut to codes in scope, and a row that loses all of them is left out (it is no text without a
    code). Without, codes out of scope stay in the gold, where no answer can meet them.
    """
    scope = {Code(entry.code_type, entry.code) for entry in book.scope}
    gold = [code for item in items for code in item.gold]
    kept = [replace(item, gold=tuple(code for code in item.gold if code in scope)) for item in items]
    kept = [after for before, after in zip(items, kept, strict=True) if after.gold or not before.gold]
    found = Scope(
        rows=len(items),
        codes=len(gold),
        in_scope=sum(code in scope for code in gold),
        not_in_tables=sum(book.find(code.code_type, code.code) is None for code in gold),
        dropped=len(items) - len(kept) if only else 0,
    )
    return (kept if only else list(items)), found
