"""Sources that are files: tables of your own (JSONL, CSV, parquet), narrative rows, and generated records."""

from __future__ import annotations

import csv
import gzip
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from thce.answers import CODE_TYPES
from thce.errors import UserError
from thce.files import read_jsonl
from thce.narratives.sources import Pair, Record, Reject, need
from thce.narratives.sources_config import Table

_SPLIT = re.compile(r"[;,|\s]+")
_NAMED = re.compile(r"(ICD10|CPT|HCPCS)[:\s]+(\S+)")
_CELL = re.compile(r"(?:(?:ICD10|CPT|HCPCS):\s*)?[^;,|\s]+")
_OWN = {"icd10": "ICD10", "cpt": "CPT", "hcpcs": "HCPCS"}


def table(config: Table, reject: Reject) -> Iterator[Record]:
    """The records of a JSONL, CSV or parquet file; the format is told by the name's ending, any other
    is an error (`UserError`)."""
    name = config.path.removesuffix(".gz")
    if name.endswith((".jsonl", ".ndjson")):
        lines = json_lines(config.path, config.encoding)
    elif name.endswith((".csv", ".tsv")):
        lines = csv_lines(config.path, config.encoding, "\t" if name.endswith(".tsv") else config.delimiter, reject)
    elif name.endswith(".parquet"):
        lines = parquet_lines(config.path, list(config.columns.values()))
    else:
        raise UserError(config.path, "is neither .jsonl, .csv, .tsv nor .parquet", "rename it, or export it in one of these")
    checked = False
    for number, (place, row) in enumerate(lines, 1):
        if not checked:
            # JSON rows may leave a key out; every other format has the same columns in every row
            mapped = config.columns if not name.endswith(("jsonl", "ndjson")) else {"narrative": config.columns["narrative"]}
            need(mapped, row, config.path)
            checked = True
        yield from mapped_record(row, config.columns, config.label, place, number, reject)


def mapped_record(
    row: Mapping[str, Any], columns: Mapping[str, str], label: str, place: str, number: int, reject: Reject
) -> Iterator[Record]:
    """The record of one row under a column map, or none when its text is not text."""
    narrative = row.get(columns["narrative"])
    if not isinstance(narrative, str):
        reject(place, "row", "has no text")
        return
    found: list[Pair] = []
    for key in ("codes", *_OWN):
        if key in columns:
            found += code_cells(row.get(columns[key]), _OWN.get(key, ""))

    def cell(key: str, default: str) -> str:
        value = row.get(columns[key]) if key in columns else None
        return default if value is None or value == "" else str(value)

    yield Record(
        id=cell("id", f"{number:08d}"),
        narrative=narrative,
        codes=tuple(found),
        place=place,
        family=cell("family", ""),
        kind=cell("kind", "note"),
        label=label,
    )


def code_cells(cell: Any, code_type: str) -> list[Pair]:
    """The codes of one cell in order: a list, or a text with blanks, commas, semicolons or bars between them.

    An item may name its code set (`CPT: 99213`, or an object with `code_type` and `code`); the column's own set applies
    to the others.
    """
    if cell is None:
        return []
    if isinstance(cell, str):
        items: list[Any] = _CELL.findall(cell)
    elif isinstance(cell, Mapping):
        items = [cell]
    elif hasattr(cell, "__iter__"):
        items = list(cell)
    else:
        items = [str(cell)]
    found: list[Pair] = []
    for item in items:
        if isinstance(item, Mapping):
            named, text = str(item.get("code_type") or code_type), str(item.get("code", ""))
        else:
            match = _NAMED.fullmatch(str(item).strip())
            named, text = (match[1], match[2]) if match else (code_type, str(item).strip())
        found.append((named if named in CODE_TYPES else "", text))
    return found


def narrative_rows(path: str) -> Iterator[Record]:
    """A file in the narrative row shape, as the stage `narratives` or a collection writes it. Raises `UserError`
    for a row of another shape."""
    for number, row in enumerate(read_jsonl(path), 1):
        place = f"{path}:{number}"
        try:
            yield Record(
                id=str(row["id"]),
                narrative=row["narrative"],
                codes=tuple((item["code_type"], item["code"]) for item in row["codes"]),
                place=place,
                evidence=tuple(row.get("evidence") or ()),
                template=str(row.get("template") or ""),
                kind=str(row.get("kind") or "note"),
                label=str(row.get("label") or "given"),
                group=row.get("group"),
                none_reason=row.get("none_reason"),
            )
        except (KeyError, TypeError) as error:
            raise UserError(place, f"is not a narrative row ({error})", "check it with `thce data check`") from None


