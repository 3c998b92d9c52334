"""Make text from hospital systems fit for training, and carry the places of evidence along.

Unicode and white space are put in one form, identifiers become placeholders, sections are cut out by their headings.
Abbreviations are annotated and never expanded: the words that evidence quotes stay as the physician wrote them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from thce.narratives import preprocess_identifiers

Span = tuple[int, int]
Edit = tuple[int, int, str]

PLACEHOLDERS = {kind: f"[{kind.upper()}]" for kind in (*preprocess_identifiers.KINDS, "name", "place", "id", "deid")}
"""What stands in a text for an identifier: `[DATE]`, `[NAME]`, and `[DEID]` where the kind is not known."""

_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_INVISIBLE = "\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
_CONTROLS = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
_CHARACTERS = re.compile(
    f"[{_SPACES}{_INVISIBLE}{_CONTROLS}\x0b\x0c\x85\u2028\u2029\ud800-\udfff\ufb00-\ufb04\u2018-\u201f\u2010-\u2015\u2212\u2026]"
    r"|\r\n?|[^\W\d_][\u0300-\u036f]+"
)
_ONE_TO_ONE = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    **dict.fromkeys("\x0b\x0c\x85\u2028\u2029", "\n"),
    "\u2026": "...",
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
}
_BLANKS = re.compile(r"^\s+|\s+$|[ \t]*\n[ \t\n]*|[ \t]{2,}|\t")
_MARKED = re.compile(r"\[\*\*(.{0,80}?)\*\*\]|(?<!_)___(?!_)", re.DOTALL)
_MARK_KINDS = (
    ("phone", re.compile(r"telephone|fax|pager|phone", re.I)),
    ("mrn", re.compile(r"medical record|mrn", re.I)),
    ("id", re.compile(r"number|numeric|identifier|\bid\b|serial", re.I)),
    ("place", re.compile(r"hospital|location|address|street|country|state|university|company|ward", re.I)),
    ("name", re.compile(r"name|initial|doctor|attending|dictator", re.I)),
    ("date", re.compile(r"\d{1,4}-\d{1,2}|date|month|year|day|holiday", re.I)),
)
_ALL_CAPITALS = r"[A-Z][A-Z0-9]*(?:[ /&'-]+(?:[A-Z0-9]+|\([A-Z ]+\))){0,6}"
_AT_LINE_START = r"[A-Z][A-Za-z0-9]*(?:[ /&'-]+[A-Za-z0-9]+){0,5}"
_HEADING = re.compile(rf"(?:^|(?<=[\n,]))[ \t]*(?:({_ALL_CAPITALS})|(?:^|(?<=\n))[ \t]*({_AT_LINE_START}))[ \t]*:[ \t,]*")
_SAME_SECTION = {
    "hpi": "history of present illness",
    "present illness": "history of present illness",
    "cc": "chief complaint",
    "pmh": "past medical history",
    "psh": "past surgical history",
    "fh": "family history",
    "sh": "social history",
    "ros": "review of systems",
    "a/p": "assessment and plan",
    "a&p": "assessment and plan",
    "assessment/plan": "assessment and plan",
    "assessment & plan": "assessment and plan",
    "impression": "assessment",
    "discharge diagnoses": "discharge diagnosis",
}
_LONG_FORMS = {
    "AF": "atrial fibrillation",
    "AKI": "acute kidney injury",
    "BMI": "body mass index",
    "BPH": "benign prostatic hyperplasia",
    "BP": "blood pressure",
    "CABG": "coronary artery bypass graft",
    "CAD": "coronary artery disease",
    "CHF": "congestive heart failure",
    "CKD": "chronic kidney disease",
    "COPD": "chronic obstructive pulmonary disease",
    "CVA": "cerebrovascular accident",
    "CXR": "chest X-ray",
    "DKA": "diabetic ketoacidosis",
    "DM": "diabetes mellitus",
    "DOE": "dyspnea on exertion",
    "DVT": "deep vein thrombosis",
    "ESRD": "end-stage renal disease",
    "GERD": "gastro-esophageal reflux disease",
    "HFpEF": "heart failure with preserved ejection fraction",
    "HFrEF": "heart failure with reduced ejection fraction",
    "HLD": "hyperlipidemia",
    "HTN": "hypertension",
    "IBS": "irritable bowel syndrome",
    "LBP": "low back pain",
    "NSTEMI": "non-ST-elevation myocardial infarction",
    "OSA": "obstructive sleep apnea",
    "PE": "pulmonary embolism",
    "PTSD": "post-traumatic stress disorder",
    "PVD": "peripheral vascular disease",
    "SOB": "shortness of breath",
    "STEMI": "ST-elevation myocardial infarction",
    "T1DM": "type 1 diabetes mellitus",
    "T2DM": "type 2 diabetes mellitus",
    "TIA": "transient ischemic attack",
    "URI": "upper respiratory infection",
    "UTI": "urinary tract infection",
    "c/o": "complains of",
    "d/c": "discharge",
    "f/u": "follow-up",
    "h/o": "history of",
    "hx": "history",
    "pt": "patient",
    "r/o": "rule out",
    "s/p": "status post",
    "w/": "with",
    "w/o": "without",
    "y/o": "year-old",
}
_SHORT_FORM = re.compile(
    r"(?<![\w/])(?:"
    + "|".join(re.escape(short) for short in sorted(_LONG_FORMS, key=lambda short: (-len(short), short)))
    + r")(?![\w/])"
)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text and the spans of the text it was made from, each at its new place; None for one that is gone.

    `replaced` counts the identifiers that became placeholders, by kind.
    """

    text: str
    spans: tuple[Span | None, ...]
    replaced: Counter[str]


