"""Own tables as a source: column maps, code cells, and the reasons for everything left out."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from codes_tables import book

from thce.errors import UserError
from thce.narratives import sources
from thce.narratives.sources_config import configure
from thce.narratives.sources_files import code_cells

pytestmark = pytest.mark.unit

COLUMNS = {"id": "note_id", "narrative": "text", "icd10": "dx", "cpt": "px"}
ROWS = [
    {"note_id": "a1", "text": "Acute bronchitis, office visit.", "dx": "J20.9", "px": "99213"},
    {"note_id": "a2", "text": "Diabetes and high blood pressure.", "dx": "E119; I10", "px": ""},
]


def read(reject: sources.Reject = sources.ignore, **config: Any) -> list[dict[str, Any]]:
    return list(sources.rows(configure({"name": "own", **config}, "test"), book(), 17, reject))


def rejected(**config: Any) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    said: list[tuple[str, str]] = []
    found = read(lambda place, what, reason: said.append((what, reason)), **config)
    return found, said


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    """The rows in the format of the path's ending."""
    name = path.name
    if ".jsonl" in name:
        text = "".join(json.dumps(row) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    elif ".csv" in name:
        with gzip.open(path, "wt", newline="") if name.endswith(".gz") else path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


@pytest.mark.parametrize("name", ["notes.jsonl", "notes.jsonl.gz", "notes.csv", "notes.csv.gz", "notes.parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    kind = next(kind for kind in ("jsonl", "csv", "parquet") if kind in name)
    first, second = read(source=kind, path=write(tmp_path / name, ROWS), columns=COLUMNS)
    assert first == {
        "id": "own-a1",
        "narrative": "Acute bronchitis, office visit.",
        "codes": [{"code_type": "ICD10", "code": "J20.9"}, {"code_type": "CPT", "code": "99213"}],
        "evidence": [],
        "template": "own/a1",
        "kind": "note",
        "source": "own",
        "group": None,
        "none_reason": None,
        "label": "given",
    }
    assert [item["code"] for item in second["codes"]] == ["E11.9", "I10"]


@pytest.mark.parametrize(
    ("cell", "code_type", "expected"),
    [
        ("J20.9, I10;E11.9|R05.9", "ICD10", ["J20.9", "I10", "E11.9", "R05.9"]),
        ("CPT: 99213 HCPCS:E0130", "", [("CPT", "99213"), ("HCPCS", "E0130")]),
        (["J20.9", "I10"], "ICD10", ["J20.9", "I10"]),
        ([{"code_type": "HCPCS", "code": "E0130"}], "", [("HCPCS", "E0130")]),
        (99213, "CPT", ["99213"]),
        (None, "ICD10", []),
        ("", "ICD10", []),
    ],
)
def test_a_cell_may_hold_codes_in_many_ways(cell: Any, code_type: str, expected: list[Any]) -> None:
    assert code_cells(cell, code_type) == [item if isinstance(item, tuple) else (code_type, item) for item in expected]


@pytest.mark.parametrize(
    ("dx", "reason"),
    [
        ("J20.9 I10X", "code I10X: is not in the table"),
        ("J20.9 T14.8", "code T14.8: is a header, too unspecific to bill"),
        ("J20.9 flu-like", "code flu-like: has not the form of one code"),
        ("J20.9 R41.89", "code R41.89: is outside the scope"),
        ("M79.3Q J20.9", "row: has no valid principal code"),
        ("", "row: has no codes"),
    ],
)
def test_codes_that_cannot_be_billed_are_dropped_with_their_reason(tmp_path: Path, dx: str, reason: str) -> None:
    path = write(tmp_path / "notes.jsonl", [{"text": "Cough.", "dx": dx}])
    found, said = rejected(source="jsonl", path=path, columns={"narrative": "text", "icd10": "dx"})
    assert reason in [f"{what}: {why}" for what, why in said]
    # a row is kept with what is left, but never without the code that came first
    assert [item["code"] for row in found for item in row["codes"]] == (["J20.9"] if dx.startswith("J20.9") else [])


def test_a_code_must_be_in_force_on_the_day_of_service(tmp_path: Path) -> None:
    # M54.5 was billable until 2021-09-30, since then M54.50 and its neighbours are
    path = write(tmp_path / "notes.jsonl", [{"text": "Low back pain.", "dx": "M54.5"}])
    config = {"source": "jsonl", "path": path, "columns": {"narrative": "text", "icd10": "dx"}, "in_scope": False}
    assert rejected(**config)[0] == []
    assert len(rejected(**config, date_of_service="2021-05-01")[0]) == 1


def test_rows_without_text_or_with_a_known_id_are_named(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "text": "Cough.", "dx": "R05.9"},
        {"id": 1, "text": "Cough again.", "dx": "R05.9"},
        {"id": 2, "dx": "R05.9"},
    ]
    columns = {"id": "id", "narrative": "text", "icd10": "dx"}
    found, said = rejected(source="jsonl", path=write(tmp_path / "notes.jsonl", rows), columns=columns, in_scope=False)
    assert [row["id"] for row in found] == ["own-1"]
    assert said == [("row", "has an id that came before"), ("row", "has no text")]


def test_limit_cap_and_length_are_kept_to(tmp_path: Path) -> None:
    rows = [{"text": f"Visit {n} for bronchitis.", "dx": "J20.9"} for n in range(6)]
    rows.append({"text": "word " * 30, "dx": "I10"})
    path = write(tmp_path / "notes.jsonl", rows)
    config = {"source": "jsonl", "path": path, "columns": {"narrative": "text", "icd10": "dx"}}
    assert len(read(**config, limit=3)) == 3
    found, said = rejected(**config, max_per_code=2, max_words=20)
    assert len(found) == 2
    assert ("row", "is longer than max_words: 20") in said
    assert said.count(("row", "is beyond max_per_code: 2 for one principal code")) == 4


def test_a_sample_is_drawn_by_seed_and_not_from_the_top(tmp_path: Path) -> None:
    path = write(tmp_path / "notes.jsonl", [{"text": f"Visit {n}.", "dx": "J20.9"} for n in range(200)])
    config = {"source": "jsonl", "path": path, "columns": {"narrative": "text", "icd10": "dx"}, "sample": 0.2}
    first = [row["id"] for row in read(**config)]
    assert first == [row["id"] for row in read(**config)]
    assert 20 <= len(first) <= 60
    assert first[-1] > "own-00000150"


def test_text_is_cleaned_and_cut_to_sections(tmp_path: Path) -> None:
    text = "History: seen 01/02/2024\nImpression:  acute   bronchitis on 01/02/2024"
    path = write(tmp_path / "notes.jsonl", [{"text": text, "dx": "J20.9"}])
    config = {"source": "jsonl", "path": path, "columns": {"narrative": "text", "icd10": "dx"}}
    assert read(**config, sections=["assessment"])[0]["narrative"] == "acute bronchitis on [DATE]"
    assert read(**config, clean=False)[0]["narrative"] == text
    assert rejected(**config, sections=["plan"])[1] == [("row", "has none of the sections asked for")]


def test_a_csv_with_quoted_line_breaks_and_a_ragged_row(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text('text,dx\n"Cough,\nworse at night",J20.9\nno second column\n"Fever",J20.9\n')
    places: list[str] = []
    config = {"source": "csv", "path": str(path), "columns": {"narrative": "text", "icd10": "dx"}}
    found = read(lambda place, what, reason: places.append(f"{place}: {reason}"), **config)
    assert [row["narrative"] for row in found] == ["Cough,\nworse at night", "Fever"]
    assert places == [f"{path}:4: has not as many columns as the header"]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"text,dx\n\xff\xfe,J20.9\n", "is not utf-8"),
        (b"note,dx\nCough,J20.9\n", "has no column `text`"),
        (b'text,dx\n"Cough"x,J20.9\n', "is not CSV"),
    ],
)
def test_a_csv_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "notes.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=match):
        read(source="csv", path=str(path), columns={"narrative": "text", "icd10": "dx"})


