"""Turn what was imported into the items and history rows that the stage `codes` builds its tables from."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thce.codes.icd10cm import Item, read_tabular, undotted
from thce.codes.importers_folder import FOLDER, manifest, stored
from thce.codes.importers_hcpcs import Hcpcs, hcpcs_rows
from thce.codes.importers_icd10cm import OrderRow, apply_addenda, change_rows, order_rows, successors
from thce.codes.importers_source import day_before
from thce.codes.release_diff import CodeSet, diff
from thce.codes.tables import HCPCS_SECTIONS, packaged_icd10
from thce.errors import UserError

CPT_LETTERS = {
    "A": "Immunization administration",
    "F": "Category II: performance measurement",
    "M": "Multianalyte assays with algorithms",
    "T": "Category III: emerging technology",
    "U": "Proprietary laboratory analyses",
}
"""CPT codes that end in a letter; the titles are our own."""


@dataclass(frozen=True)
class Imported:
    """What takes the place of the packaged tables.

    `items` has a code type only where one was imported; `history` holds the rows (see `tables.HISTORY_COLUMNS`) that
    replace those of the same code, and for `replaced` code types all rows; `releases` is the manifest row of each
    code type.
    """

    items: dict[str, list[Item]] = field(default_factory=dict)
    history: list[dict[str, str]] = field(default_factory=list)
    replaced: frozenset[str] = frozenset()
    releases: dict[str, dict[str, Any]] = field(default_factory=dict)


def imported_tables(folder: Path | str | None = FOLDER, cpt_file: Mapping[str, Any] | None = None) -> Imported:
    """The tables in `folder`; an empty `Imported` when nothing is there (or `folder` is None).

    ICD-10-CM takes codes, flags and order from the order file (or the codes file), hierarchy and notes from the
    imported tabular or, without one, from the packaged FY2026. CPT is taken only where `cpt_file` is given, the content
    of `cpt_codes.json` whose sections and labels it uses.
    Raises `UserError` if CPT is asked for and not there.
    """
    result = Imported()
    if folder is None:
        return result
    rows = manifest(folder)
    if {"icd10cm_order", "icd10cm_codes", "icd10cm_addenda"} & rows.keys():
        name, order = _icd10_order(folder, rows)
        packaged = packaged_icd10()
        tabular = packaged
        if "icd10cm_tabular" in rows and rows["icd10cm_tabular"]["release"] == rows[name]["release"]:
            known = frozenset(undotted(row.code) for row in order)
            tabular = read_tabular(stored(folder, "icd10cm_tabular"), known, rows["icd10cm_tabular"]["file"])
        result.items["ICD10"] = merge(tabular, order)
        result.releases["ICD10"] = _release(rows[name], "NCHS/CDC ICD-10-CM")
        after = _successors(folder, rows)
        result.history.extend(_changes(packaged, result.items["ICD10"], rows[name]["effective_from"], after))
    replaced = set()
    if "hcpcs_anweb" in rows:
        codes = hcpcs_rows(stored(folder, "hcpcs_anweb").decode())
        first = rows["hcpcs_anweb"]["effective_from"]
        result.items["HCPCS"] = hcpcs_items(codes, first)
        result.releases["HCPCS"] = _release(rows["hcpcs_anweb"], "CMS HCPCS Level II")
        result.history.extend(_hcpcs_history(codes))
        replaced.add("HCPCS")
    if cpt_file is not None:
        if "cpt" not in rows:
            raise UserError(str(folder), "holds no CPT table", "import your licensed files, or set `codes.cpt: demo`")
        lines = stored(folder, "cpt").decode().split("\n")[1:-1]
        result.items["CPT"] = cpt_items([line.split("\t") for line in lines], cpt_file)
        result.releases["CPT"] = _release(rows["cpt"], "AMA CPT, licensed copy of the user; not for redistribution")
    return Imported(result.items, result.history, frozenset(replaced), result.releases)


def _release(row: Mapping[str, Any], source: str) -> dict[str, Any]:
    names = ", ".join(item["name"] for item in row["sources"])
    kept = {key: row[key] for key in ("release", "effective_from", "effective_to")}
    return {**kept, "source": f"{source}; imported from {names}"}


def _icd10_order(folder: Path | str, rows: Mapping[str, dict[str, Any]]) -> tuple[str, list[OrderRow]]:
    """The imported table that says which codes there are: the newest of order file, codes file and addenda."""
    names = [name for name in ("icd10cm_order", "icd10cm_codes", "icd10cm_addenda") if name in rows]
    name = max(names, key=lambda name: (rows[name]["effective_from"], -names.index(name)))
    if name == "icd10cm_order":
        return name, order_rows(stored(folder, name).decode())
    if name == "icd10cm_codes":
        return name, with_headers(order_rows(stored(folder, name).decode()), packaged_icd10())
    if "icd10cm_order" in rows:
        before = order_rows(stored(folder, "icd10cm_order").decode())
    else:
        before = [OrderRow(i.code, i.billable, "", i.title) for i in packaged_icd10() if i.level not in ("chapter", "block")]
    return name, apply_addenda(before, change_rows(stored(folder, name).decode()), rows[name]["file"])


def with_headers(codes: Iterable[OrderRow], tabular: Iterable[Item]) -> list[OrderRow]:
    """A codes file made into order rows: before each code the headers above it, as far as the tabular knows them."""
    titles = {undotted(item.code): (item.code, item.title) for item in tabular if item.level not in ("chapter", "block")}
    rows: list[OrderRow] = []
    seen: set[str] = set()
    for row in codes:
        code = undotted(row.code)
        for length in range(3, len(code)):
            above = code[:length]
            if above in titles and above not in seen:
                seen.add(above)
                rows.append(OrderRow(titles[above][0], False, "", titles[above][1]))
        rows.append(row)
    return rows


def merge(tabular: Sequence[Item], rows: Iterable[OrderRow]) -> list[Item]:
    """The items of a release: codes, flags, titles and order of `rows`, chapters, blocks and notes of `tabular`.

    The parent of a code is the longest code that is a prefix of it. A category the tabular does not know comes into the
    narrowest block whose range holds it. Titles keep the accents of the tabular where the order file has the same in
    ASCII.
    """
    known = {item.code: item for item in tabular}
    order = list(rows)
    codes = {undotted(row.code): row.code for row in order}
    blocks = [item for item in tabular if item.level == "block"]
    result: list[Item] = []
    opened: set[str] = set()
    for row in order:
        old = known.get(row.code)
        bare = undotted(row.code)
        if len(bare) > 3:
            parent = next((codes[bare[:n]] for n in range(len(bare) - 1, 2, -1) if bare[:n] in codes), "")
        else:
            parent = old.parent if old else _block_of(bare, blocks)
            above = []
            at = parent
            while at and at not in opened:
                opened.add(at)
                above.append(known[at])
                at = known[at].parent
            result.extend(reversed(above))
        title = old.title if old and _folded(old.title) == _folded(row.long) else row.long
        level = "category" if len(bare) == 3 else "code" if row.billable else "subcategory"
        notes, seven = (old.notes, old.seven_chr_def) if old else ({}, {})
        result.append(Item(row.code, level, parent, title, row.billable, notes, seven))
    return result


def _block_of(category: str, blocks: Iterable[Item]) -> str:
    spans = [block for block in blocks if block.code[:3] <= category <= block.code[4:]]
    return max(spans, key=lambda block: (block.code[:3], [-ord(c) for c in block.code[4:]])).code if spans else ""


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _successors(folder: Path | str, rows: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    if "conversion_table" not in rows:
        return {}
    lines = [line.split("\t") for line in stored(folder, "conversion_table").decode().split("\n")[1:-1]]
    return successors((code, day, tuple(filter(None, before.split(",")))) for code, day, before in lines)


def _changes(
    before: Iterable[Item], after: Sequence[Item], first: str, successor: Mapping[str, tuple[str, ...]]
) -> list[dict[str, str]]:
    """History rows of a release that follows the packaged one: codes it adds, and codes it deletes or makes headers."""
    if first <= PACKAGED_FROM:
        return []
    old, new = (CodeSet.of_items("ICD10", name, items) for name, items in (("before", before), ("after", after)))
    change = diff(old, new, successor)
    last = day_before(first)
    rows = [{"code": code, "level": "code", "from": first} for code in change.new]
    rows += [{"code": code, "level": "subcategory", "from": first} for code in change.new_headers]
    for level, codes in (("deleted", change.retired), ("demoted", change.demoted)):
        for code in codes:
            follow = ",".join(change.successors.get(code, ()))
            rows.append({"code": code, "level": level, "to": last, "successors": follow, "title": old.rows[code].title})
    return [{"code_type": "ICD10", "source": "official", **row} for row in rows]


PACKAGED_FROM = "2025-10-01"
"""First day of the release inside simple-icd-10-cm (FY2026)."""


def hcpcs_items(codes: Iterable[Hcpcs], first: str) -> list[Item]:
    """Sections and the procedure codes that had not ended on the first day of the release."""
    live = [row for row in codes if row.kind == "procedure" and (not row.ended or row.ended >= first)]
    items = [Item(letter, "section", "", HCPCS_SECTIONS[letter]) for letter in sorted({row.code[0] for row in live})]
    return items + [Item(row.code, "code", row.code[0], row.long, True) for row in sorted(live, key=lambda row: row.code)]


def _hcpcs_history(codes: Iterable[Hcpcs]) -> list[dict[str, str]]:
    rows = []
    for row in codes:
        if row.kind == "procedure":
            days = {"level": "code", "from": row.added, "to": row.ended}
            after = {"successors": ",".join(row.successors), "title": row.long} if row.ended else {}
            rows.append({"code_type": "HCPCS", "code": row.code, "source": "official", **days, **after})
    return rows


def cpt_items(rows: Iterable[Sequence[str]], cpt_file: Mapping[str, Any]) -> list[Item]:
    """Sections and codes of the user's licensed table, titled by the longest descriptor.

    Codes of `cpt_file` keep the project's own label: they are what is trained and answered, and no AMA text may reach
    that.
    """
    ranges = []
    for section in cpt_file["sections"]:
        parts = section.get("ranges") or [section["range"]]
        ranges += [(part[:5], part[6:], ", ".join(parts), section["section"]) for part in parts]
    labels = {row["code"]: row["label"] for row in cpt_file["codes"]}
    sections: dict[str, Item] = {}
    codes = []
    for code, long, medium, short in rows:
        if code.isdigit():
            found = [(name, title) for first, last, name, title in ranges if first <= code <= last]
            parent, title = found[0] if found else ("other", "Other")
        else:
            parent, title = code[-1], CPT_LETTERS.get(code[-1], "Other")
        sections.setdefault(parent, Item(parent, "section", "", title))
        codes.append(Item(code, "code", parent, labels.get(code) or long or medium or short, True))
    return [sections[name] for name in sorted(sections)] + codes


def overlay_history(rows: Iterable[Mapping[str, str]], imported: Imported) -> list[dict[str, str]]:
    """The packaged history rows with the imported ones over them, sorted.

    What was known at second hand of a release that is imported now is dropped: the official file has the word.
    """
    first = str(imported.releases.get("ICD10", {}).get("effective_from", ""))
    merged: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        if row["code_type"] in imported.replaced:
            continue
        kept = dict(row)
        if kept["source"] == "second-hand" and (kept.get("to") or kept["from"]) <= first:
            if not kept.get("to") or not kept.get("from"):
                continue
            kept.update(to="", successors="", source="official", level="code")
        merged[kept["code_type"], kept["code"]] = kept
    for row in imported.history:
        key = (row["code_type"], row["code"])
        merged[key] = {**merged.get(key, {}), **row}
    return [merged[key] for key in sorted(merged)]
