"""Bring a code as people type it into the one spelling of the tables, without ever changing which code is meant.

Case, blanks, quotes, Markdown, prefixes and the place of the dot carry no meaning and are put right. Look-alikes (O for
0, I for 1) do carry meaning: they are never exchanged here, only suggested by `check`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

ICD10_SHAPE = re.compile(r"[A-Z][0-9A-Z]{2}(?:\.[0-9A-Z]{1,4})?")
"""Accepts every code string of FY2016 to FY2026, with its dot (Guidelines I.A.2)."""
CPT_SHAPE = re.compile(r"[0-9]{4}[0-9AFMTU]")
"""Category I, II (F), III (T), proprietary laboratory (U), multianalyte (M) and immunization (A) codes."""
HCPCS_SHAPE = re.compile(r"[A-CE-V][0-9]{4}")
"""HCPCS Level II; D is dental (CDT), W to Z are not issued nationally."""
CDT_SHAPE = re.compile(r"D[0-9]{4}")

_DASHES = re.compile("[\u2010-\u2015\u2212]")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_PREFIX = re.compile(
    r"(?:(?P<ICD10>ICD[- ]?10(?:[- ]?CM)?|DX)|(?P<CPT>CPT)|(?P<HCPCS>HCPCS)|CODE)"
    r"(?:\s+CODE)?(?:\s*[:#=-]\s*|\s+)(?=\S)",
    re.IGNORECASE,
)
_WRAPPING = "\"'`*_~#()[]{}<>\u2018\u2019\u201c\u201d\u00ab\u00bb \t\r\n"
_TRAILING = ".,;:!?"
_MODIFIERS = re.compile(r"([A-Z][0-9]{4}|[0-9]{4}[0-9A-Z])((?:-[0-9A-Z]{2})+)")
_SPACED = re.compile(r"([A-Z][0-9A-Z]{2})\s+([0-9][0-9A-Z]{0,3})")
_DESCRIBED = re.compile(r"(\S+)\s+\((.*\S.*)\)")
_RANGE = re.compile(r"[A-Z][0-9A-Z]{2}-[A-Z][0-9A-Z]{2}")


class Normalised(NamedTuple):
    """A code string in table spelling.

    `systems` are the code types whose shape it has: one when the string or the caller names it or only one fits, two
    when it is ambiguous (`E1122`: ICD-10-CM E11.22 or HCPCS E1122), none when it has no code's shape. `code` is spelled
    for the first of them. `named` is the system the string itself names, if any. `wildcard` tells of a trailing `-` as
    the tabular list uses it for "and everything below"; `modifiers` of CPT or HCPCS modifiers that were set aside;
    `description` is what stood in brackets behind the code, as in `ICD10: J20.9 (Acute bronchitis, unspecified)`.
    """

    code: str
    systems: tuple[str, ...]
    named: str | None = None
    wildcard: bool = False
    modifiers: tuple[str, ...] = ()
    description: str | None = None


def normalise(text: str, code_type: str | None = None) -> Normalised:
    """Read `text` as one code, of `code_type` if given, else of the system it names or whose shape it has."""
    code = _DASHES.sub("-", _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))).strip().strip("*`\"' \t")
    description = named = None
    if match := _PREFIX.match(code.lstrip(_WRAPPING)):
        named = match.lastgroup
        code = code.lstrip(_WRAPPING)[match.end() :]
    if (match := _DESCRIBED.fullmatch(code)) and not _is_code(match[2]):
        code, description = match.groups()
    code = code.upper().strip(_WRAPPING).rstrip(_TRAILING + _WRAPPING).lstrip("-\u2022 ").strip(_WRAPPING)
    modifiers: tuple[str, ...] = ()
    if match := _MODIFIERS.fullmatch(code):
        code, modifiers = match[1], tuple(match[2][1:].split("-"))
    system = code_type or named
    if system == "ICD10" and _RANGE.fullmatch(code):
        return Normalised(code, ("ICD10",), named)
    wildcard = code.endswith("-")
    code = code.rstrip("-.")
    code = re.sub(r"\s*\.\s*", ".", code)
    if match := _SPACED.fullmatch(code):
        code = f"{match[1]}.{match[2]}"
    if system:
        fitted = _fit(code, system)
        return Normalised(fitted or code, (system,) if fitted else (), named, wildcard, modifiers, description)
    found = [(kind, fitted) for kind in ("ICD10", "CPT", "HCPCS") if (fitted := _fit(code, kind))]
    if "." in code:
        found = [pair for pair in found if pair[0] == "ICD10"]
    systems = tuple(kind for kind, _ in found)
    return Normalised(found[0][1] if found else code, systems, named, wildcard, modifiers, description)


def _is_code(text: str) -> bool:
    """Whether a bracketed text is a second code rather than a description."""
    return any(character.isdigit() for character in text) and bool(normalise(text).systems)


def _fit(code: str, system: str) -> str:
    """The spelling of `code` in one system, empty when it has not its shape. Only ICD-10-CM codes have a dot."""
    if system == "ICD10":
        bare = code.replace(".", "")
        code = f"{bare[:3]}.{bare[3:]}" if len(bare) > 3 else bare
        return code if ICD10_SHAPE.fullmatch(code) else ""
    if system == "CPT":
        return code if CPT_SHAPE.fullmatch(code) else ""
    return code if HCPCS_SHAPE.fullmatch(code) or CDT_SHAPE.fullmatch(code) else ""
