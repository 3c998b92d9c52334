"""Is this a code, may it be billed on the day of service, and if not, what may?"""

from __future__ import annotations

import re
from datetime import date
from typing import Any, NamedTuple

from thce.codes.book import ICD10_START, TABLES, CodeBook, Entry, Validity, short_title
from thce.codes.icd10cm import undotted
from thce.codes.near import Suggestion, near_misses
from thce.codes.spelling import CDT_SHAPE, Normalised, normalise
from thce.errors import UserError

STATUSES = (
    "valid_billable",
    "valid_header",
    "retired",
    "not_yet_effective",
    "unknown",
    "bad_format",
    "excluded_cdt",
    "unlicensed_unknown",
)
COMPLETE = 2_000  # rows; the samples of CPT and HCPCS hold at most 200 codes, the official tables thousands
LONGEST = 64  # characters of an input that can still be one code with its prefix and decoration

_RULES = {
    "ambiguous_system": ("warning", "CMS HCPCS and NCHS ICD-10-CM code formats"),
    "other_system": ("error", "code formats of the three systems"),
    "wildcard": ("info", "ICD-10-CM conventions, Guidelines I.A.3"),
    "modifier_set_aside": ("info", "CPT and HCPCS modifiers"),
    "description_differs": ("warning", "official title in the code table"),
    "shape": ("error", "ICD-10-CM Guidelines I.A.2; CMS HCPCS record layout"),
    "not_billable": ("error", "ICD-10-CM Guidelines I.B.2"),
    "seventh_character": ("error", "ICD-10-CM Guidelines I.A.5"),
    "placeholder": ("error", "ICD-10-CM Guidelines I.A.4"),
    "not_in_table": ("error", "official code table of the release"),
    "sample_table": ("info", "CMS HCPCS Level II quarterly files"),
    "no_licensed_table": ("warning", "AMA CPT (licensed)"),
    "outside_ranges": ("warning", "AMA CPT section ranges"),
    "cdt": ("error", "ADA CDT (licensed), not in the public HCPCS file"),
    "not_national": ("error", "CMS HCPCS Level II: W to Z are not issued nationally"),
    "ended": ("error", "official code tables and conversion table"),
    "not_begun": ("error", "official code tables and conversion table"),
    "second_hand": ("warning", "FY2027 changes as known at second hand, not the official file"),
    "will_end": ("info", "FY2027 changes as known at second hand, not the official file"),
    "after_release": ("warning", "official code table of the release"),
}
"""rule id -> severity and source."""


class Message(NamedTuple):
    """One remark on a code: which rule, how grave (error, warning, info), in words, and where the rule comes from."""

    rule_id: str
    severity: str
    text: str
    source: str


