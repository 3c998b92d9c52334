"""What all importers share: open a file or a member of a zip, decode it, read a sheet, name the release."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import warnings
import zipfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from thce.errors import UserError


class Source(NamedTuple):
    """One file as it was given: where it lies (`a.zip/b.txt` for a member), its own name, its bytes and their
    sha256."""

    place: str
    name: str
    data: bytes
    sha256: str


class Release(NamedTuple):
    """Label and days in force (ISO); `last` is empty where the next release is not scheduled to replace this one."""

    label: str
    first: str
    last: str


class Parsed(NamedTuple):
    """What an importer makes of its files: the compact table, how many rows of which sort, and what must be noted."""

    payload: bytes
    counts: dict[str, int]
    notes: dict[str, str]


def read_source(path: Path | str, members: Sequence[str]) -> Source:
    """The file itself, or the one member of a zip whose name matches the first of `members` (regular expressions)
    that fits.

    Raises `UserError` when the file is missing or empty, the zip is damaged, or no member or more than one fits.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(str(path), f"cannot be read ({error.strerror})", "check the path") from None
    place, name = path.as_posix(), path.name
    if data[:4] == b"PK\x03\x04" and path.suffix.lower() != ".xlsx":
        member, data = _member(path, data, members)
        place, name = f"{place}/{member}", member
    if not data.strip():
        raise UserError(place, "is empty", "download the official file again")
    return Source(place, name.rsplit("/", 1)[-1], data, hashlib.sha256(data).hexdigest())


def _member(path: Path, data: bytes, patterns: Sequence[str]) -> tuple[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            for pattern in patterns:
                found = [name for name in names if re.search(pattern, name.rsplit("/", 1)[-1], re.IGNORECASE)]
                if len(found) > 1:
                    raise UserError(
                        str(path), f"holds {len(found)} such files ({', '.join(found[:4])})", "unpack the right one"
                    )
                if found:
                    return found[0], archive.read(found[0])
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(str(path), f"is not a sound zip file ({error})", "download it again") from None
    raise UserError(str(path), f"holds no file of this kind (it has {', '.join(names[:5]) or 'nothing'})", "check the option")


def decode(source: Source) -> str:
    """The text: by its byte order mark, else UTF-8 where it is that (ASCII is), else cp1252, the encoding of CMS
    files."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if source.data.startswith(mark):
            return _decoded(source, encoding)
    try:
        return source.data.decode("utf-8")
    except UnicodeDecodeError:
        return _decoded(source, "cp1252")


def _decoded(source: Source, encoding: str) -> str:
    try:
        return source.data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(source.place, f"is not {encoding} text (byte {error.start})", "use the file as published") from None


def is_sheet(source: Source) -> bool:
    """True for an Excel workbook (.xlsx)."""
    return source.data[:4] == b"PK\x03\x04"


def sheet_rows(source: Source) -> list[list[str]]:
    """All rows of the first sheet of a workbook, or of a CSV file, as text; dates as ISO days, empty cells as
    ``""``. Raises `UserError` for a file that is no workbook."""
    if not is_sheet(source):
        return list(csv.reader(io.StringIO(decode(source), newline="")))
    import openpyxl  # slow to import, and only needed for workbooks

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of page headers it cannot read
            book = openpyxl.load_workbook(io.BytesIO(source.data), read_only=True, data_only=True)
            rows = [[_cell(value) for value in row] for row in book.worksheets[0].iter_rows(values_only=True)]
            book.close()
    except Exception as error:  # openpyxl lets errors of zip and XML through, whatever they are
        raise UserError(source.place, f"cannot be read as a workbook ({error})", "download it again") from None
    return rows


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, date):  # a datetime is a date
        return value.isoformat()[:10]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """A tab-separated table with a header line; blanks, TABs and line breaks inside a cell become one blank."""
    lines = ["\t".join(columns)]
    lines += ["\t".join(" ".join(cell.split()) for cell in row) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def counted(place: str, what: str, count: int, low: int, high: int) -> None:
    """Refuse a file that holds too little or too much to be the whole official one."""
    if not low <= count <= high:
        raise UserError(
            place,
            f"has {count:,} {what}, not {low:,} to {high:,}",
            "it is cut short or not the official file; nothing was changed",
        )


def fiscal_release(names: Sequence[str]) -> Release | None:
    """The ICD-10-CM release that file names tell: `icd10cm-order-2026.txt` is FY2026, in force 2025-10-01 to
    2026-09-30.

    A name with `April` is the update in force from 1 April of that fiscal year. None when no name holds a year.
    """
    for name in names:
        match = re.search(r"(?<!\d)(20[12]\d)(?!\d)|FY[-_ ]?(\d\d)(?!\d)", name, re.IGNORECASE)
        if match:
            year = int(match[1] or f"20{match[2]}")
            april = any(re.search("apr", other, re.IGNORECASE) for other in names)
            first = f"{year}-04-01" if april else f"{year - 1}-10-01"
            return Release(f"FY{year}" + (" April" if april else ""), first, f"{year}-09-30")
    return None


_QUARTERS = {"JAN": "01", "APR": "04", "JUL": "07", "OCT": "10"}


def quarter_release(names: Sequence[str]) -> Release | None:
    """The quarterly release that file names tell: `HCPC2026_OCT_ANWEB.txt` is 2026-10; a year alone is its January
    release."""
    for name in names:
        match = re.search(r"(?:HCPC|PPRRVU|RVU)[-_ ]?(20\d\d|\d\d)(?!\d)", name, re.IGNORECASE)
        if match:
            year = match[1] if len(match[1]) == 4 else f"20{match[1]}"
            quarter = re.search(r"(?<![A-Z])(JAN|APR|JUL|OCT)", name.upper())
            month = _QUARTERS[quarter[1]] if quarter else "01"
            return Release(f"{year}-{month}", f"{year}-{month}-01", "")
    return None


def named_release(label: str | None, first: str | None, found: Release | None, place: str) -> Release:
    """The release the user names, else the one found in the file's name.

    `label` may stand alone where it tells the days itself (`FY2027`), and `first` (ISO day) may correct them.
    Raises `UserError` where neither tells it.
    """
    if first is not None:
        try:
            date.fromisoformat(first)
        except ValueError:
            raise UserError(f"`{first}`", "is not a day", "write it as 2026-10-01") from None
    release = found
    if label is not None:
        fiscal = fiscal_release([label]) if label.upper().startswith("FY") else None
        release = fiscal or Release(label, found.first if found else "", found.last if found else "")
    if release is None:
        raise UserError(place, "its name does not tell the release", "add --release, such as `--release FY2027`")
    if first is not None:
        release = release._replace(first=first, last=release.last if release.last > first else "")
    if not release.first:
        raise UserError(place, "the first day of this release is not known", "add --effective-from, such as 2026-10-01")
    return release


def day_before(day: str) -> str:
    """The ISO day before an ISO day."""
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()
