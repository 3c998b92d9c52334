"""Files of narratives in, one JSON object per narrative out: streamed, in order, resumed where a run was cut off."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import IO, Any

from thce.answers import CODE_TYPES
from thce.errors import UserError

FORMATS = (".jsonl", ".csv", ".parquet", ".txt")
STDIN = "-"


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the input. `place` is `file:line` (or row); `fault` says why it cannot be coded, empty when it can."""

    id: str
    place: str
    narrative: str = ""
    code_type: str | None = None
    day: date | None = None
    fault: str = ""


def read_jobs(source: str, code_type: str | None = None, day: date | None = None) -> Iterator[Job]:
    """The rows of a .jsonl, .csv, .parquet or .txt file (one narrative per line), or of standard input (`-`).

    Fields: `narrative`; optional `id` (else the row's number), `code_type` and `date`, which go before the defaults
    given here. A row that cannot be read becomes a job with a fault. Raises `UserError` when the file itself cannot be
    read.
    """
    for number, raw in _rows(source):
        place = f"{'standard input' if source == STDIN else source}:{number}"
        yield _job(raw, number, place, code_type, day)


def _job(raw: dict[str, Any] | str, number: int, place: str, code_type: str | None, day: date | None) -> Job:
    name = str(number)
    if isinstance(raw, str):
        return Job(name, place, fault=raw)
    given = {key: value for key, value in raw.items() if value is not None and value == value and value != ""}
    name = str(given.get("id", name))
    narrative = given.get("narrative")
    if not isinstance(narrative, str) or not narrative.strip():
        return Job(name, place, fault="no field `narrative` with text")
    kind = given.get("code_type", code_type)
    if kind is not None and kind not in CODE_TYPES:
        return Job(name, place, fault=f"code_type `{kind}` is not one of {', '.join(CODE_TYPES)}")
    if "date" in given:
        try:
            day = parse_day(str(given["date"]))
        except UserError as error:
            return Job(name, place, fault=error.problem)
    return Job(name, place, narrative, kind, day)


def parse_day(text: str) -> date:
    """A day of service, `YYYY-MM-DD`; anything else is a `UserError`."""
    try:
        return date.fromisoformat(text[:10] if text[10:] in ("", " 00:00:00", "T00:00:00") else text)
    except ValueError:
        raise UserError("date", f"`{text}` is not a day", "write it as 2025-11-03") from None


def _rows(source: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """(line or row number, fields) or (number, what is wrong with the line)."""
    if source == STDIN:
        yield from _lines(sys.stdin.buffer)
        return
    path = Path(source)
    if path.suffix not in FORMATS:
        raise UserError(source, "unknown kind of file", f"use {', '.join(FORMATS)}, or `-` for standard input")
    try:
        if path.suffix == ".parquet":
            yield from _parquet(path)
        elif path.suffix == ".csv":
            yield from _csv(path)
        else:
            with path.open("rb") as stream:
                yield from _lines(stream, path.suffix == ".jsonl")
    except FileNotFoundError:
        raise UserError(source, "no such file", "check the path") from None
    except OSError as error:
        raise UserError(source, f"cannot be read ({error.strerror or error})") from None


def _lines(stream: IO[bytes], objects: bool | None = None) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Lines as objects or as narratives; `None`: whatever the first line looks like. Blank lines are passed over."""
    for number, raw in enumerate(stream, 1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            yield number, "is not UTF-8"
            continue
        if not line:
            continue
        if objects is None:
            objects = line.startswith("{")
        if not objects:
            yield number, {"narrative": line}
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield number, "is not valid JSON"
            continue
        if "\\u" in line and not encodable(row):
            yield number, "escapes half of a surrogate pair, which is no character"
            continue
        yield number, row if isinstance(row, dict) else "is not an object"


def encodable(value: object) -> bool:
    """Whether all text in a value of JSON can be written as UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    csv.field_size_limit(2**31 - 1)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        try:
            if "narrative" not in (reader.fieldnames or ()):
                raise UserError(f"{path}:1", "no column `narrative`", "name the columns in the first line")
            for row in reader:
                yield reader.line_num, {key: value for key, value in row.items() if isinstance(key, str)}
        except UnicodeDecodeError as error:
            raise UserError(str(path), f"is not UTF-8 (byte {error.start})", "save it as UTF-8") from None
        except csv.Error as error:
            raise UserError(f"{path}:{reader.line_num}", f"not valid CSV ({error})") from None


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            names = [name for name in ("id", "narrative", "code_type", "date") if name in file.schema_arrow.names]
            if "narrative" not in names:
                raise UserError(str(path), "no column `narrative`")
            number = 0
            for batch in file.iter_batches(batch_size=1024, columns=names):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except pyarrow.ArrowException as error:
        raise UserError(str(path), f"not a parquet file ({str(error).splitlines()[0]})") from None


class Output:
    """The growing output: `<name>.part`, renamed when it is whole; standard output when there is no path.

    Each line is one result and lines are in the order of the input, so a cut-off run goes on after its last whole line.
    """

    def __init__(self, path: str | None, resume: bool) -> None:
        self.path = Path(path) if path else None
        self.done: list[str] = []
        """Ids of the results that are there already."""
        self.complete = False
        if self.path is None:
            self.stream: IO[bytes] = sys.stdout.buffer
            return
        part = self.path.with_name(self.path.name + ".part")
        if resume and not part.exists() and self.path.exists():
            self.complete = True
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.stream = part.open("r+b" if resume and part.exists() else "w+b")
        except OSError as error:
            raise UserError(
                str(self.path), f"cannot be written ({error.strerror})", "check the folder and its permissions"
            ) from None
        end = 0
        for line in self.stream:
            if not line.endswith(b"\n"):
                break
            try:
                self.done.append(str(json.loads(line)["id"]))
            except (ValueError, KeyError, TypeError):
                break
            end += len(line)
        self.stream.seek(end)
        self.stream.truncate()

    def write(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append results and make sure they are on the disk."""
        self.stream.write("".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows).encode())
        self.stream.flush()
        if self.path is not None:
            os.fsync(self.stream.fileno())

    def close(self) -> None:
        """The run is over: the file gets its name."""
        if self.path is not None and not self.complete:
            self.stream.close()
            os.replace(self.path.with_name(self.path.name + ".part"), self.path)


def skip_done(jobs: Iterator[Job], done: list[str], path: str) -> Iterator[Job]:
    """The jobs that are left, after those whose results are there; the ids must be the same in the same order.

    Raises `UserError` where they are not.
    """
    for job, name in zip(islice(jobs, len(done)), done, strict=True):
        if job.id != name:
            raise UserError(
                path,
                f"holds the result of `{name}` where the input has `{job.id}`",
                "resume with the same input, or remove the file",
            )
    return jobs