def generated(path: str) -> Iterator[Record]:
    """The records of `thce data generate`: messages or preference prompts with codes and evidence in `_metadata`.
    Raises `UserError` where the file is missing or a line is none of them."""
    mend = "make it with `thce data generate --stage 1 --count 100 --model NAME --base-url URL --output FILE`"
    if not Path(path).is_file():
        raise UserError(path, "no such file", mend)
    for number, row in enumerate(read_jsonl(path), 1):
        place = f"{path}:{number}"
        try:
            about = row["_metadata"]
            turns = row["messages"] if "messages" in row else row["prompt"]
            yield Record(
                id=str(about["id"]),
                narrative=next(turn["content"] for turn in turns if turn["role"] == "user"),
                codes=tuple((item["code_type"], item["code"]) for item in about["codes"]),
                place=place,
                evidence=tuple(about["evidence"]),
                kind=str(about["kind"]),
                label="generated",
            )
        except (KeyError, TypeError, StopIteration) as error:
            raise UserError(place, f"is not a generated record ({error!r})", mend) from None


@contextmanager
def opened(path: str, encoding: str, mend: str = "check the path") -> Iterator[IO[str]]:
    """A text file, unpacked when its name ends in `.gz`; what cannot be read is a `UserError`."""
    try:
        open_it: Any = gzip.open if path.endswith(".gz") else open
        with open_it(path, "rt", encoding=encoding, newline="") as stream:
            yield stream
    except FileNotFoundError:
        raise UserError(path, "no such file", mend) from None
    except UnicodeDecodeError as error:
        raise UserError(
            path, f"is not {encoding} (byte {error.start} of a block)", "name its `encoding`, e.g. cp1252"
        ) from None
    except LookupError:
        raise UserError(path, f"`{encoding}` is no encoding", "use utf-8, latin-1 or cp1252") from None
    except (EOFError, gzip.BadGzipFile) as error:
        raise UserError(path, f"is not a whole gzip file ({error})", "fetch it again") from None
    except OSError as error:
        raise UserError(path, f"cannot be read ({error.strerror})", mend) from None


def json_lines(path: str, encoding: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) for every line that is not blank; one that is no JSON object is an error (`UserError`)."""
    with opened(path, encoding) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (json.JSONDecodeError, RecursionError):
                raise UserError(f"{path}:{number}", "not valid JSON", "one object per line") from None
            if not isinstance(row, dict):
                raise UserError(f"{path}:{number}", f"is a {type(row).__name__}, not an object", "one object per line")
            yield f"{path}:{number}", row


def csv_lines(
    path: str, encoding: str, delimiter: str, reject: Reject, mend: str = "check the path"
) -> Iterator[tuple[str, dict[str, str]]]:
    """(place, row) of a CSV file with a header; the line named is the row's last one. A row with other columns is
    rejected; what is not CSV is an error (`UserError`)."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the default of 128 KiB cuts off long discharge summaries
    with opened(path, "utf-8-sig" if encoding == "utf-8" else encoding, mend) as stream:
        reader = csv.DictReader(stream, delimiter=delimiter, strict=True)
        try:
            for row in reader:
                place = f"{path}:{reader.line_num}"
                if None in row or None in row.values():
                    reject(place, "row", "has not as many columns as the header")
                    continue
                yield place, row
        except csv.Error as error:
            raise UserError(f"{path}:{reader.line_num}", f"is not CSV ({error})", "check quotes and `delimiter`") from None


def parquet_lines(path: str, columns: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of a parquet file, read in batches; only the columns named. Raises `UserError` where it is missing
    or none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError:
        raise UserError(path, "no such file", "check the path") from None
    except (pa.ArrowException, OSError) as error:
        raise UserError(path, f"is not a parquet file ({error})", "check the file") from None
    with file:
        present = file.schema_arrow.names
        need({column: column for column in columns}, present, path)
        number = 0
        for batch in file.iter_batches(batch_size=1000, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}:{number}", row