class Section(NamedTuple):
    """The part of a note below one heading: `name` in lower case, body = text[start:end]."""

    name: str
    start: int
    end: int


class Abbreviation(NamedTuple):
    """A short form as it stands in the text, and what it is short for."""

    start: int
    end: int
    short: str
    long: str


def clean(text: str, spans: Sequence[Span] = ()) -> Cleaned:
    """The text in one form: accents composed, plain quotes and dashes, no invisible characters, single blanks,
    placeholders.

    Compatibility forms that carry meaning (`½`, `10²`, `µg`) stay. A span keeps pointing to its words; it is dropped
    only where an identifier in it had to be replaced.
    """
    places: list[Span | None] = list(spans)
    text, places = _apply(text, places, _edits(_CHARACTERS, text, _plain))
    text, places = _apply(text, places, _blanks(text))
    found = [(match.start(), match.end(), _mark_kind(match[1])) for match in _MARKED.finditer(text)]
    taken = [(start, end) for start, end, _ in found]
    for kind, start, end in preprocess_identifiers.find(text):
        if not any(start < stop and begin < end for begin, stop in taken):
            found.append((start, end, kind))
    found.sort()
    places = [
        None if span is not None and any(start < span[1] and span[0] < end for start, end, _ in found) else span
        for span in places
    ]
    text, places = _apply(text, places, [(start, end, PLACEHOLDERS[kind]) for start, end, kind in found])
    return Cleaned(text, tuple(_trimmed(text, span) for span in places), Counter(kind for _, _, kind in found))


def clean_row(row: dict[str, Any]) -> tuple[dict[str, Any], Counter[str]]:
    """A narrative row with its text cleaned and its evidence moved along; evidence that held an identifier is left out.

    The counter tells what was replaced, and under `evidence` how many pieces of evidence were left out.
    """
    evidence = row.get("evidence") or []
    cleaned = clean(row["narrative"], [(item["start"], item["end"]) for item in evidence])
    counts = cleaned.replaced
    lost = sum(span is None for span in cleaned.spans)
    if lost:
        counts["evidence"] = lost
    return row | {"narrative": cleaned.text, "evidence": _moved(evidence, cleaned.text, cleaned.spans)}, counts


def _moved(evidence: Sequence[dict[str, Any]], text: str, spans: Iterable[Span | None]) -> list[dict[str, Any]]:
    return [
        item | {"start": span[0], "end": span[1], "text": text[span[0] : span[1]]}
        for item, span in zip(evidence, spans, strict=True)
        if span is not None
    ]


def _plain(found: str) -> str:
    if found in _ONE_TO_ONE:
        return _ONE_TO_ONE[found]
    if found[0] == "\r":
        return "\n"
    if len(found) > 1:
        return unicodedata.normalize("NFC", found)
    if "\ud800" <= found <= "\udfff":
        return "\ufffd"
    return " " if unicodedata.category(found) == "Zs" else ""


