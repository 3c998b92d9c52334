"""Deterministic, atomic readers and writers.

Everything the pipeline writes is sorted where order has no meaning, rounded, UTF-8, ends in a newline, and appears under
its name only when it is complete: a killed run leaves a `*.part` file, never half a result.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thce.errors import UserError

DIGITS = 6
"""Decimal places kept in every number written to a JSON file."""


@contextmanager
def weights(path: Path | str) -> Iterator[None]:
    """Around the reading of safetensors: a file that is cut or damaged is a `UserError`."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise UserError(str(path), f"is damaged ({error})", "run `dvc checkout`, or `dvc repro`") from None


def rounded(value: Any, digits: int = DIGITS) -> Any:
    """The same structure with every float rounded, so that the last bits of a sum do not reach a tracked file."""
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    return value


def write_text(path: Path | str, text: str) -> None:
    """Write the whole file or nothing: into `<name>.part` beside it, then rename. Raises `UserError` where that fails."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        with part.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        os.replace(part, path)
    except OSError as error:
        raise UserError(str(path), f"cannot be written ({error.strerror})", "check the folder and its permissions") from error


def write_json(path: Path | str, value: Any) -> None:
    """Sorted keys, two spaces, rounded floats, final newline."""
    text = json.dumps(rounded(value), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_jsonl(path: Path | str, rows: Iterable[dict[str, Any]]) -> int:
    """One compact JSON object per line, in the order given (keys keep their order); returns the number of rows.
    Raises `UserError` where the place cannot be written."""
    path = Path(path)
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        with part.open("w", encoding="utf-8", newline="\n") as stream:
            for row in rows:
                stream.write(json.dumps(rounded(row), ensure_ascii=False, allow_nan=False) + "\n")
                count += 1
        os.replace(part, path)
    except OSError as error:
        raise UserError(str(path), f"cannot be written ({error.strerror})", "check the folder and its permissions") from error
    return count


def read_text(path: Path | str) -> str:
    """The file as UTF-8 text; a missing or wrongly encoded file is a `UserError`."""
    path = Path(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(str(path), "no such file", "check the path, or run `dvc repro` to make it") from None
    except IsADirectoryError:
        raise UserError(str(path), "is a folder, not a file") from None
    except PermissionError:
        raise UserError(str(path), "may not be read", "check its permissions") from None
    except UnicodeDecodeError as error:
        raise UserError(str(path), f"is not UTF-8 (byte {error.start})", "save it as UTF-8") from None


def read_json(path: Path | str) -> Any:
    """One JSON value; a fault is reported with its line and column."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}:{error.colno}", f"not valid JSON ({error.msg})") from None


def read_jsonl(path: Path | str) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file, one at a time; blank lines are passed over, a bad line is a
    `UserError` that names `file:line`, as is a file that is missing or cannot be read."""
    path = Path(path)
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise UserError(str(path), "no such file", "check the path, or run `dvc repro` to make it") from None
    except (IsADirectoryError, PermissionError) as error:
        raise UserError(str(path), f"cannot be read ({error.strerror})") from None
    with stream:
        for number, raw in enumerate(stream, 1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                raise UserError(f"{path}:{number}", "is not UTF-8", "save the file as UTF-8") from None
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                detail = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
                raise UserError(f"{path}:{number}", f"not valid JSON ({detail})", "one object per line") from None
            if not isinstance(row, dict):
                raise UserError(f"{path}:{number}", f"is a {type(row).__name__}, not an object", "one object per line")
            yield row
