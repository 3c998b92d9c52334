"""The notes of `data/clinic`: labelled with codes in scope, and no patient's."""

from __future__ import annotations

from pathlib import Path

import pytest
from codes_tables import book

from thce.files import read_jsonl
from thce.narratives.preprocess_identifiers import find

pytestmark = pytest.mark.unit

NOTES = Path(__file__).resolve().parent.parent / "data" / "clinic" / "notes.jsonl"


def test_every_label_is_a_code_in_scope_once_a_note() -> None:
    scope = {(entry.code_type, entry.code) for entry in book().scope}
    rows = list(read_jsonl(NOTES))
    assert [row["id"] for row in rows] == [f"note-{number:03d}" for number in range(1, 161)]
    for row in rows:
        codes = [(code["code_type"], code["code"]) for code in row["codes"]]
        assert set(codes) <= scope and len(set(codes)) == len(codes), row["id"]
    assert len({row["narrative"] for row in rows}) == 160
    assert 5 < sum(not row["codes"] for row in rows) < 48 < sum(len(row["codes"]) > 1 for row in rows)


def test_no_identifier_stands_in_them() -> None:
    assert not [(row["id"], found) for row in read_jsonl(NOTES) if (found := find(row["narrative"]))]
