"""ICD-10-CM, CPT and HCPCS Level II: tables, normalising, checking, hierarchy, search, import, comparison and edits.

    from thce import codes
    book = codes.open()                 # data/codes, as the stage `codes` builds it
    codes.check(book, "E11.9", "ICD10").status

The names below are loaded when they are first used, so opening a table does not wait for what it does not need.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thce.codes.book import CodeBook, Entry, Note, Notes, Validity, open, short_title
    from thce.codes.chain import explain, tree
    from thce.codes.checks import Check, Message, check
    from thce.codes.edits_claim import edits
    from thce.codes.findings import Finding
    from thce.codes.lexical import Hit, SearchIndex, search
    from thce.codes.near import Suggestion, near_misses
    from thce.codes.spelling import Normalised, normalise
    from thce.codes.tables import build

_HOME = {
    "thce.codes.book": ("CodeBook", "Entry", "Note", "Notes", "Validity", "open", "short_title"),
    "thce.codes.chain": ("explain", "tree"),
    "thce.codes.checks": ("Check", "Message", "check"),
    "thce.codes.edits_claim": ("edits",),
    "thce.codes.findings": ("Finding",),
    "thce.codes.lexical": ("Hit", "SearchIndex", "search"),
    "thce.codes.near": ("Suggestion", "near_misses"),
    "thce.codes.spelling": ("Normalised", "normalise"),
    "thce.codes.tables": ("build",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}


__all__ = [
    "Check",
    "CodeBook",
    "Entry",
    "Finding",
    "Hit",
    "Message",
    "Normalised",
    "Note",
    "Notes",
    "SearchIndex",
    "Suggestion",
    "Validity",
    "build",
    "check",
    "edits",
    "explain",
    "near_misses",
    "normalise",
    "open",
    "search",
    "short_title",
    "tree",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'thce.codes' has no attribute '{name}'")
    value = getattr(importlib.import_module(_MODULE[name]), name)
    globals()[name] = value
    return value
