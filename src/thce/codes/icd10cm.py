"""ICD-10-CM as its publisher lays it out: the tabular XML (chapters, blocks, categories, notes) and the list of codes.

The tabular does not list codes with a 7th character. They are built from the nearest `sevenChrDef` at or above a code,
with the placeholder `X` up to the sixth place (Guidelines I.A.4, I.A.5), and kept where the list of codes has them.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Set
from dataclasses import dataclass, field

from thce.errors import UserError

LEAVES = 74_719
"""Billable codes of FY2026, the release the package holds (official order file)."""

NOTE_KINDS = ("includes", "excludes1", "excludes2", "code_first", "use_additional", "code_also", "note")
_TAGS = {
    "includes": "includes",
    "excludes1": "excludes1",
    "excludes2": "excludes2",
    "codeFirst": "code_first",
    "useAdditionalCode": "use_additional",
    "codeAlso": "code_also",
    "notes": "note",
    "sevenChrNote": "seven_chr_note",
    "inclusionTerm": "terms",
}


@dataclass(slots=True)
class Item:
    """One chapter, block, category, subcategory or code, in tabular order.

    `notes` maps a kind of note (`NOTE_KINDS`, `terms`, `seven_chr_note`) to its own texts; `seven_chr_def` maps a 7th
    character to its meaning. Nothing inherited is repeated here. `parent` is empty for a chapter.
    """

    code: str
    level: str
    parent: str
    title: str
    billable: bool = False
    notes: dict[str, list[str]] = field(default_factory=dict)
    seven_chr_def: dict[str, str] = field(default_factory=dict)


def dotted(code: str) -> str:
    """`S52501A` -> `S52.501A`."""
    return code if len(code) < 4 or "." in code else f"{code[:3]}.{code[3:]}"


def undotted(code: str) -> str:
    """`S52.501A` -> `S52501A`."""
    return code.replace(".", "")


def _text(element: ElementTree.Element | None) -> str:
    """The text in one line: the files hold TABs, line breaks and doubled blanks."""
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def _level(code: str, billable: bool) -> str:
    """Three characters are a category, everything longer a code or, when it cannot be billed, a subcategory (I.A.2)."""
    if len(code) == 3:
        return "category"
    return "code" if billable else "subcategory"


def read_tabular(xml: bytes, known: Set[str], place: str = "tabular XML") -> list[Item]:
    """All items of a tabular file in its order, chapters and blocks included.

    `known` holds the codes without dot that exist in this release; 7th-character codes outside it are not built. A
    block of one category is named like its category in the file (`B99`); here it is the range `B99-B99`, so that names
    are unique. The range that a block's title repeats is left out.
    Raises `UserError` for XML that is not valid and for a code that stands there twice.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise UserError(f"{place}:{error.position[0]}", f"not valid XML ({error})") from None
    items: list[Item] = []
    for chapter in root.iter("chapter"):
        items.extend(_walk(chapter, "", {}, known))
    seen: set[str] = set()
    for item in items:
        if item.code in seen:
            raise UserError(place, f"{item.code} stands there twice", "use the official file as published")
        seen.add(item.code)
    _nest_blocks(items)
    return items


def _nest_blocks(items: list[Item]) -> None:
    """Put the blocks below the umbrella block that spans them: the file lists `C00-C96` beside `C50-C50`, not above it.

    The twelve umbrella blocks hold no category of their own, and the notes of four of them reach the whole range.
    """
    parents = {item.parent for item in items}
    blocks = [item for item in items if item.level == "block"]
    umbrellas = [item for item in blocks if item.code not in parents]
    for block in blocks:
        first, last = block.code.split("-")
        spans = [u for u in umbrellas if u is not block and u.code[:3] <= first and last <= u.code[4:]]
        if spans:
            block.parent = max(spans, key=lambda u: (u.code[:3], [-ord(c) for c in u.code[4:]])).code


def _walk(element: ElementTree.Element, parent: str, inherited: dict[str, str], known: Set[str]) -> Iterator[Item]:
    name = element.get("id") or _text(element.find("name"))
    title = _text(element.find("desc"))
    level = {"chapter": "chapter", "section": "block"}.get(element.tag, "")
    if level == "block":
        title = title.removesuffix(f"({name})").rstrip()
        name = name if "-" in name else f"{name}-{name}"
    item = Item(name, level, parent, title)
    for part in element:
        kind = _TAGS.get(part.tag)
        if kind:
            texts = [text for text in map(_text, part) if text]  # R11.16 has an empty <note/>
            if texts:
                item.notes.setdefault(kind, []).extend(texts)
        elif part.tag == "sevenChrDef":
            item.seven_chr_def = {ext.attrib["char"]: _text(ext) for ext in part.iter("extension")}
    definition = item.seven_chr_def or inherited
    below = [part for part in element if part.tag in ("section", "diag")]
    extended = [] if below or level else list(_extended(item, definition, known))
    if not level:
        item.billable = not below and not extended
        item.level = _level(name, item.billable)
    yield item
    yield from extended
    for part in below:
        yield from _walk(part, name, definition, known)


def _extended(item: Item, definition: dict[str, str], known: Set[str]) -> Iterator[Item]:
    stem = undotted(item.code).ljust(6, "X")
    for character, meaning in definition.items():
        if stem + character in known:
            yield Item(dotted(stem + character), "code", item.code, f"{item.title}, {meaning}", True)
