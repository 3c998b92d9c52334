"""Lists that edits need beside the code tables: MCE, NCCI pairs and units, fee schedule, POA-exempt codes (all
imported)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from thce.codes.importers_folder import FOLDER, manifest, stored

_ANATOMIC = "E1 E2 E3 E4 FA F1 F2 F3 F4 F5 F6 F7 F8 F9 TA T1 T2 T3 T4 T5 T6 T7 T8 T9 LT RT LC LD RC LM RI"
BYPASS = frozenset(f"24 25 27 57 58 59 78 79 91 XE XP XS XU {_ANATOMIC}".split())
"""Modifiers that lift a pair with indicator 1 (NCCI Policy Manual, chapter I, section E)."""


class Pair(NamedTuple):
    """A PTP edit: column 2 is not paid beside column 1, never (indicator 0) or unless a modifier says why (1)."""

    column1: str
    column2: str
    indicator: str


class EditLists:
    """The imported lists of a folder, each read when it is first asked for. A list that was not imported is None."""

    def __init__(self, folder: Path | str = FOLDER) -> None:
        self.folder = Path(folder)
        self.manifest: Mapping[str, Any] = manifest(folder)

    def _text(self, name: str) -> str | None:
        return stored(self.folder, name).decode() if name in self.manifest else None

    @cached_property
    def mce(self) -> dict[str, Any] | None:
        """List -> its codes (as a set), and `ages`: list -> youngest and oldest age in years."""
        text = self._text("mce")
        if text is None:
            return None
        lists: dict[str, Any] = json.loads(text)
        return {name: value if name == "ages" else frozenset(value) for name, value in lists.items()}

    @cached_property
    def poa_exempt(self) -> frozenset[str] | None:
        """Codes that need no present-on-admission indicator."""
        text = self._text("poa_exempt")
        return None if text is None else frozenset(text.split("\n")[1:-1])

    @cached_property
    def units(self) -> dict[str, tuple[int, str]] | None:
        """code -> most units and how they are judged: 1 per line, 2 per day (policy), 3 per day (clinical)."""
        text = self._text("ncci_mue")
        if text is None:
            return None
        rows = (line.split("\t") for line in text.split("\n")[1:-1])
        return {code: (int(units), indicator) for code, units, indicator in rows}

    @cached_property
    def fee_schedule(self) -> dict[str, dict[str, str]] | None:
        """code -> indicators of its row without modifier (see `PFS_COLUMNS`)."""
        text = self._text("pprrvu")
        if text is None:
            return None
        lines = text.split("\n")
        columns = lines[0].split("\t")
        rows = (dict(zip(columns, line.split("\t"), strict=True)) for line in lines[1:-1])
        return {row["code"]: row for row in rows if not row["modifier"]}

    @cached_property
    def _pairs(self) -> bytes | None:
        return stored(self.folder, "ncci_ptp") if "ncci_ptp" in self.manifest else None

    @property
    def has_pairs(self) -> bool:
        """Whether NCCI pairs are imported."""
        return "ncci_ptp" in self.manifest

    def pairs(self, code: str, others: frozenset[str], day: date | None) -> list[Pair]:
        """The edits with `code` in column 1 and one of `others` in column 2 that apply on the day (None: not deleted).

        A deletion date is taken as the last day with the edit (they fall on ends of quarters).
        """
        data = self._pairs
        at = data.find(b"\n" + code.encode() + b"\t") if data else -1
        if data is None or at < 0:
            return []
        line = data[at + 1 : data.index(b"\n", at + 1)].decode()
        found = []
        for cell in line.split("\t")[1].split(";"):
            two, indicator, first, last = cell.split(":")
            if two not in others or indicator == "9":
                continue
            on = f"{day:%Y%m%d}" if day else ""
            if (first <= on and (not last or on <= last)) if on else not last:
                found.append(Pair(code, two, indicator))
        return found

    def release(self, name: str) -> str:
        """The release label of an imported list, for the source of a finding."""
        return str(self.manifest[name]["release"])