@pytest.mark.parametrize("name", ["absent.jsonl", "absent.csv", "absent.parquet", "absent.csv.gz"])
def test_an_absent_file_is_a_user_error(tmp_path: Path, name: str) -> None:
    kind = name.split(".")[1]
    with pytest.raises(UserError, match="no such file"):
        read(source=kind, path=str(tmp_path / name), columns={"narrative": "text", "icd10": "dx"})


def test_damaged_files_are_user_errors(tmp_path: Path) -> None:
    columns = {"narrative": "text", "icd10": "dx"}
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text,dx\n" + b"Cough,J20.9\n" * 1000)[:60])
    (tmp_path / "b.parquet").write_bytes(b"PAR1 nothing")
    (tmp_path / "c.jsonl").write_text('{"text": "a", "dx": "J20.9"}\n{broken\n')
    for name, match in (("a.csv.gz", "whole gzip"), ("b.parquet", "not a parquet file"), ("c.jsonl", r"c\.jsonl:2")):
        with pytest.raises(UserError, match=match):
            read(source=name.split(".")[1], path=str(tmp_path / name), columns=columns)


def test_narrative_rows_are_a_source_too(tmp_path: Path) -> None:
    row = {
        "id": "train-1",
        "narrative": "Walker, rigid, for home.",
        "codes": [{"code_type": "HCPCS", "code": "E0130"}],
        "evidence": [
            {
                "code_type": "HCPCS",
                "code": "E0130",
                "start": 0,
                "end": 6,
                "text": "Walker",
                "phrase": "walker",
                "kind": "order",
            }
        ],
        "template": "order-1",
        "kind": "order",
        "source": "synthetic",
        "group": None,
        "none_reason": None,
    }
    moved = row | {"id": "train-2", "evidence": [row["evidence"][0] | {"start": 1}]}  # type: ignore[index]
    none = row | {"id": "train-3", "codes": [], "evidence": [], "none_reason": "negated"}
    found, said = rejected(source="rows", path=write(tmp_path / "rows.jsonl", [row, moved, none]))
    assert [len(item["evidence"]) for item in found] == [1, 0, 0]
    assert found[2]["codes"] == [] and found[2]["none_reason"] == "negated"
    assert found[0]["template"] == "order-1"
    assert said == [("evidence", "does not stand at its place")]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"source": "jsonlines"}, "no kind of source; use jsonl"),
        ({"colums": {}}, "unknown key; did you mean `columns`"),
        ({"path": None}, "path: must be text"),
        ({"columns": {"narrative": "t", "icd9": "d"}}, r"columns\.icd9"),
        ({"columns": {"narrative": "t"}}, "no column holds codes"),
        ({"columns": {"icd10": "d"}}, r"columns\.narrative: missing"),
        ({"limit": 0}, "at least 1"),
        ({"limit": True}, "a whole number"),
        ({"sample": 1.5}, "at most 1"),
        ({"side": "dev"}, "use train, val, test"),
        ({"label": "platinum"}, "use gold"),
        ({"date_of_service": "soon"}, "is no day"),
        ({"sections": "assessment"}, "a list of texts"),
    ],
)
def test_a_wrong_configuration_names_its_key(change: dict[str, Any], match: str) -> None:
    config = {"source": "jsonl", "name": "own", "path": "x.jsonl", "columns": {"narrative": "t", "icd10": "d"}}
    with pytest.raises(UserError, match=match):
        configure(config | change, "collect.yaml: sources[0]")