class Check(NamedTuple):
    """The answer to one code.

    `normalised` is the table spelling, `normalised_from` the input where it was spelled otherwise. `system` is None
    when the string names or fits no single system. `billable` holds for the day of service (without one: for the
    release). The days are ISO dates, None when unknown or open. `header_children` are the billable codes below a header
    (for a block or chapter: the items directly below).
    """

    input: str
    normalised: str
    normalised_from: str | None
    system: str | None
    status: str
    billable: bool
    effective_from: str | None
    effective_to: str | None
    release: str | None
    description: str | None
    header_children: tuple[str, ...]
    successors: tuple[str, ...]
    suggestions: tuple[Suggestion, ...]
    messages: tuple[Message, ...]

    @property
    def valid(self) -> bool:
        """True for a code that may be billed on the day of service."""
        return self.status == "valid_billable"

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values, for JSON."""
        row = self._asdict()
        row["suggestions"] = [item._asdict() for item in self.suggestions]
        row["messages"] = [item._asdict() for item in self.messages]
        return row


def check(book: CodeBook, text: str, code_type: str | None = None, day: date | None = None) -> Check:
    """Check one code, of `code_type` if given, on the day of service `day` (without one: within the table's release).

    Never raises for any `text`. A string that fits two systems and is an ICD-10-CM code is not guessed at: it is
    `bad_format` with both readings, unless the system is named.
    """
    if code_type is not None and code_type not in TABLES:
        raise UserError(repr(code_type), "is not a code type", f"use one of {', '.join(TABLES)}")
    system = code_type or "ICD10"
    entry = book.find(system, text) if code_type or text[:1].isalpha() else None
    if entry is not None:
        return _known(book, text, None, entry, day, ())
    if len(text) > LONGEST:
        return _refused(text, text[:LONGEST], code_type, "bad_format", (_say("shape", "is too long for a code"),))
    reading = normalise(text, code_type)
    before = text if text != reading.code else None
    remarks: list[Message] = []
    if code_type and reading.named and reading.named != code_type:
        said = _say("other_system", f"says {reading.named}, but {code_type} was asked for")
        return _refused(text, reading.code, code_type, "bad_format", (said,))
    if reading.wildcard:
        remarks.append(_say("wildcard", "the final dash stands for all codes below; it is not part of the code"))
    if reading.modifiers:
        remarks.append(_say("modifier_set_aside", f"modifier {', '.join(reading.modifiers)} is not part of the code"))
    if reading.description is not None and not _describes(book, reading):
        remarks.append(_say("description_differs", f"is not described as `{reading.description}` in the table"))
    if not reading.systems:
        return _shapeless(book, text, reading, code_type or reading.named, remarks)
    if len(reading.systems) > 1:
        return _ambiguous(book, text, reading, day, remarks)
    return _look_up(book, text, before, reading.systems[0], reading.code, day, remarks)


def _describes(book: CodeBook, reading: Normalised) -> bool:
    """Whether the description behind a code is its title (whole or short) in one of the systems it may belong to."""
    said = " ".join((reading.description or "").casefold().split())
    for system in reading.systems:
        title = _title(book, system, reading.code if system == "ICD10" else undotted(reading.code))
        if title is not None and said in (title.casefold(), short_title(title).casefold()):
            return True
    return False


def _say(rule: str, text: str) -> Message:
    severity, source = _RULES[rule]
    return Message(rule, severity, text, source)


def _refused(
    text: str, code: str, system: str | None, status: str, messages: tuple[Message, ...], release: str | None = None,
    suggestions: tuple[Suggestion, ...] = (),
) -> Check:  # fmt: skip
    before = text if text != code else None
    return Check(text, code, before, system, status, False, None, None, release, None, (), (), suggestions, messages)


def _shapeless(book: CodeBook, text: str, reading: Normalised, system: str | None, remarks: list[Message]) -> Check:
    others = normalise(reading.code).systems
    if len(reading.code) == 5 and reading.code[0] in "WXYZ" and reading.code[1:].isdigit() and system != "ICD10":
        remarks.append(_say("not_national", "HCPCS Level II has no national codes under W to Z"))
    elif system and others:
        remarks.append(_say("other_system", f"has the form of {' or '.join(others)}, not of {system}"))
    else:
        remarks.append(_say("shape", f"has not the form of a code of {system}" if system else "has not the form of a code"))
    bare = re.sub("[^0-9A-Z]", "", reading.code)
    meant = normalise(bare, system) if bare != reading.code and len(bare) < 8 else None
    entry = book.find(meant.systems[0], meant.code) if meant and len(meant.systems) == 1 else None
    suggestions = (Suggestion(entry.code, "without other characters", len(reading.code) - len(bare)),) if entry else ()
    return _refused(text, reading.code, system, "bad_format", tuple(remarks), suggestions=suggestions)


def _ambiguous(book: CodeBook, text: str, reading: Normalised, day: date | None, remarks: list[Message]) -> Check:
    """A letter and four digits without a dot: HCPCS (or CDT), unless the complete ICD-10-CM table knows it too."""
    icd10, other = reading.code, reading.code.replace(".", "")
    second = "CDT" if CDT_SHAPE.fullmatch(other) else "HCPCS"
    title = _title(book, "ICD10", icd10)
    if title is not None:
        title_other = _title(book, "HCPCS", other)
        said = f"may be ICD-10-CM {icd10} ({title}) or {second} {other}" + (f" ({title_other})" if title_other else "")
        remarks.append(_say("ambiguous_system", f"{said}: write the dot or name the system"))
        both = (Suggestion(icd10, "as ICD-10-CM", 0), Suggestion(other, f"as {second}", 0))
        return _refused(text, other, None, "bad_format", tuple(remarks), suggestions=both)
    remarks.append(_say("ambiguous_system", f"is read as {second}; as ICD-10-CM {icd10} it does not exist"))
    return _look_up(book, text, text if text != other else None, "HCPCS", other, day, remarks)


def _title(book: CodeBook, code_type: str, code: str) -> str | None:
    entry, known = book.find(code_type, code), book.validity(code_type, code)
    return entry.title if entry else (known.title or "title not known") if known else None


def _look_up(
    book: CodeBook, text: str, before: str | None, system: str, code: str, day: date | None, remarks: list[Message]
) -> Check:
    entry = book.find(system, code)
    if entry is not None:
        return _known(book, text, before, entry, day, tuple(remarks))
    known = book.validity(system, code)
    release = book.release(system)["release"]
    if known is not None:
        return _by_date(book, text, before, system, code, known, None, day, tuple(remarks))
    if system == "HCPCS" and CDT_SHAPE.fullmatch(code):
        remarks.append(_say("cdt", "is a dental code (CDT); the American Dental Association licenses that table"))
        return _refused(text, code, system, "excluded_cdt", tuple(remarks), release)
    sample = len(book.table(system)) < COMPLETE
    if system == "CPT" and sample:  # no suggestions: a code that a demonstration table lacks is most likely right
        remarks.append(_say("no_licensed_table", "is not in the demonstration table; no licensed CPT table is imported"))
        if code.isdigit() and not _within(book, code):
            remarks.append(_say("outside_ranges", "lies outside the ranges of all CPT sections"))
        return _refused(text, code, system, "unlicensed_unknown", tuple(remarks), release)
    suggestions = near_misses(book, system, code)
    remarks.append(_say("not_in_table", f"is not in the {system} table of {release}"))
    if system == "HCPCS" and sample:
        remarks.append(_say("sample_table", "the table is a sample; import the official file to check every code"))
    if suggestions and suggestions[0].reason.startswith("placeholder"):
        remarks.append(_say("placeholder", f"needs X up to the sixth character: {suggestions[0].code}"))
    return _refused(text, code, system, "unknown", tuple(remarks), release, suggestions)


def _within(book: CodeBook, code: str) -> bool:
    ranges = [part for section in book.children("CPT", "") for part in section.code.split(", ")]
    return any(first <= code <= last for first, last in (part.split("-") for part in ranges))


def _known(
    book: CodeBook, text: str, before: str | None, entry: Entry, day: date | None, remarks: tuple[Message, ...]
) -> Check:
    """A code of the table. The usual case, billable and never changed, is answered without another look."""
    known = book.validity(entry.code_type, entry.code)
    if known is not None or day is not None or not entry.billable:
        return _by_date(book, text, before, entry.code_type, entry.code, known, entry, day, remarks)
    first = ICD10_START if entry.code_type == "ICD10" else None
    release = book.release_names[entry.code_type]
    return Check(
        text,
        entry.code,
        before,
        entry.code_type,
        "valid_billable",
        True,
        first,
        None,
        release,
        entry.title,
        (),
        (),
        (),
        remarks,
    )


def _by_date(
    book: CodeBook, text: str, before: str | None, system: str, code: str, known: Validity | None, entry: Entry | None,
    day: date | None, remarks: tuple[Message, ...],
) -> Check:  # fmt: skip
    """Status on the day of service, from the table and the known changes."""
    release = book.release(system)
    at = day.isoformat() if day else release["effective_to"] or release["effective_from"]
    said = list(remarks)
    first = (known.first if known else "") or (ICD10_START if system == "ICD10" else "")
    last = known.last if known else ""
    second_hand = known is not None and known.source == "second-hand"
    status = _status(book, system, code, known, entry, at)
    successors: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    if status == "not_yet_effective":
        begins = f"on {first}" if at < first else "later"
        said.append(_say("not_begun", f"is not in force on {at}; it begins {begins}"))
    elif status == "retired":
        successors = known.successors if known else ()
        said.append(_say("ended", f"was last valid on {last}" + _then(successors)))
    elif status == "valid_header":
        children = book.header_children(system, code) or (known.successors if known else ())
        if known is not None and known.last and known.last < at:
            children = known.successors or children
            successors = known.successors
            said.append(_say("ended", f"was billable until {last}, since then a header" + _then(successors)))
        said.append(_say("not_billable", f"is {_kind(entry)}, too unspecific to bill; use a code below"))
        stem = undotted(code).ljust(6, "X")
        if system == "ICD10" and children and all(len(child) == 8 and undotted(child)[:6] == stem for child in children):
            said.append(_say("seventh_character", f"needs a 7th character: {', '.join(child[-1] for child in children)}"))
    elif last and second_hand:
        said.append(_say("will_end", f"ceases to be billable after {last}" + _then(known.successors if known else ())))
    if second_hand and (status in ("retired", "not_yet_effective") or at > (release["effective_to"] or at)):
        said.append(_say("second_hand", "this change is known at second hand; check the official FY2027 files"))
    elif release["effective_to"] and at > release["effective_to"] and system == "ICD10":
        said.append(_say("after_release", f"the table is {release['release']}, which ends on {release['effective_to']}"))
    title = entry.title if entry else known.title if known and known.title else None
    return Check(
        text, code, before, system, status, status == "valid_billable", first or None, last or None, release["release"],
        title, children, successors, (), tuple(said),
    )  # fmt: skip


def _kind(entry: Entry | None) -> str:
    return f"a {entry.level}" if entry is not None and not entry.billable else "a header"


def _then(successors: tuple[str, ...]) -> str:
    return f"; then {', '.join(successors[:6])}" + (", ..." if len(successors) > 6 else "") if successors else ""


def _status(book: CodeBook, system: str, code: str, known: Validity | None, entry: Entry | None, at: str) -> str:
    if system == "ICD10" and at < ICD10_START:
        return "not_yet_effective"
    if known is not None:
        if known.first and at < known.first:
            return "not_yet_effective"
        if known.level == "subcategory":
            return "valid_header"
        if not known.last or at <= known.last:
            return "valid_billable"
        return "retired" if known.level == "deleted" or entry is None else "valid_header"
    if entry is not None and entry.billable:
        return "valid_billable"
    if at >= (book.release(system)["effective_from"] or at):
        return "valid_header"
    firsts = [v.first if (v := book.validity(system, item)) else "" for item in book.billable_codes_below(system, code)]
    return "not_yet_effective" if firsts and min(firsts) > at else "valid_header"
