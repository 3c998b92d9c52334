"""Two tasks of the literature, made from the code tables: an official title in, its code out; and titles written otherwise.

`description-to-code`: the title as it stands (Soroush et al., NEJM AI 2024). `title-variants`: the same titles in other
letters, in another order, abbreviated, or with a typing error, each a test set of its own (after Hou et al., npj Health
Systems 2025, who train and test on such variations).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from thce.answers import Code
from thce.codes.book import CodeBook, Entry
from thce.evaluation.data import Item
from thce.seeds import derive

DESCRIPTION, VARIANTS = "description-to-code", "title-variants"
TASKS = (DESCRIPTION, VARIANTS)

_SHORT = {
    "with": "w/",
    "without": "w/o",
    "and": "&",
    "unspecified": "unsp",
    "not otherwise specified": "NOS",
    "not elsewhere classified": "NEC",
    "right": "rt",
    "left": "lt",
    "bilateral": "bilat",
    "initial encounter": "init enc",
    "subsequent encounter": "subs enc",
    "encounter": "enc",
    "fracture": "fx",
    "history": "hx",
    "examination": "exam",
    "screening": "scr",
    "disease": "dis",
    "disorder": "d/o",
    "infection": "inf",
    "injection": "inj",
    "abdominal": "abd",
    "chronic": "chr",
    "hypertension": "HTN",
    "diabetes mellitus": "DM",
    "type 2 diabetes mellitus": "T2DM",
    "type 1 diabetes mellitus": "T1DM",
    "chronic kidney disease": "CKD",
    "chronic obstructive pulmonary disease": "COPD",
    "gastro-esophageal reflux disease": "GERD",
    "myocardial infarction": "MI",
    "heart failure": "HF",
    "atrial fibrillation": "AF",
    "urinary tract infection": "UTI",
    "upper respiratory infection": "URI",
    "deep vein thrombosis": "DVT",
    "magnetic resonance imaging": "MRI",
    "computed tomography": "CT",
}
_LONG = re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(map(re.escape, _SHORT), key=len, reverse=True))})(?![\w-])", re.I)
_WORD = re.compile(r"[A-Za-z]{5,}")


def rows(task: str, book: CodeBook, seed: int, count: int = 0) -> list[Item]:
    """The rows of a task over the codes in scope, or over `count` of each code system, drawn by `seed`.

    A title that two codes in scope share is no question with one right answer, and is left out. A variant that leaves
    the title as it is is left out too, so the four sets of `title-variants` differ in size.
    """
    entries = _entries(book, seed, count)
    if task == DESCRIPTION:
        return [_item(entry, "description_to_code", entry.title) for entry in entries]
    return [
        _item(entry, name, text)
        for name, change in CHANGES.items()
        for entry in entries
        if (text := change(entry.title, derive(seed, name, entry.code_type, entry.code))) != entry.title
    ]


def _entries(book: CodeBook, seed: int, count: int) -> list[Entry]:
    shared = Counter(entry.title.casefold() for entry in book.scope)
    single = [entry for entry in book.scope if shared[entry.title.casefold()] == 1]
    if not count:
        return single
    drawn = sorted(single, key=lambda entry: derive(seed, "task", entry.code_type, entry.code))
    taken: Counter[str] = Counter()
    kept: set[Code] = set()
    for entry in drawn:
        if taken[entry.code_type] < count:
            taken[entry.code_type] += 1
            kept.add(Code(entry.code_type, entry.code))
    return [entry for entry in single if Code(entry.code_type, entry.code) in kept]


def _item(entry: Entry, name: str, text: str) -> Item:
    code = Code(entry.code_type, entry.code)
    return Item(
        id=f"{name}-{entry.code_type}-{entry.code}",
        test_set=name,
        narrative=text,
        gold=(code,),
        phrases=(),
        spans=(),
        kind="title",
        group=None,
        none_reason=None,
        template="",
        tier=None,
        source="official title",
    )


def letters(title: str, draw: int) -> str:
    """All capitals or all small letters."""
    return title.upper() if draw % 2 else title.lower()


def order(title: str, draw: int = 0) -> str:
    """The parts between commas from last to first; without a comma the last word first, as an index lists it."""
    parts = [part.strip() for part in title.split(",")]
    if len(parts) == 1:
        rest, _, last = title.rpartition(" ")
        parts = [rest, last] if rest else [last]
    return ", ".join(reversed(parts))


def abbreviations(title: str, draw: int = 0) -> str:
    """Every phrase of the list in its short form, the longest first."""
    return _LONG.sub(lambda match: _SHORT[match[0].lower()], title)


def typo(title: str, draw: int) -> str:
    """One slip in one word of five letters or more, never in its first letter: two letters swapped, one left out, or one
    doubled. A title without such a word stays as it is.
    """
    words = list(_WORD.finditer(title))
    if not words:
        return title
    word = words[draw % len(words)]
    place = word.start() + 1 + draw // 97 % (len(word[0]) - 2)
    a, b = title[place], title[place + 1]
    slips = [b, a + a + b, *([b + a] if a != b else [])]
    return title[:place] + slips[draw // 9973 % len(slips)] + title[place + 2 :]


CHANGES: dict[str, Callable[[str, int], str]] = {
    "title_letters": letters,
    "title_order": order,
    "title_abbreviations": abbreviations,
    "title_typo": typo,
}
"""Test set -> how it writes a title; the number decides where there is a choice."""


def as_row(item: Item) -> dict[str, object]:
    """An item as a line of a test file."""
    codes = [{"code_type": code.code_type, "code": code.code} for code in item.gold]
    return {"id": item.id, "narrative": item.narrative, "codes": codes, "kind": item.kind, "source": item.source}
