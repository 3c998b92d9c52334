"""Import official files that the user has: read, count, and only then replace the table in `data/licensed/`.

    import_files({"icd10cm_order": ["2027-code-descriptions-tabular-order.zip"]})

Nothing is written before every file of the call has been read and its counts are plausible. The folder is not tracked
by git; its manifest says for each table which file it came from (sha256), the release, the days in force and the
counts.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from thce.codes import importers_claims as claims
from thce.codes import importers_hcpcs as hcpcs
from thce.codes import importers_icd10cm as icd10cm
from thce.codes import importers_procedures as procedures
from thce.codes.icd10cm import undotted
from thce.codes.importers_folder import FOLDER, MANIFEST, manifest, stored
from thce.codes.importers_index import parse_index
from thce.codes.importers_source import (
    Parsed,
    Release,
    Source,
    fiscal_release,
    named_release,
    quarter_release,
    read_source,
)
from thce.errors import UserError
from thce.files import write_json

MEMBERS: dict[str, tuple[str, ...]] = {
    "icd10cm_order": (r"order(?!.*addenda).*\.txt$",),
    "icd10cm_codes": (r"codes(?!.*addenda).*\.txt$",),
    "icd10cm_tabular": (r"tabular.*\.xml$",),
    "icd10cm_index": (r"(?<!e)index.*\.xml$", r"\.xml$"),
    "icd10cm_addenda": (r"order.*addenda.*\.txt$",),
    "conversion_table": (r"conversion.*\.xlsx$", r"\.xlsx$"),
    "poa_exempt": (r"^POAexemptCodes.*\.txt$",),
    "hcpcs_anweb": (r"ANWEB.*\.txt$", r"ANWEB.*\.xlsx$"),
    "pprrvu": (r"PPRRVU.*nonQPP.*\.csv$", r"PPRRVU.*\.csv$"),
    "cpt_longult": (r"LONGULT.*\.txt$",),
    "cpt_medu": (r"MEDU.*\.txt$",),
    "cpt_shortu": (r"SHORTU.*\.txt$",),
    "mce": (r"(mce|edits).*\.txt$", r"\.txt$"),
    "ncci_ptp": (r"^cci.*\.txt$", r"\.txt$"),
    "ncci_mue": (r"MUE.*\.csv$", r"MUE.*\.xlsx$"),
}
"""Kind of file -> how its member is named inside the published zip, in order of preference."""

BOUNDS: dict[str, tuple[int, int]] = {
    "icd10cm_tabular": (85_000, 140_000),
    "icd10cm_index": (3_000, 200_000),
    "conversion_table": (4_500, 12_000),
    "poa_exempt": (30_000, 60_000),
    "hcpcs_anweb": (5_500, 14_000),
    "hcpcs_modifiers": (200, 800),
    "pprrvu": (5_000, 25_000),
    "cpt": (8_000, 20_000),
    "ncci_ptp": (400_000, 6_000_000),
    "ncci_mue": (8_000, 25_000),
}
"""Fewest and most rows a whole official file may have (for order and codes files see `expected_billable`)."""


class Table(NamedTuple):
    """One imported table: its name in the manifest, the file in the folder, and its row of the manifest."""

    name: str
    file: str
    row: dict[str, Any]


def import_files(
    files: Mapping[str, Sequence[Path | str]],
    folder: Path | str = FOLDER,
    *,
    release: str | None = None,
    effective_from: str | None = None,
    ama_license: bool = False,
    bounds: Mapping[str, Any] | None = None,
) -> list[Table]:
    """Read the files of each kind (keys of `MEMBERS`) and put their tables into `folder`; returns the tables.

    `release` (such as `FY2027`) and `effective_from` (ISO day) stand in for what a file name does not tell, for every
    file of the call. CPT files need `ama_license`, the user's statement that they hold one. `bounds` replaces the
    plausible counts of the kinds it names (`mce`: a mapping by list).

    Raises `UserError`, with nothing changed, for a file that is missing, of another kind, damaged, cut short, or of a
    size that no official release has.
    """
    folder = Path(folder)
    limits: dict[str, Any] = {**BOUNDS, **(bounds or {})}
    sources = {kind: [read_source(path, MEMBERS[kind]) for path in paths] for kind, paths in files.items() if paths}
    if any(kind.startswith("cpt_") for kind in sources):
        if not ama_license:
            raise UserError("CPT", "needs a license from the AMA", "add --i-have-an-ama-license if you hold one")
        procedures.check_untracked(folder)

    def named(source: Source, found: Release | None) -> Release:
        return named_release(release, effective_from, found, source.place)

    tables: list[tuple[str, str, list[Source], Parsed, Release]] = []
    for kind, given in sources.items():
        first = given[0]
        names = [first.name, Path(files[kind][0]).name]
        if kind in ("icd10cm_order", "icd10cm_codes"):
            when = named(first, fiscal_release(names))
            parse = icd10cm.parse_order if kind == "icd10cm_order" else icd10cm.parse_codes
            parsed = parse(first, _year(when), limits.get(kind))
        elif kind == "icd10cm_tabular":
            when = named(first, fiscal_release(names))
            parsed = icd10cm.parse_tabular(first, _known_codes(sources, folder), limits[kind])
        elif kind == "icd10cm_index":
            for source in given:
                which, parsed = parse_index(source, limits[kind])
                name = f"icd10cm_{which}" if which == "index" else f"icd10cm_index_{which}"
                tables.append((name, f"{name}.jsonl", [source], parsed, named(source, fiscal_release([source.name, *names]))))
            continue
        elif kind == "icd10cm_addenda":
            when, parsed = named(first, fiscal_release(names)), icd10cm.parse_addenda(first)
        elif kind == "conversion_table":
            when, parsed = named(first, fiscal_release(names)), icd10cm.parse_conversion(first, limits[kind])
        elif kind == "poa_exempt":
            when, parsed = named(first, fiscal_release(names)), icd10cm.parse_poa_exempt(first, limits[kind])
        elif kind == "hcpcs_anweb":
            when = named(first, quarter_release(names))
            parsed = hcpcs.parse_hcpcs(first, when.first, limits[kind], limits["hcpcs_modifiers"])
        elif kind == "pprrvu":
            when, parsed = named(first, quarter_release(names)), procedures.parse_pfs(first, limits[kind])
        elif kind == "mce":
            when, parsed = named(first, claims.mce_release(names)), claims.parse_mce(first, limits.get(kind))
        elif kind == "ncci_ptp":
            when, parsed = named(first, claims.ncci_release(names)), claims.parse_ptp(given, limits[kind])
        elif kind == "ncci_mue":
            when, parsed = named(first, claims.ncci_release(names)), claims.parse_mue(first, limits[kind])
        else:
            continue  # the CPT files make one table, below
        file = {"icd10cm_tabular": "icd10cm_tabular.xml.gz", "mce": "mce.json"}.get(kind, f"{kind}.tsv")
        tables.append((kind, file, given, parsed, when))
    cpt = {kind: given[0] for kind, given in sources.items() if kind.startswith("cpt_")}
    if cpt:
        parsed = procedures.parse_cpt(cpt, limits["cpt"])
        kind, first = next(iter(cpt.items()))
        found = fiscal_release([first.name, Path(files[kind][0]).name])
        year = found.last[:4] if found else ""
        when = named(first, Release(year, f"{year}-01-01", f"{year}-12-31") if year else None)
        tables.append(("cpt", "cpt.tsv", list(cpt.values()), parsed, when))
    return _store(folder, tables)


def _year(release: Release) -> int | None:
    found = fiscal_release([release.label])
    return int(found.last[:4]) if found else None


def _known_codes(sources: Mapping[str, Sequence[Source]], folder: Path) -> frozenset[str]:
    """The codes the tabular must describe: of the order file of this call, else of the imported one, else as
    packaged."""
    if "icd10cm_order" in sources:
        rows = icd10cm.read_order(sources["icd10cm_order"][0])
    elif "icd10cm_order" in manifest(folder):
        rows = icd10cm.order_rows(stored(folder, "icd10cm_order").decode())
    else:
        from thce.codes.tables import packaged_icd10  # parses XML, and only this case needs it

        items = packaged_icd10()
        return frozenset(undotted(item.code) for item in items if item.level not in ("chapter", "block"))
    return frozenset(undotted(row.code) for row in rows)


def _store(folder: Path, tables: Iterable[tuple[str, str, list[Source], Parsed, Release]]) -> list[Table]:
    """Write all parts, then rename them, then the manifest: a kill leaves `*.part` files or a table the readers
    refuse."""
    rows = manifest(folder)
    done: list[Table] = []
    parts: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, file, sources, parsed, release in tables:
            part = folder / f"{file}.part"
            part.write_bytes(parsed.payload)
            parts.append((part, folder / file))
            row: dict[str, Any] = {
                "file": file,
                "sha256": hashlib.sha256(parsed.payload).hexdigest(),
                "sources": [{"name": source.name, "sha256": source.sha256} for source in sources],
                "release": release.label,
                "effective_from": release.first,
                "effective_to": release.last or None,
                "counts": parsed.counts,
                **parsed.notes,
            }
            rows[name] = row
            done.append(Table(name, file, row))
        for part, path in parts:
            os.replace(part, path)
    except OSError as error:
        raise UserError(str(folder), f"cannot be written ({error.strerror})", "check the folder and its permissions") from None
    write_json(folder / MANIFEST, rows)
    return done
