"""Rules on the CPT and HCPCS codes of a claim; most need lists that the user imports."""

from __future__ import annotations

from collections.abc import Iterator

from thce.codes.edits_claim import Claim
from thce.codes.edits_lists import BYPASS
from thce.codes.findings import Finding

_DELETED = {"D": "deleted", "F": "deleted or discontinued", "H": "deleted modifier"}


def repeated(claim: Claim) -> Iterator[Finding]:
    """The same service on two lines with the same modifiers reads as a duplicate."""
    seen: dict[tuple[str, tuple[str, ...]], int] = {}
    for line in claim.procedures:
        key = (line.code, tuple(sorted(line.modifiers)))
        seen[key] = seen.get(key, 0) + 1
    for (code, _), count in seen.items():
        if count > 1:
            said = f"{code} stands on {count} lines alike; report units on one line, or a modifier (76, 77, 91, 59)"
            yield Finding("duplicate", "warning", (code,), said, "NCCI Policy Manual, chapter I")


def pairs(claim: Claim) -> Iterator[Finding]:
    """NCCI procedure-to-procedure edits between the codes of the claim."""
    if not claim.lists.has_pairs:
        return
    source = f"NCCI PTP edits ({claim.lists.release('ncci_ptp')})"
    codes = list(dict.fromkeys(line.code for line in claim.procedures))
    modifiers = {code: {m for line in claim.procedures if line.code == code for m in line.modifiers} for code in codes}
    for code in codes:
        for pair in claim.lists.pairs(code, frozenset(codes) - {code}, claim.day):
            both = (pair.column1, pair.column2)
            if pair.indicator == "0":
                said = f"{pair.column2} is not paid beside {pair.column1}; no modifier allows both"
                yield Finding("ncci_pair", "error", both, said, source)
            elif not (modifiers[pair.column1] | modifiers[pair.column2]) & BYPASS:
                said = f"{pair.column2} is part of {pair.column1}, unless a modifier (59, XS, 25) says it was separate"
                yield Finding("ncci_pair", "warning", both, said, source)


def units(claim: Claim) -> Iterator[Finding]:
    """NCCI medically unlikely edits: units per line (indicator 1) or per day (2 by policy, 3 by clinical data)."""
    limits = claim.lists.units
    if limits is None:
        return
    source = f"NCCI MUE ({claim.lists.release('ncci_mue')})"
    for code in dict.fromkeys(line.code for line in claim.procedures):
        if code not in limits:
            continue
        most, indicator = limits[code]
        each = [line.units for line in claim.procedures if line.code == code]
        count = max(each) if indicator == "1" else sum(each)
        if count > most:
            per = "line" if indicator == "1" else "day"
            said = f"{code} has {count} units, at most {most} per {per} are likely"
            yield Finding("ncci_units", "error" if indicator == "2" else "warning", (code,), said, source)


def fee_schedule(claim: Claim) -> Iterator[Finding]:
    """Deleted codes, and add-on codes (global days ZZZ) without a primary procedure."""
    rows = claim.lists.fee_schedule
    if rows is None:
        return
    source = f"CMS PFS relative value file ({claim.lists.release('pprrvu')})"
    codes = list(dict.fromkeys(line.code for line in claim.procedures))
    addon = [code for code in codes if rows.get(code, {}).get("global_days") == "ZZZ"]
    for code in codes:
        if meaning := _DELETED.get(rows.get(code, {}).get("status", "")):
            yield Finding("deleted_code", "error", (code,), f"{code} is {meaning}", f"{source}, status code")
    if addon and len(addon) == len(codes):
        for code in addon:
            said = f"{code} is an add-on code and needs its primary procedure on the claim"
            yield Finding("add_on_alone", "warning", (code,), said, f"{source}, global days ZZZ; NCCI add-on code edits")


RULES = (repeated, pairs, units, fee_schedule)
