"""The Alphabetic Index, External Cause Index, Neoplasm Table and Table of Drugs of ICD-10-CM (XML)."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Any

from thce.codes.importers_source import Parsed, Source, counted
from thce.errors import UserError

KINDS = {"EXTERNAL": "external", "NEOPLASM": "neoplasm", "DRUG": "drug"}
"""Word of the title that tells which of the four files it is; without any it is the main index."""


def read_index(source: Source) -> tuple[str, list[dict[str, Any]]]:
    """Which index it is (`index`, `external`, `neoplasm`, `drug`) and its entries in order.

    An entry has `terms` (main term first, then its subterms), and where given `nonessential` (words in brackets that
    do not change the code), `code` (`I10`, or with a final `-` where characters are missing), `manifestation` (the
    second code), `see`, `see_also`, and for the tables `cells` (column heading -> code).
    Raises `UserError` for XML that is not valid or no index.
    """
    try:
        root = ElementTree.fromstring(source.data)
    except ElementTree.ParseError as error:
        raise UserError(f"{source.place}:{error.position[0]}", f"not valid XML ({error})", "it is cut short?") from None
    if root.tag != "ICD10CM.index":
        raise UserError(source.place, f"is `{root.tag}`, not an ICD-10-CM index", "use the index XML as published")
    title = _text(root.find("title")).upper()
    kind = next((name for word, name in KINDS.items() if word in title), "index")
    columns = {head.get("col", ""): _text(head) for head in root.iter("head")}
    entries = [entry for main in root.iter("mainTerm") for entry in _walk(main, (), columns)]
    return kind, entries


def _text(element: ElementTree.Element | None) -> str:
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def _walk(element: ElementTree.Element, above: tuple[str, ...], columns: dict[str, str]) -> Iterator[dict[str, Any]]:
    title = element.find("title")
    loose = [_text(part) for part in title.iter("nemod")] if title is not None else []
    words = _text(title)
    for bracket in loose:
        words = " ".join(words.replace(bracket, " ", 1).split())
    terms = (*above, words)
    entry: dict[str, Any] = {"terms": list(terms)}
    if loose:
        entry["nonessential"] = " ".join(loose)
    for tag, name in (("code", "code"), ("manif", "manifestation"), ("see", "see"), ("seeAlso", "see_also"),
                      ("seecat", "see"), ("subcat", "see")):  # fmt: skip
        value = _text(element.find(tag))
        if value and name not in entry:
            entry[name] = value
    cells = {columns.get(c.get("col", ""), c.get("col", "")): _text(c) for c in element.findall("cell")}
    if cells := {column: code for column, code in cells.items() if code and code != "--"}:
        entry["cells"] = cells
    yield entry
    for part in element.findall("term"):
        yield from _walk(part, terms, columns)


def parse_index(source: Source, bounds: tuple[int, int]) -> tuple[str, Parsed]:
    """Which index it is, and one JSON object per entry."""
    kind, entries = read_index(source)
    counted(source.place, "entries", len(entries), *bounds)
    payload = "".join(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n" for entry in entries)
    coded = sum("code" in entry or "cells" in entry for entry in entries)
    return kind, Parsed(payload.encode(), {"rows": len(entries), "with_code": coded}, {})