def _edits(pattern: re.Pattern[str], text: str, new: Callable[[str], str]) -> list[Edit]:
    found = ((match.start(), match.end(), match[0]) for match in pattern.finditer(text))
    return [(start, end, after) for start, end, before in found if (after := new(before)) != before]


def _blanks(text: str) -> list[Edit]:
    """Edits that leave single blanks, at most one empty line, and nothing at either end."""
    edits = []
    for match in _BLANKS.finditer(text):
        new = "\n\n" if match[0].count("\n") > 1 else "\n" if "\n" in match[0] else " "
        if match.start() == 0 or match.end() == len(text):
            new = ""
        if new != match[0]:
            edits.append((match.start(), match.end(), new))
    return edits


def _apply(text: str, spans: list[Span | None], edits: Sequence[Edit]) -> tuple[str, list[Span | None]]:
    """The text with all edits made (they are in order and apart) and the spans moved along."""
    if not edits:
        return text, spans
    parts: list[str] = []
    done = 0
    for start, end, new in edits:
        parts += (text[done:start], new)
        done = end
    parts.append(text[done:])
    return "".join(parts), [span and (_new_place(span[0], edits, False), _new_place(span[1], edits, True)) for span in spans]


def _new_place(place: int, edits: Sequence[Edit], is_end: bool) -> int:
    shift = 0
    for start, end, new in edits:
        if end <= place:
            shift += len(new) - (end - start)
        elif start < place:
            return start + shift + (len(new) if is_end else 0)
        else:
            break
    return place + shift


def _trimmed(text: str, span: Span | None) -> Span | None:
    if span is None:
        return None
    inner = text[span[0] : span[1]]
    start = span[0] + len(inner) - len(inner.lstrip())
    return (start, start + len(inner.strip())) if inner.strip() else None


def _mark_kind(content: str | None) -> str:
    """Which placeholder takes the place of a mark left by an earlier de-identification."""
    return next((kind for kind, pattern in _MARK_KINDS if content and pattern.search(content)), "deid")


def sections(text: str) -> list[Section]:
    """The sections of a note, in order; text before the first heading is a section without a name.

    A heading ends with a colon and either opens a line or is written in capitals behind a comma or a line break.
    """
    headings = list(_HEADING.finditer(text))
    found = [Section("", 0, headings[0].start() if headings else len(text))]
    for number, match in enumerate(headings):
        name = " ".join((match[1] or match[2]).lower().split())
        stop = headings[number + 1].start() if number + 1 < len(headings) else len(text)
        found.append(Section(_SAME_SECTION.get(name, name), match.end(), stop))
    return [section for section in found if text[section.start : section.end].strip(" \t\n,")]


def keep_sections(text: str, names: Sequence[str], spans: Sequence[Span] = ()) -> Cleaned:
    """Only the sections named, each on lines of its own and without its heading; spans outside them are None."""
    wanted = [section for section in sections(text) if section.name in {_SAME_SECTION.get(name, name) for name in names}]
    kept = ""
    moved: list[Span | None] = [None] * len(spans)
    for section in wanted:
        body = text[section.start : section.end]
        first = section.start + len(body) - len(body.lstrip(" \t\n,"))
        body = body.strip(" \t\n,")
        kept += "\n" if kept else ""
        for number, (start, end) in enumerate(spans):
            if first <= start and end <= first + len(body):
                moved[number] = (start - first + len(kept), end - first + len(kept))
        kept += body
    return Cleaned(kept, tuple(moved), Counter())


def keep_sections_row(row: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A narrative row cut down to some sections; evidence outside them is left out."""
    evidence = row.get("evidence") or []
    kept = keep_sections(row["narrative"], names, [(item["start"], item["end"]) for item in evidence])
    return row | {"narrative": kept.text, "evidence": _moved(evidence, kept.text, kept.spans)}


def abbreviations(text: str) -> list[Abbreviation]:
    """Short forms with one usual meaning, at their places. The text itself is left as it is."""
    return [Abbreviation(m.start(), m.end(), m[0], _LONG_FORMS[m[0]]) for m in _SHORT_FORM.finditer(text)]
