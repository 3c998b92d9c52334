"""Where a code stands: the chain from the chapter down, with every note that applies on the way."""

from __future__ import annotations

from typing import Any

from thce.codes.book import CodeBook
from thce.errors import UserError

NOTE_LABELS = {
    "includes": "Includes",
    "terms": "Also called",
    "excludes1": "Excludes1",
    "excludes2": "Excludes2",
    "code_first": "Code first",
    "use_additional": "Use additional",
    "code_also": "Code also",
    "note": "Note",
    "seven_chr_note": "Note",
}
"""Kind of note -> how the tree names it, in the order in which they are shown."""


def explain(book: CodeBook, code_type: str, code: str) -> dict[str, Any]:
    """All the tables say of one item, as plain values.

    `path` runs from the chapter or section down to the item, each with the notes that stand there (kind -> texts);
    `seven_chr_def` is the definition in force (Guidelines I.A.5); `children` are the items directly below.
    Raises `UserError` for a code that is not in the table.
    """
    entry = book.find(code_type, code)
    if entry is None:
        raise UserError(f"{code_type} {code}", "is not in the table", f"see `thce codes check {code} --type {code_type}`")
    release, known = book.release(code_type), book.validity(code_type, code)
    notes = book.notes(code_type, code)
    chain = book.path(code_type, code)
    return {
        "code_type": code_type,
        "code": code,
        "title": entry.title,
        "level": entry.level,
        "billable": entry.billable,
        "release": release["release"],
        "release_from": release["effective_from"],
        "release_to": release["effective_to"],
        "billable_from": known.first or None if known else None,
        "billable_to": known.last or None if known else None,
        "path": [
            {
                "code": item.code,
                "level": item.level,
                "title": item.title,
                "notes": _notes_at(book, code_type, item.code),
            }
            for item in chain
        ],
        "seven_chr_def": dict(notes.seven_chr_def),
        "seven_chr_from": notes.seven_chr_from or None,
        "children": [
            {"code": child.code, "title": child.title, "billable": child.billable} for child in book.children(code_type, code)
        ],
    }


def _notes_at(book: CodeBook, code_type: str, code: str) -> dict[str, list[str]]:
    own = book.own_notes(code_type, code)
    return {kind: own[kind] for kind in NOTE_LABELS if kind in own}


def tree(explained: dict[str, Any], children: int = 12) -> str:
    """The explanation as an indented tree for the terminal, with at most `children` of the items below."""
    lines: list[str] = []
    seven = explained["seven_chr_def"]
    for depth, item in enumerate(explained["path"]):
        pad = "   " * depth
        name = f"Chapter {item['code']}" if item["level"] == "chapter" else item["code"]
        lines.append(f"{'   ' * (depth - 1) + '└─ ' if depth else ''}{name}  {item['title']}")
        for kind, texts in item["notes"].items():
            lines += [f"{pad}     {NOTE_LABELS[kind]}: {text}" for text in texts]
        if seven and item["code"] == explained["seven_chr_from"]:
            lines += [f"{pad}     7th character {character}: {meaning}" for character, meaning in seven.items()]
    shown = [
        f"{child['code']}  {child['title']}{'' if child['billable'] else '  (header)'}"
        for child in explained["children"][:children]
    ]
    if len(explained["children"]) > children:
        shown.append(f"and {len(explained['children']) - children} more")
    pad = "   " * (len(explained["path"]) - 1)
    lines += [f"{pad}{'└─' if line is shown[-1] else '├─'} {line}" for line in shown]
    validity = ["billable" if explained["billable"] else f"{explained['level']}, not billable"]
    if explained["billable_from"]:
        validity.append(f"from {explained['billable_from']}")
    if explained["billable_to"]:
        validity.append(f"billable until {explained['billable_to']}")
    validity.append(f"release {explained['release']}")
    return "\n".join([*lines, f"[{', '.join(validity)}]"])
