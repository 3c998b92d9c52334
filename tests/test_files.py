"""Files are whole or absent, the same bytes every time, and faults are named by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from thce import files
from thce.errors import UserError

pytestmark = pytest.mark.unit


def test_json_is_sorted_rounded_and_ends_in_a_newline(tmp_path: Path) -> None:
    path = tmp_path / "a" / "x.json"
    files.write_json(path, {"b": 1 / 3, "a": [1.0000001, {"é": True}]})
    assert (
        path.read_text(encoding="utf-8") == '{\n  "a": [\n    1.0,\n    {\n      "é": true\n    }\n  ],\n  "b": 0.333333\n}\n'
    )


def test_rows_come_back_as_written(tmp_path: Path) -> None:
    rows = [{"z": 1, "a": "µ\u2028"}, {"z": None}]
    assert files.write_jsonl(tmp_path / "x.jsonl", rows) == 2
    assert list(files.read_jsonl(tmp_path / "x.jsonl")) == rows


def test_a_failing_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    files.write_jsonl(path, [{"a": 1}])

    def broken():  # type: ignore[no-untyped-def]
        yield {"a": 2}
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        files.write_jsonl(path, broken())
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": 1}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'{"a": 1}\n{"a": \n', r"x\.jsonl:2: not valid JSON"),
        (b"[1, 2]\n", r"x\.jsonl:1: is a list, not an object"),
        (b'{"a": "\xff"}\n', r"x\.jsonl:1: is not UTF-8"),
        (b"[" * 100_000 + b"\n", r"x\.jsonl:1: not valid JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=fault):
        list(files.read_jsonl(path))


def test_a_byte_order_mark_and_blank_lines_are_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\n\n')
    assert list(files.read_jsonl(path)) == [{"a": 1}]


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    for reader in (files.read_text, files.read_json, lambda path: list(files.read_jsonl(path))):
        with pytest.raises(UserError, match="no such file"):
            reader(tmp_path / "none")
        with pytest.raises(UserError, match=r"folder|cannot be read"):
            reader(tmp_path)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be written"):
        files.write_text(tmp_path / "file" / "x", "y")
