"""What a note says in the words of a diagnosis that is not in the code set.

The coder knows the codes in scope, some hundreds of 74,719. Of a note about something else it answers the nearest code it has,
and it cannot know by itself that there is a better one. The tables can: their titles and inclusion terms are looked for in
the note as known wordings are. Only those of two words and more: "edema" or "pain" stand in too many notes about something
else.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from thce.coder.lookup import DENIED, Find, LookUp
from thce.coder.prior import Pair
from thce.codes.book import CodeBook
from thce.codes.combinations import leaves_open
from thce.codes.findings import Finding
from thce.errors import UserError
from thce.files import read_json, write_json
from thce.narratives.phrasebook import key

FILE = "outside.json"
LEAST, MOST = 2, 8
"""Words of a wording that is looked for."""

_BRACKETS = re.compile(r"\s*[(\[][^)\]]*[)\]]")
_OPEN = re.compile(r",? unspecified$|^unspecified |,? NOS$", re.IGNORECASE)


def wordings(book: CodeBook, known: Mapping[str, Pair]) -> dict[str, Pair]:
    """Keys of the titles and inclusion terms of every billable ICD-10-CM code out of scope, with and without what stands in
    brackets and a final "unspecified"; `known` wordings left out. Where codes share one, it is the first one's in the table.
    """
    scope = {entry.code for entry in book.scope if entry.code_type == "ICD10"}
    found: dict[str, Pair] = {}
    for code in book.table("ICD10"):
        entry = book.find("ICD10", code)
        if entry is None or not entry.billable or code in scope:
            continue
        for text in (entry.title, *book.terms("ICD10", code)):
            for form in (text, _BRACKETS.sub("", text)):
                for name in (key(form), key(_OPEN.sub("", form))):
                    if LEAST <= name.count(" ") + 1 <= MOST and name not in known:
                        found.setdefault(name, ("ICD10", code))
    return found


def save(found: Mapping[str, Pair], folder: Path | str) -> None:
    """Write `outside.json`: wordings by code."""
    by_code: dict[str, list[str]] = defaultdict(list)
    for name, (_, code) in sorted(found.items()):
        by_code[code].append(name)
    write_json(Path(folder) / FILE, by_code)


def load(folder: Path | str) -> LookUp:
    """What the stage `calibrate` has written; a missing file is a `UserError`."""
    path = Path(folder) / FILE
    if not path.is_file():
        raise UserError(str(folder), "no wordings out of scope here", "run `dvc repro calibrate`")
    return LookUp({name: ("ICD10", code) for code, own in read_json(path).items() for name in own}, {})


def outside(
    text: str,
    lookup: LookUp,
    known: Sequence[Find],
    answered: Sequence[Pair],
    scope: Container[Pair],
    book: CodeBook,
    day: date | None = None,
) -> Iterator[Finding]:
    """A finding for each diagnosis out of `scope`, and in force on `day`, that a text asserts in the tables' own words.

    Not where a `known` wording as long overlaps it, and not for a code that leaves open what an answered one says
    (`codes.combinations.leaves_open`).
    """
    told: set[str] = set()
    for find in lookup.said(text, book):
        entry = book.find(*find.pair)
        if entry is None or find.kind == DENIED or find.code in told or find.pair in scope:
            continue
        if day is not None and not book.valid_on(*find.pair, day):
            continue
        size = find.end - find.start
        if any(one.start < find.end and find.start < one.end and one.end - one.start >= size for one in known):
            continue
        if any(code_type == "ICD10" and leaves_open(book, find.code, code) for code_type, code in answered):
            continue
        told.add(find.code)
        said = f"`{text[find.start : find.end]}` is {find.code} ({entry.short_title}), which is not in the code set"
        yield Finding("outside_code_set", "warning", (find.code,), said, "ICD-10-CM tabular list")
